"""Exercise 01: preprocessing, top k, filters for grey pictures, checkpoints, eval."""

from __future__ import annotations

import timm
import torch
from torch import nn

from courseware.grading.registry import task

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _prepared(image, mean, std):
    scaled = image.permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))
    return (scaled - mean) / std


@task(
    "01.1",
    title="Prepare a picture by hand",
    points=2,
    hints=(
        "Three steps: order of the dimensions, range 0 to 1, normalisation.",
        "permute(2, 0, 1) brings (H, W, 3) to (3, H, W); then divide by 255.",
        "mean and std need the shape (3, 1, 1), so that they apply to each channel: "
        "torch.tensor(mean).view(3, 1, 1).",
    ),
)
def prepare(answer, c):
    generator = torch.Generator().manual_seed(1)
    for size, mean, std in (
        ((4, 6), MEAN, STD),
        ((5, 5), (0.1, 0.5, 0.9), (0.5, 0.25, 1)),
        ((70, 66), MEAN, STD),
    ):
        image = torch.randint(256, (*size, 3), generator=generator, dtype=torch.uint8)
        given = f"a uint8 picture of shape {(*size, 3)}, mean {mean}, std {std}"
        got = c.call(answer, image, mean, std, given=given)
        c.tensor(got, "the result", shape=(3, *size), dtype=torch.float32,
                 shape_hint="PyTorch wants (3, H, W): use permute, which moves "
                 "dimensions. reshape only cuts the numbers up anew.",
                 dtype_hint="The weights are float32.")  # fmt: skip
        right = _prepared(image, mean, std)
        mixed = image.reshape(3, *size).float() / 255
        m, s = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))
        for key, wrong, hint in (
            ("reshape", (mixed - m) / s,
             "reshape keeps the order of the numbers, so rows end up as channels. "
             "Use permute(2, 0, 1)."),
            ("transposed", ((image.permute(2, 1, 0).float() / 255) - m) / s
             if size[0] == size[1] else None,
             "Height and width are swapped: permute(2, 0, 1)."),
            ("range", (image.permute(2, 0, 1).float() - m) / s,
             "Mean and std belong to values from 0 to 1: divide by 255 first."),
            ("raw", image.permute(2, 0, 1).float() / 255,
             "The range is right; the normalisation is missing."),
            ("no-std", (image.permute(2, 0, 1).float() / 255) - m,
             "Divide by the standard deviation as well."),
            ("order", (image.permute(2, 0, 1).float() / 255) / s - m,
             "First subtract the mean, then divide by the standard deviation."),
            ("constants", _prepared(image, MEAN, STD),
             "Use the mean and std that your function is given."),
        ):  # fmt: skip
            same = wrong is not None and torch.allclose(got, wrong, atol=1e-4)
            c.that(not same or torch.allclose(wrong, right, atol=1e-4), "the values",
                   key=key, hint=hint, given=given)  # fmt: skip
        c.close(got, right, "the result", atol=1e-4, given=given,
                hint="(picture / 255 - mean) / std, for each channel.")  # fmt: skip


