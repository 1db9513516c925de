"""Exercise 04: freezing, features, a tutorial's bug, likeness, BatchNorm, caching."""

from __future__ import annotations

import copy

import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from courseware.grading.registry import task


def _net(num_classes: int = 6, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return timm.create_model("test_resnet", num_classes=num_classes)


@task(
    "04.1",
    title="Freeze the backbone, give it a new head",
    points=2,
    hints=(
        "First freeze all parameters, then make the new head: it is trainable by itself.",
        "`for p in model.parameters(): p.requires_grad = False`",
        "model.fc = nn.Linear(model.fc.in_features, num_classes); return model",
    ),
)
def freeze_backbone(answer, c):
    for classes in (5, 2):
        model = _net()
        old, before = model.fc, {k: v.clone() for k, v in model.state_dict().items()}
        given = f"test_resnet, num_classes = {classes}"
        got = c.call(answer, model, classes, given=given)
        c.type(got, nn.Module, "what your function returns")
        c.that(got is model, "in place", key="copy", given=given,
               hint="Change the model that was given, and return it.")  # fmt: skip
        c.that(isinstance(model.fc, nn.Module) and model.fc is not old, "the head",
               key="same-head", hint="model.fc is still the old one: replace it.",
               given=given)  # fmt: skip
        logits = c.call(lambda net=model: net.eval()(torch.rand(2, 3, 64, 64)))
        c.tensor(logits, "the logits", shape=(2, classes),
                 shape_hint="The new head must give one logit a class.")  # fmt: skip
        learns = [n for n, p in model.named_parameters() if p.requires_grad]
        head = [n for n, _ in model.named_parameters() if n.startswith("fc.")]
        c.that(learns != [], "what learns", key="all-frozen", given=given,
               hint="The new head was frozen too: freeze first, replace it after.",
               expected=head, got=learns)  # fmt: skip
        body = [n for n in learns if not n.startswith("fc.")]
        c.that(not body, "what learns", key="not-frozen", given=given,
               hint="The backbone still learns: requires_grad = False for each of its "
               "parameters (the letters matter: setting p.require_grad does nothing).",
               expected=head, got=learns)  # fmt: skip
        c.same(learns, head, "what learns", key="part-of-head", given=given,
               hint="All of the new head must learn.")  # fmt: skip
        after = model.state_dict()
        same = all(torch.equal(v, after[k]) for k, v in before.items()
                   if not k.startswith("fc."))  # fmt: skip
        c.that(same, "the backbone's weights", key="weights-changed", given=given,
               hint="Freezing must not change a weight.")  # fmt: skip


@task(
    "04.2",
    title="Features, and leave no trace",
    points=3,
    hints=(
        "Stop before the head: nn.Identity in its place, or a hook on it.",
        "Put back what you changed: the head, and the mode (model.training).",
        "head, mode = model.fc, model.training; model.eval(); model.fc = nn.Identity(); "
        "compute under inference_mode(); restore both.",
    ),
)
def features(answer, c):
    for training, n in ((False, 3), (True, 4)):
        model = _net(seed=n).train(training)
        images = torch.rand(n, 3, 64, 64, generator=torch.Generator().manual_seed(n))
        before = {k: v.clone() for k, v in model.state_dict().items()}
        head, mode = model.fc, "train" if training else "eval"
        given = f"a model in {mode} mode, {n} pictures"
        reference = _net(seed=n).eval()
        reference.load_state_dict(before)
        with torch.no_grad():
            maps = reference.forward_features(images)
            right = reference.forward_head(maps, pre_logits=True)
            logits = reference(images)
        keeps = ("requires_grad", "mode", "hooks")
        got = c.call(answer, model, images, given=given, keeps=keeps)
        c.type(got, torch.Tensor, "the features")
        c.that(got.shape != logits.shape, "the features", key="logits", given=given,
               hint="These are logits: the head is still at work.",
               expected=tuple(right.shape), got=tuple(got.shape))  # fmt: skip
        c.that(got.shape != maps.shape, "the features", key="maps", given=given,
               hint="This is the feature map; average it over height and width.",
               expected=tuple(right.shape), got=tuple(got.shape))  # fmt: skip
        c.tensor(got, "the features", shape=right.shape,
                 shape_hint="One vector a picture: (N, D).")  # fmt: skip
        c.that(not got.requires_grad, "gradients", key="gradients", given=given,
               hint="The features still carry a graph, which costs memory: compute "
               "them under torch.inference_mode() or no_grad().")  # fmt: skip
        after = model.state_dict()
        c.that(
            list(after) == list(before),
            "the model afterwards",
            key="head-lost",
            given=given,
            hint="The model is not whole: put its head back.",
        )
        c.that(model.fc is head, "the model afterwards", key="head-lost", given=given,
               hint="model.fc is another one now: put the old head back.")  # fmt: skip
        moved = [k for k, v in before.items() if not torch.equal(v, after[k])]
        c.that(not moved, "the model afterwards", key="batchnorm", given=given,
               hint="BatchNorm's statistics moved: call eval() before the forward pass.",
               got=moved[:3])  # fmt: skip
        c.close(got, right, "the features", key="mode" if training else "value",
                atol=1e-4, given=given, hint="In eval mode, a picture's features do "
                "not depend on its neighbours.")  # fmt: skip
        c.that(model.training is training, "the model afterwards", key="mode-lost",
               given=given, expected=f"{mode} mode", got="the other mode",
               hint="Give the model back in the mode that it came in.")  # fmt: skip


@task(
    "04.3",
    title="Find the bug: backbone and classifier",
    points=2,
    hints=(
        "What does the backbone give: features, or logits?",
        "Take the old head off before you put a new classifier behind it.",
        "width = backbone.fc.in_features; backbone.fc = nn.Identity(); then "
        "nn.Sequential(backbone, nn.Linear(width, hidden), nn.ReLU(), …)",
    ),
)
def build(answer, c):
    for backbone, hidden, classes in (
        (_net(1000, seed=16), 16, 5),
        (_net(7, seed=8), 8, 2),
        (_net(16, seed=4), 16, 16),
        (_TinyBackbone(), 6, 3),
    ):
        _examine_classifier(answer, c, backbone, hidden, classes)


class _TinyBackbone(nn.Module):
    """Another architecture with a head `fc`, of another width."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 5, stride=4)
        self.fc = nn.Linear(10, 7)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


def _examine_classifier(answer, c, backbone, hidden, classes):
    old_classes, width = backbone.fc.out_features, backbone.fc.in_features
    name = "another backbone" if isinstance(backbone, _TinyBackbone) else "test_resnet"
    given = f"{name} with {old_classes} classes, hidden {hidden}"
    body = copy.deepcopy(backbone).eval()
    body.fc = nn.Identity()
    model = c.call(answer, backbone, hidden, classes, given=given)
    c.type(model, nn.Module, "what your function returns")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    outcome = c.attempt(lambda: model.eval()(images))
    message = str(outcome.error or "")
    c.that(f"x{old_classes} and" not in message, "the shapes meet",
           key="old-head", given=given, got=message[:120],
           hint=f"The backbone hands over {old_classes} logits; your "
           "classifier expects its features. Take the head off.")  # fmt: skip
    c.that(outcome.error is None, "it runs", key="error", got=message[:200],
           given=given, hint="Try your model on torch.rand(2, 3, 64, 64); the width of "
           "the features is backbone.fc.in_features.")  # fmt: skip
    c.tensor(outcome.value, "the logits", shape=(2, classes))
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    sizes = [(m.in_features, m.out_features) for m in linear]
    if old_classes not in (hidden, classes):
        c.that((width, old_classes) not in sizes, "features, not logits",
               key="on-logits", given=given, got=sizes,
               hint="The old head is still there, so the classifier learns from "
               "logits: put nn.Identity in its place.")  # fmt: skip
    c.same(sizes, [(width, hidden), (hidden, classes)], "the Linear layers",
           key="layers", given=given, hint="Two Linear layers: features to hidden, "
           "hidden to classes.")  # fmt: skip
    c.that(linear[0].bias is not None, "the Linear layers", key="layers", given=given,
           hint="Keep the bias of the Linear layers.")  # fmt: skip
    with torch.no_grad():
        signs = torch.ones(hidden)
        signs[::2] = -1
        linear[0].bias.copy_(9 * signs)  # so that a ReLU has something to cut
        between = linear[0](body(images))
        bare, right = linear[1](between), linear[1](between.relu())
    logits = c.call(lambda: model.eval()(images), given=given)
    c.that(not torch.allclose(logits, bare, atol=1e-5), "between the layers",
           key="no-relu", given=given,
           hint="Without a ReLU between them, two Linear layers are one.")  # fmt: skip
    c.close(logits, right, "the logits", atol=1e-4, given=given,
            hint="Features, Linear, ReLU, Linear, and nothing behind them: cross-entropy "
            "wants plain logits.")  # fmt: skip


@task(
    "04.4",
    title="The nearest pictures",
    points=2,
    hints=(
        "Cosine similarity is the dot product of vectors of length 1.",
        "Divide each row by its norm: features / features.norm(dim=1, keepdim=True).",
        "likeness = unit_features @ unit_query; then likeness.topk(k).indices.tolist()",
    ),
)
def nearest(answer, c):
    generator = torch.Generator().manual_seed(11)
    table = torch.randn(30, 8, generator=generator)
    table = table * torch.linspace(0.2, 6, 30)[:, None]
    small = torch.tensor([[3.0, 0.1], [0.0, 9.0], [0.5, 0.4], [-2.0, 0.0]])
    cases = [
        (torch.tensor([1.0, 0.0]), small, 3),
        (table[4] * 0.5, table, 5),
        (-table[9], table, 1),
    ]
    for query, features, k in cases:
        given = f"{len(features)} rows, k = {k}"
        likeness = nn.functional.cosine_similarity(query[None], features)
        right = likeness.topk(k).indices.tolist()
        got = c.call(answer, query, features, k, given=given)
        if isinstance(got, torch.Tensor):
            c.fail("type of the result", key="tensor", expected="list", got="Tensor",
                   hint="Return a list of whole numbers: .tolist().")  # fmt: skip
        c.type(got, list, "the result")
        c.that(len(got) == k, "length of the result", key="length", expected=k,
               got=len(got), given=given, hint="Exactly k positions.")  # fmt: skip
        least = likeness.topk(k, largest=False).indices.tolist()
        c.that(
            got != least,
            "order",
            key="least",
            given=given,
            got=got,
            expected=right,
            hint="These are the least alike: take the largest similarities.",
        )
        dot = (features @ query).topk(k).indices.tolist()
        c.that(got != dot or dot == right, "the measure", key="dot", given=given,
               expected=right, got=got, hint="Without dividing by the lengths, long "
               "vectors win: normalise each row.")  # fmt: skip
        far = (features - query).norm(dim=1).topk(k, largest=False).indices.tolist()
        c.that(got != far or far == right, "the measure", key="euclid", given=given,
               expected=right, got=got, hint="That is the Euclidean distance; cosine "
               "similarity looks at directions only.")  # fmt: skip
        c.that(sorted(map(str, got)) != sorted(map(str, right)) or got == right, "order",
               key="order", given=given, expected=right, got=got,
               hint="The most alike comes first.")  # fmt: skip
        c.same(got, right, "the positions", given=given,
               hint="Sort by cosine similarity, largest first.")  # fmt: skip


@task(
    "04.5",
    title="Train mode, but BatchNorm stays",
    points=2,
    hints=(
        "model.train() first; then put some layers back into eval mode.",
        "Go through model.modules() and look at the type of each.",
        "if isinstance(module, nn.BatchNorm2d): module.eval()",
    ),
)
def train_with_frozen_batchnorm(answer, c):
    resnet = _net()
    mixed = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(0.5)),
        nn.Flatten(),
        nn.Linear(4 * 6 * 6, 3),
        nn.BatchNorm1d(3),
    )
    for name, model, size in (
        ("test_resnet", resnet, 64),
        ("a net with dropout and a BatchNorm1d", mixed, 8),
    ):
        model.eval()
        statistics = {k: v.clone() for k, v in model.named_buffers()}
        frozen = [p.requires_grad for p in model.parameters()]
        c.call(answer, model, given=name)
        batchnorms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
        c.that(bool(batchnorms), "the layers", key="removed", given=name,
               hint="The BatchNorm layers must stay in the model.")  # fmt: skip
        c.that(
            model.training,
            "the model's mode",
            key="not-train",
            given=name,
            hint="The model itself must be in train mode: train() first.",
        )
        c.that(
            not any(m.training for m in batchnorms),
            "BatchNorm's mode",
            key="train",
            given=name,
            expected="eval",
            got="train",
            hint="BatchNorm layers are still in train mode. train() sets all "
            "children, so put them back into eval after it, at any depth and of "
            "every kind (BatchNorm1d, 2d, 3d).",
        )
        others = [type(m).__name__ for m in model.modules()
                  if not isinstance(m, _BatchNorm) and not m.training]  # fmt: skip
        c.that(not others, "the other layers' mode", key="others", given=name,
               got=others[:4], hint="Only BatchNorm layers stay in eval: containers "
               "and dropout must be in train mode.")  # fmt: skip
        now = [p.requires_grad for p in model.parameters()]
        c.that(now == frozen, "requires_grad", key="requires-grad", given=name,
               hint="Running statistics are buffers: requires_grad has nothing to do "
               "with them, and must stay as it was.")  # fmt: skip
        model(torch.rand(4, 3, size, size))
        after = dict(model.named_buffers())
        lost = [k for k in statistics if k not in after]
        c.that(not lost, "the statistics", key="lost", given=name, got=lost[:3],
               hint="The running statistics are gone; eval mode needs them.")  # fmt: skip
        moved = [k for k, v in statistics.items() if not torch.equal(v, after[k])]
        c.that(not moved, "the statistics", key="moved", given=name, got=moved[:3],
               hint="A forward pass still moves the statistics.")  # fmt: skip


@task(
    "04.6",
    title="What caching rules out",
    points=1,
    hints=(
        "A cached feature was computed from one picture, once.",
        "What happens behind the cut may change in every epoch.",
        "What happens before the cut may not.",
    ),
)
def what_caching_rules_out(answer, c):
    c.choice(
        answer,
        "b",
        {
            "a": "The head still runs in every epoch, so its dropout works as usual.",
            "c": "The order of cached rows can be drawn anew in every epoch.",
            "d": "The learning rate acts on the head, which is not cached.",
        },
    )