@task(
    "01.2",
    title="Top k, with names",
    points=2,
    hints=(
        "Logits become probabilities by softmax, over all classes.",
        "torch.topk gives values and positions, the largest first.",
        "values, indices = logits.softmax(0).topk(k); then zip names and values.",
    ),
)
def top_k(answer, c):
    generator = torch.Generator().manual_seed(3)
    cases = [
        (torch.tensor([1.0, 3.0, 2.0, -1.0]), ["ant", "bee", "cat", "dog"], 2),
        (torch.randn(9, generator=generator) * 2, list("ABCDEFGHI"), 5),
        (torch.tensor([0.5, -2.0, 0.1]), ["x", "y", "z"], 3),
        (torch.tensor([200.0, 198.0, 40.0]), ["x", "y", "z"], 2),  # exp overflows
    ]
    for logits, names, k in cases:
        given = f"{len(names)} logits, k = {k}"
        p = logits.softmax(0)
        values, indices = p.topk(k)
        right = [names[i] for i in indices.tolist()]
        got = c.call(answer, logits, names, k, given=given)
        c.type(got, list, "the result")
        c.that(len(got) == k, "length of the result", key="length", given=given,
               hint="Exactly k pairs.", expected=k, got=len(got))  # fmt: skip
        pairs = all(type(pair) in (tuple, list) and len(pair) == 2 for pair in got)
        c.that(pairs, "pairs", key="pairs", given=given,
               hint="Each entry is a pair (name, probability).",
               got=got)  # fmt: skip
        c.that(all(type(pair[0]) is str for pair in got), "names", key="names",
               hint="The first of each pair is the class's name, a str; look the "
               "position up in `classes`.", given=given, got=got)  # fmt: skip
        c.that(all(type(pair[1]) is float for pair in got), "probabilities",
               key="floats", hint="The second of each pair is a float: .item() or "
               ".tolist() take it out of the tensor.", given=given)  # fmt: skip
        found, chance = [p_[0] for p_ in got], [p_[1] for p_ in got]
        c.that(found != right[::-1] or k == 1 or found == right, "order",
               key="order", hint="The most probable comes first.", given=given,
               expected=right, got=found)  # fmt: skip
        c.same(found, right, "the names", given=given, key="classes",
               hint="Take the positions of the k largest logits.")  # fmt: skip
        for key, wrong, hint in (
            ("logits", logits[indices], "These are logits. Probabilities need softmax."),
            ("sigmoid", logits.sigmoid()[indices],
             "sigmoid treats each class alone; softmax makes them share one."),
            ("late-softmax", logits[indices].softmax(0),
             "softmax over the top k alone: the others belong into the sum. Take "
             "softmax first, then topk."),
        ):  # fmt: skip
            same = torch.allclose(torch.tensor(chance), wrong, atol=1e-4)
            same_right = torch.allclose(wrong, values, atol=1e-4)
            c.that(not same or same_right, "the probabilities", key=key, hint=hint,
                   given=given, expected=values, got=chance)  # fmt: skip
        c.close(chance, values, "the probabilities", given=given, atol=1e-4,
                hint="softmax over all classes, then the k largest.")  # fmt: skip


@task(
    "01.3",
    title="Colour filters for grey pictures",
    points=2,
    hints=(
        "A grey picture in a colour net has the same value in all three channels.",
        "The convolution adds the three channels' products, so the filters add.",
        "weight.sum(dim=1, keepdim=True)",
    ),
)
def grey_filters(answer, c):
    generator = torch.Generator().manual_seed(5)
    for shape in ((4, 3, 3, 3), (2, 3, 5, 7)):
        weight = torch.randn(shape, generator=generator)
        given = f"filters of shape {shape}"
        got = c.call(answer, weight, given=given)
        wanted = (shape[0], 1, *shape[2:])
        c.tensor(got, "the filters", shape=wanted, dtype=weight.dtype,
                 shape_hint="One input channel must remain: keepdim=True keeps the "
                 "dimension.")  # fmt: skip
        for key, wrong, hint in (
            ("mean", weight.mean(1, keepdim=True),
             "The mean gives a third of the right answer: a convolution adds the "
             "channels up."),
            ("first", weight[:, :1], "The other two channels' filters are lost."),
            ("last", weight[:, 2:], "The other two channels' filters are lost."),
        ):  # fmt: skip
            c.that(not torch.allclose(got, wrong, atol=1e-5), "the values", key=key,
                   hint=hint, given=given)  # fmt: skip
        grey = torch.rand(1, 1, 9, 9, generator=generator)
        colour = nn.functional.conv2d(grey.expand(-1, 3, -1, -1), weight)
        c.close(nn.functional.conv2d(grey, got), colour, "what the filters answer",
                atol=1e-4, given=given, hint="For a grey picture the answer must be "
                "the same as that of the colour filters.")  # fmt: skip


def _partner(num_classes: int = 3) -> nn.Module:
    torch.manual_seed(num_classes)
    return timm.create_model("test_resnet", num_classes=num_classes)


@task(
    "01.4",
    title="Load what fits, and say what did not",
    points=3,
    hints=(
        'Take "module." off the front of each name first (str.removeprefix).',
        "Keep those entries whose name is in model.state_dict() with the same shape; "
        "load them with strict=False.",
        "What was not loaded: the names of model.state_dict() that are not among the "
        "entries that you kept, sorted.",
    ),
)
def load_matching(answer, c):
    for model, state, right, given in _checkpoints():
        plain = {name.removeprefix("module."): v for name, v in state.items()}
        before = {k: v.clone() for k, v in model.state_dict().items()}
        got = c.call(answer, model, state, given=given)
        c.type(got, list, "the result")
        after = model.state_dict()
        wanted = {k: plain[k] for k in after if k not in right}
        moved = all(torch.equal(after[k], v) for k, v in wanted.items())
        if not moved:
            untouched = all(torch.equal(after[k], before[k]) for k in wanted)
            c.fail("the weights", key="prefix" if untouched else "incomplete",
                   given=given, got="nothing was loaded" if untouched else
                   "some matching entries were not loaded",
                   hint='No name matched: strip "module." first.' if untouched
                   else "Load every entry whose name and shape match; take the prefix "
                   "off each name that begins with it, and only there.")  # fmt: skip
        kept = all(torch.equal(after[k], before[k]) for k in right)
        c.that(kept, "what does not fit stays", key="overwritten", given=given,
               hint="Entries of another shape must be left as they were.")  # fmt: skip
        loaded = sorted(set(after) - set(right))
        c.that(
            sorted(map(str, got)) != loaded or loaded == right,
            "the result",
            key="loaded",
            hint="Return what was NOT loaded.",
            given=given,
        )
        c.same(
            sorted(map(str, got)),
            sorted(right),
            "the names not loaded",
            key="names",
            given=given,
            hint="All names of the model that got no weights, and no others.",
        )
        c.same(got, sorted(right), "the names not loaded", key="sorted", given=given,
               hint="Return the names sorted.")  # fmt: skip


def _checkpoints():
    """Yield (model, state dict, names that cannot be loaded, what it is)."""
    source = _partner(7)
    for buffer in source.buffers():
        buffer.fill_(2)
    plain = {k: v.clone() for k, v in source.state_dict().items()}
    wrapped = {f"module.{k}": v.clone() for k, v in plain.items()}
    head = ["fc.bias", "fc.weight"]
    yield _blank(7), plain, [], "a state dict that fits"
    yield _blank(7), wrapped, [], 'names that begin with "module."'
    yield (
        _partner(3),
        wrapped,
        head,
        'names that begin with "module.", and another head',
    )
    # So many that no set gives them in order by chance; torch itself never reports
    # num_batches_tracked as missing.
    stage = [name for name in plain if name.startswith("layer1.")]
    gone = [name for name in stage if not name.endswith("num_batches_tracked")]
    extra = {**plain, "ema.decay": torch.tensor(0.9)}
    extra = {name: value for name, value in extra.items() if name not in gone}
    given = "another head, an entry too many and some missing"
    yield _partner(3), extra, head + gone, given
    inner = nn.ModuleDict({"module": nn.Linear(2, 3), "head": nn.Linear(3, 2)})
    mixed = {
        "module.net.module.weight": torch.full((3, 2), 4.0),
        "net.module.bias": torch.full((3,), 5.0),
        "module.net.head.weight": torch.full((3, 2), 6.0),  # (2, 3) in the model
    }
    given = 'a layer called "module", the prefix on some names, a weight turned round'
    names = ["net.head.bias", "net.head.weight"]
    yield nn.ModuleDict({"net": inner}), mixed, names, given


def _blank(num_classes: int) -> nn.Module:
    model = _partner(num_classes)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.5)
    return model


@task(
    "01.5",
    title="What eval() changes",
    points=1,
    hints=(
        "Lesson 01 asked each layer for its answer in both modes.",
        "eval() sets a flag that a few kinds of layer look at.",
        "Gradients are the business of inference_mode() and no_grad().",
    ),
)
def what_eval_changes(answer, c):
    c.choice(
        answer,
        "c",
        {
            "a": "Gradients are still computed after eval(): output.requires_grad "
            "was True.",
            "b": "Weights do not change. `requires_grad` does the freezing.",
            "d": "Preprocessing belongs to the transform, outside of the model.",
        },
    )
