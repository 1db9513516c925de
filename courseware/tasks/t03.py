"""Exercise 03: the work of a convolution, unseen heads, hooks, memory of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

import torch
from torch import Tensor, nn

from courseware.grading.registry import task
from courseware.grading.values import ModelRecord, is_plain, plain

# --- 03.1 ---------------------------------------------------------------------------


_MISCOUNTED = {
    "groups": "With groups, one filter sees a part of the input only: in_channels / "
    "groups channels.",
    "groups-twice": "You divided by groups twice. The filters see fewer channels each; "
    "there are still out_channels of them.",
    "parameters": "These are the layer's parameters. Each weight is used once at every "
    "position of the output: height x width times.",
    "flops": "A multiplication with its addition is one MAC; you counted two (FLOPs).",
    "stride": "The stride is already in output_shape: a filter does its work once for "
    "each position of the *output*.",
    "bias": "Adding the bias is no MAC.",
    "kernel": "A kernel has two sides, which may differ: multiply both numbers of "
    "layer.kernel_size.",
    "no-kernel": "The kernel is missing: a filter multiplies at each of its places.",
    "input-channels": "One filter reads more than one channel of its input.",
    "output-channels": "That is the work of one filter; there are out_channels of them.",
    "shape-order": "output_shape is (C, H, W): the channels stand first.",
    "dilation": "Dilation spreads the kernel over more pixels; it multiplies no more of "
    "them.",
}


@task(
    "03.1",
    title="Count the work of a convolution",
    points=2,
    hints=(
        "How many multiplications make one number of the output? And how many numbers "
        "does the output hold?",
        "One number of the output takes kernel height x kernel width x the channels that "
        "one filter sees: layer.in_channels // layer.groups.",
        "rows, columns = layer.kernel_size; multiply rows, columns, in_channels // groups "
        "and the three numbers of output_shape.",
    ),
)
def conv_macs(answer, c):
    shown = (
        (nn.Conv2d(7, 8, 3, padding=1), (8, 10, 12)),
        (nn.Conv2d(12, 10, (3, 5), stride=2, groups=2), (10, 7, 4)),
        (nn.Conv2d(8, 8, 3, groups=8, dilation=2, bias=False), (8, 9, 5)),
    )
    hidden = (
        (nn.Conv2d(16, 24, 1), (24, 6, 11)),
        (nn.Conv2d(12, 6, (1, 7), stride=(1, 3), groups=3), (6, 13, 5)),
        (nn.Conv2d(4, 12, 5, groups=4, stride=4), (12, 3, 2)),
    )
    for layer, shape in c.cases(shown, hidden=hidden):
        given = f"{layer}, output_shape = {shape}"
        right = layer.weight[0].numel() * prod(shape)
        got = c.call(answer, layer, shape, given=given)
        c.type(got, (int, float), "the result")
        for key, wrong in _miscounted(layer, shape, right):
            c.that(got != wrong or wrong == right, "the MACs", key=key, given=given,
                   hint=_MISCOUNTED[key], expected=right, got=got)  # fmt: skip
        c.that(type(got) is int or got != right, "the MACs", key="float", given=given,
               got=got, hint="MACs are counted: return an int. A division with / gives "
               "a float, one with // a whole number.")  # fmt: skip
        c.same(got, right, "the MACs", given=given, hint="Kernel height x kernel width "
               "x in_channels / groups, for each number of the output.")  # fmt: skip


def _miscounted(layer: nn.Conv2d, shape: tuple, right: int) -> Iterator[tuple]:
    """(key, what comes of it) of the usual mistakes."""
    (rows, columns), groups = layer.kernel_size, layer.groups
    channels, height, _ = shape
    stride, outputs = prod(layer.stride), prod(shape)
    weights, seen = layer.weight.numel(), layer.in_channels // groups
    sides = zip(layer.dilation, layer.kernel_size, strict=True)
    yield "groups", right * groups
    yield "groups-twice", right // groups
    yield "parameters", weights
    yield "parameters", sum(p.numel() for p in layer.parameters())
    yield "flops", 2 * right
    yield from (
        ("stride", n) for n in (right * stride, right / stride, right // stride)
    )
    yield "bias", right + outputs
    for kernel in (rows * rows, columns * columns, rows, columns):
        yield "kernel", kernel * seen * outputs
    yield "no-kernel", seen * outputs
    yield "input-channels", rows * columns * outputs
    yield "output-channels", right // channels
    yield "shape-order", weights * channels * height
    yield "dilation", prod(d * (k - 1) + 1 for d, k in sides) * seen * outputs


# --- 03.2 ---------------------------------------------------------------------------


def _body(width: int, *, norm: bool = True) -> list[nn.Module]:
    maps = nn.BatchNorm2d(width) if norm else nn.Identity()
    return [nn.Conv2d(3, width, 3, stride=2), maps, nn.ReLU()]


def _flat() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


class _Simple(nn.Module):
    """Its head is called fc and stands last."""

    path, classes = "fc", 11

    def __init__(self):
        super().__init__()
        self.body, self.fc = nn.Sequential(*_body(6), *_flat()), nn.Linear(6, 11)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.body(images))


class _Squeezed(nn.Module):
    """Its head is a convolution with layers behind it; it holds no Linear at all."""

    path, classes = "classifier.1", 12

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(*_body(8))
        final = nn.Conv2d(8, 12, 1)
        self.classifier = nn.Sequential(nn.Dropout(), final, nn.ReLU(), *_flat())

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))


class _Deep(nn.Module):
    """Its head stands deep, has no bias, and a Linear of another width before it."""

    path, classes = "top.scores.2", 9

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(*_body(7), *_flat())
        scores = nn.Sequential(
            nn.Linear(7, 20), nn.Tanh(), nn.Linear(20, 9, bias=False)
        )
        self.top = nn.ModuleDict({"norm": nn.LayerNorm(7), "scores": scores})

    def forward(self, images: Tensor) -> Tensor:
        return self.top["scores"](self.top["norm"](self.trunk(images)))


class _Unordered(nn.Module):
    """Registers its head first, and last a layer of the same sizes that never runs."""

    path, classes = "answer", 13

    def __init__(self):
        super().__init__()
        self.answer = nn.Linear(10, 13)
        self.stem, self.mix = nn.Sequential(*_body(10)), nn.Conv2d(10, 10, 1)
        self.pool, self.pretext = nn.Sequential(*_flat()), nn.Linear(10, 13)
        self.stem.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.answer(self.pool(self.mix(self.stem(images))))


class _Pooled(nn.Module):
    """Pools first; then a convolution of 2 x 2 without bias gives the logits."""

    path, classes = "out.project", 14

    def __init__(self):
        super().__init__()
        self.out = nn.Module()
        self.out.project = nn.Conv2d(9, 14, 2, bias=False)
        self.stem = nn.Sequential(*_body(9, norm=False), nn.AdaptiveMaxPool2d(2))

    def forward(self, images: Tensor) -> Tensor:
        return self.out.project(self.stem(images)).flatten(1)


class _Excited(nn.Module):
    """Its head is a convolution; a Linear that weighs the channels runs before it."""

    path, classes = "predict", 10

    def __init__(self):
        super().__init__()
        self.stem, self.predict = nn.Sequential(*_body(15)), nn.Conv2d(15, 10, 1)
        self.gate = nn.Sequential(*_flat(), nn.Linear(15, 15), nn.Sigmoid())
        self.pool = nn.Sequential(*_flat())

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        return self.pool(self.predict(maps * self.gate(maps)[..., None, None]))


class _Twice(nn.Module):
    """Its head runs twice: on early maps, then on what a layer makes of them."""

    path, classes = "read", 8

    def __init__(self):
        super().__init__()
        self.stem, self.pool = nn.Sequential(*_body(5)), nn.Sequential(*_flat())
        self.mix, self.read = nn.Conv2d(5, 5, 1), nn.Linear(5, 8)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        early = self.read(self.pool(maps))
        return early + self.read(self.pool(self.mix(maps)))


_FAMILIES = ((_Simple, True, 5), (_Squeezed, False, 4), (_Deep, True, 2),
             (_Unordered, False, 7), (_Pooled, True, 3), (_Excited, False, 6),
             (_Twice, True, 4))  # fmt: skip


def _unseen(family: Callable[[], nn.Module], training: bool) -> nn.Module:
    torch.manual_seed(family.classes)
    return family().train(training)


def _ring(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
    """Do nothing: a hook that a model has before the learner's function sees it."""


def _hook_before(
    model: nn.Module, *, but: nn.Module | None = None
) -> tuple[str, Callable[[], bool]]:
    """Hook the first Conv2d that is not `but`; return its name, and whether it holds."""
    name, layer = next(
        (n, m)
        for n, m in model.named_modules()
        if isinstance(m, nn.Conv2d) and m is not but
    )
    handle = layer.register_forward_hook(_ring)
    return name, lambda: handle.id in layer._forward_hooks


def _check_hook(c, holds, given):
    c.that(holds(), "the hook that was there", key="hook-lost", given=given,
           hint="A hook that the model came with is gone. Keep the handle of each hook "
           "of yours and call handle.remove(): that takes away yours only.")  # fmt: skip


@task(
    "03.2",
    title="A new head for a net that you have never seen",
    points=3,
    hints=(
        "Names and the order of registration tell nothing. Put a forward hook on each "
        "Linear and Conv2d, run the images in eval mode, and see which one came last.",
        "The last one's name splits into its parent's and its own; model.set_submodule("
        "name, new) puts a layer there. A Linear has in_features, a Conv2d in_channels "
        "and kernel_size.",
        "old = model.get_submodule(name); new = nn.Conv2d(old.in_channels, num_classes, "
        "old.kernel_size) if isinstance(old, nn.Conv2d) else nn.Linear(old.in_features, "
        "num_classes). Remove the hooks, and put the mode back.",
    ),
)
def new_head(answer, c):
    for family, training, classes in _FAMILIES:
        layers = [n for n, m in _unseen(family, training).named_modules()
                  if isinstance(m, (nn.Linear, nn.Conv2d))]  # fmt: skip
        model = _unseen(family, training)
        old = model.get_submodule(family.path)
        hooked, holds = _hook_before(model, but=old)
        given = (
            f"a net in {'train' if training else 'eval'} mode with the Linear and Conv2d "
            f"layers {', '.join(layers)}, and with a hook on {hooked}; num_classes = "
            f"{classes}"
        )
        images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        _check_error(c, answer, _unseen(family, training), images, classes, given)
        known, record = list(model.modules()), ModelRecord(model)
        got = c.call(answer, model, images, classes, given=given)
        c.type(got, nn.Module, "what your function returns")
        around = got is not model and any(m is model for m in got.modules())
        c.that(not around, "where the new layer stands", key="wrapped", given=given,
               hint="A layer behind the whole model learns from its logits. Replace the "
               "head inside, and return the model itself.")  # fmt: skip
        c.that(got is model, "in place", key="copy", given=given,
               hint="Change the model that was given, and return it.")  # fmt: skip
        _check_place(c, model, old, family.path, known, given)
        _check_layer(c, model, old, family, classes, given)
        _check_hook(c, holds, given)
        old._forward_hooks.clear()  # what became of the old head does not matter
        model.set_submodule(family.path, old.train(training).requires_grad_(True))
        _check_rest(c, record.changes(), given)


def _check_error(c, answer, model, images, classes, given):
    """Name the misconception behind an error, where there is one."""
    error = c.attempt(answer, model, images, classes).error
    text = f"{type(error).__name__}: {error}"
    wrong_kind = "'Conv2d' object has no attribute" in text
    c.that(not wrong_kind, "it runs without an error", key="conv-width", given=given,
           got=text[:200], hint="This net's head is a Conv2d: it has in_channels and "
           "kernel_size where a Linear has in_features.")  # fmt: skip
    kinds = {type(m).__name__ for m in model.modules()}
    guessed = any(f"'{kind}' object has no attribute" in text for kind in kinds)
    c.that(not guessed, "it runs without an error", key="hard-coded", given=given,
           got=text[:200], hint="This net has no layer of that name. Find the head by "
           "what runs last, not by a name.")  # fmt: skip
    no_linear = not any(isinstance(m, nn.Linear) for m in model.modules())
    lost = type(error) in (IndexError, StopIteration, UnboundLocalError, KeyError)
    c.that(not (lost and no_linear), "it runs without an error", key="no-linear",
           given=given, got=text[:200], hint="This net holds no Linear: its head is a "
           "convolution. Look for both kinds of layer.")  # fmt: skip


def _check_place(c, model, old, path, known, given):
    """The new layer stands where the old head stood, and nowhere else."""
    names = {id(m): name for name, m in model.named_modules()}
    fresh = {n: m for n, m in model.named_modules() if all(m is not k for k in known)}
    dotted = [name for m in model.modules() for name in m._modules if "." in name]
    c.that(not dotted, "where the new layer stands", key="dotted", given=given,
           got=dotted, hint="setattr takes a name without dots: here it made a second "
           "layer of that name beside the old one. Use model.set_submodule(name, new), "
           "or setattr on the parent.")  # fmt: skip
    c.that(bool(fresh), "the new layer", key="nothing-new", given=given,
           hint="No layer of the model is new. It is not enough to make one, or to "
           "change numbers of the old one: put a new layer into its parent.")  # fmt: skip
    here = dict(model.named_modules()).get(path)
    c.that(here is not None, "the head's place", key="gone", given=given,
           hint=f"There is no layer {path} any more; the new one belongs there.",
           got=list(fresh))  # fmt: skip
    gone = [m for m in known if id(m) not in names]
    c.that(here is not old or bool(gone), "where the new layer stands", key="not-used",
           given=given, expected=path, got=list(fresh), hint="The new layer was added "
           "beside the others, where forward never calls it. Put it in the place of the "
           "old head.")  # fmt: skip
    instead = bool(gone) and all(isinstance(m, nn.Linear) for m in gone)
    c.that(here is not old or isinstance(old, nn.Linear) or not instead,
           "which layer was replaced", key="linear-first", given=given, expected=path,
           got=list(fresh), hint="A Linear inside of the net was replaced, but here the "
           "head is a Conv2d that runs after it. Note both kinds in one list, and take "
           "its last.")  # fmt: skip
    twice = isinstance(model, _Twice)
    c.that(here is not old or not twice, "which layer was replaced", key="first-call",
           given=given, expected=path, got=list(fresh), hint="This net's head runs "
           "twice, and its second call is the last of all. Append a name at every call; "
           "a dict leaves it at its first place.")  # fmt: skip
    c.that(here is not old, "which layer was replaced", key="wrong-layer", given=given,
           expected=path, got=list(fresh), hint="Another layer was replaced. The last "
           "one *registered* need not be the one that runs last: run the images and "
           "see.")  # fmt: skip
    c.that(id(old) not in names, "the old head", key="on-logits", given=given,
           hint="The old head is still there, in front of the new layer, which learns "
           "from its logits. Replace it.")  # fmt: skip


def _check_layer(c, model, old, family, classes, given):
    """The new layer is of the old one's kind and width, and gives the logits."""
    mode = {m: m.training for m in model.modules()}
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    outcome = c.attempt(lambda: model.eval()(images))  # gives lazy layers a width
    for module, training in mode.items():
        module.training = training
    head = model.get_submodule(family.path)
    found = [m for m in head.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    c.that(bool(found) and isinstance(found[-1], type(old)), "the new layer's kind",
           key="kind", given=given, expected=type(old).__name__,
           got=", ".join(type(m).__name__ for m in found) or type(head).__name__,
           hint=f"The head was a {type(old).__name__}, and what stands around it "
           "expects one.")  # fmt: skip
    wanted, width = _width(old), _width(found[0])
    c.that(width == wanted, "the new layer's input", key="width", given=given,
           expected=wanted, got=width, hint="The old head says how wide its input is: "
           "in_features or in_channels. out_features is its number of classes, and no "
           "figure holds for all nets.")  # fmt: skip
    kernels = [m.kernel_size for m in (old, found[-1]) if isinstance(m, nn.Conv2d)]
    c.that(len(set(kernels)) < 2, "the kernel", key="kernel", given=given,
           expected=kernels[:1], got=kernels[1:], hint="Take the kernel size of the old "
           "head: old.kernel_size.")  # fmt: skip
    c.that(outcome.error is None, "it runs", key="run", given=given,
           got=str(outcome.error)[:200], hint="The new model fails on a batch of "
           "two pictures: try it on torch.rand(2, 3, 64, 64).")  # fmt: skip
    c.tensor(outcome.value, "the logits", shape=(2, classes),
             shape_hint="One logit for each of num_classes classes.")  # fmt: skip
    c.that(all(p.requires_grad for p in head.parameters()), "the new head learns",
           key="frozen", given=given, hint="The new head must be trainable.")  # fmt: skip


def _width(layer: nn.Module) -> int:
    return layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features


_REST = {
    "layers": "A layer beside the head was replaced or lost. Leave the others alone.",
    "weights": "Other weights changed: only the head is new.",
    "statistics": "BatchNorm's statistics moved: call eval() before you run the images.",
    "requires_grad": "requires_grad of other layers changed. Freezing is another step.",
    "mode": "Give the model back in the mode in which it came: remember model.training.",
    "hooks": "Hooks stayed behind: keep each handle, and call handle.remove().",
}


def _check_rest(c, changes, given):
    for kind in changes:
        c.fail("the rest of the model", key=f"changed-{kind}", given=given,
               got=f"{kind} changed", hint=_REST[kind])  # fmt: skip


# --- 03.3 ---------------------------------------------------------------------------


class _Log(list):
    """Whether gradients were recorded, pass by pass; a copied net shares it."""

    def __deepcopy__(self, memo: dict) -> _Log:
        return self


class _Scale(nn.Module):
    """A leaf of a kind that no list of layers names."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.factor


class _Branched(nn.Module):
    """Registered in another order than it runs; one layer runs twice, two not at all."""

    def __init__(self):
        super().__init__()
        self.log = _Log()
        self.head, self.unused = nn.Linear(5, 4), nn.Linear(5, 5)
        self.stem = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
        self.act = nn.ReLU()
        self.block = nn.Sequential(
            nn.Sequential(nn.Conv2d(5, 5, 3, padding=1), _Scale())
        )
        self.helper = nn.Conv2d(5, 5, 1)  # at work in train mode only
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()

    def forward(self, images: Tensor) -> Tensor:
        self.log.append(torch.is_grad_enabled())
        maps = self.block(self.act(self.stem(images)))
        if self.training:
            maps = maps + self.helper(maps)
        return self.head(self.flatten(self.pool(self.act(maps))))


class _Row(nn.Module):
    """Blocks of the same kind in a row, as in most nets."""

    def __init__(self):
        super().__init__()
        self.log = _Log()
        blocks = [
            nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.GELU())
            for _ in range(2)
        ]
        self.blocks, self.head = nn.Sequential(*blocks), nn.Conv2d(3, 2, 2)

    def forward(self, images: Tensor) -> Tensor:
        self.log.append(torch.is_grad_enabled())
        return self.head(self.blocks(images))


def _shapes_of(net: nn.Module, images: Tensor) -> tuple[dict, dict]:
    """Input and output shapes of the leaves of a net of ours, as they run."""
    inputs, outputs, handles = {}, {}, []

    def note(name: str) -> Callable:
        def hook(layer, given, output):
            inputs.setdefault(name, tuple(given[0].shape))
            outputs.setdefault(name, tuple(output.shape))

        return hook

    for name, layer in net.named_modules():
        if not layer._modules:
            handles.append(layer.register_forward_hook(note(name)))
    with torch.no_grad():
        net.eval()(images)
    for handle in handles:
        handle.remove()
    return inputs, outputs


@task(
    "03.3",
    title="The shape that leaves each layer",
    points=3,
    hints=(
        "layer.register_forward_hook(f) lets f(layer, inputs, output) run after each call "
        "of the layer. Register one on each layer without children, then run the model.",
        "A hook must know its layer's name: bind it with a default argument, "
        "def note(layer, inputs, output, name=name). Write shapes[name] = ... in it.",
        "Keep the handles, run under torch.inference_mode() in eval mode, then "
        "handle.remove() for each, and model.train(the mode it came in).",
    ),
)
def layer_shapes(answer, c):
    keeps = ModelRecord.KINDS
    cases = ((_Branched, True, (2, 3, 9, 8)), (_Row, False, (1, 3, 11, 8)),
             (_Row, True, (3, 3, 7, 7)))  # fmt: skip
    for family, training, size in cases:
        torch.manual_seed(3)
        model, twin = family().train(training), family()
        images = torch.rand(size, generator=torch.Generator().manual_seed(3))
        inputs, right = _shapes_of(twin, images)
        mode = "train" if training else "eval"
        hooked, holds = _hook_before(model)
        given = (
            f"a net in {mode} mode with the leaves {', '.join(right)}, and with a hook "
            f"on {hooked}; images {size}"
        )
        _check_hook_error(c, answer, family().train(training), images, given)
        got = c.call(answer, model, images, given=given, keeps=keeps)
        c.type(got, dict, "the result")
        shapes = _check_entries(c, got, given)
        _check_names(c, list(shapes), model, list(right), given)
        _check_shapes(c, shapes, inputs, right, given)
        c.that(not any(model.log), "gradients", key="gradients", given=given,
               hint="The pass recorded a graph for gradients: run the model under "
               "torch.inference_mode() or torch.no_grad().")  # fmt: skip
        _check_hook(c, holds, given)


def _check_hook_error(c, answer, model, images, given):
    """A hook that returns something replaces the layer's output by it."""
    error = c.attempt(answer, model, images).error
    text = f"{type(error).__name__}: {error}"
    replaced = type(error) in (TypeError, AttributeError) and (
        "tuple" in text or "torch.Size" in text
    )
    c.that(not replaced, "the hooks", key="hook-returns", given=given, got=text[:200],
           hint="What a hook returns takes the place of the layer's output, and the "
           "next layer gets a shape instead of a tensor. Return nothing (mind that a "
           "lambda returns its value).")  # fmt: skip


def _check_entries(c, got, given):
    """Names and tuples only; return the dict with plain tuples."""
    c.that(bool(got), "the dict", key="empty", given=given, got=got,
           hint="No hook wrote anything: register them before you run the model, and "
           "remove them after.")  # fmt: skip
    kinds = {type(value) for value in got.values()}
    c.that(not any(issubclass(kind, Tensor) for kind in kinds), "the values",
           key="tensors", given=given, hint="These are the outputs themselves, which "
           "keeps them all in memory. Keep output.shape only.")  # fmt: skip
    c.that(all(issubclass(kind, tuple) for kind in kinds), "the values", key="tuples",
           given=given, got=[kind.__name__ for kind in kinds],
           hint="Each value is a shape, as a tuple.")  # fmt: skip
    shapes = {plain(name): plain(shape) for name, shape in got.items()}
    whole = is_plain(list(shapes.values()))
    c.that(whole and all(type(name) is str for name in shapes), "the names",
           key="names", given=given, got=[type(name).__name__ for name in shapes][:4],
           hint="The keys are the names of named_modules(), not the layers "
           "themselves.")  # fmt: skip
    return shapes


def _check_names(c, names, model, right, given):
    shown = {"given": given, "expected": right, "got": names}
    modules = dict(model.named_modules())
    last = [n for n, m in modules.items() if not m._modules][-1]
    c.that(names not in ([last], [list(modules)[-1]]), "the names", key="closure",
           hint="Every hook wrote under the same name: the loop's last. A function looks "
           "a variable up when it runs; bind the name with a default argument, "
           "name=name.", **shown)  # fmt: skip
    c.that(all(name in modules for name in names), "the names", key="names",
           hint="The keys are the full names of named_modules(), such as block.0: a "
           "class or a short name stands for several layers.", **shown)  # fmt: skip
    top = [n for n in names if "." not in n]
    c.that(top != names or top == right, "the names", key="children",
           hint="These are the model's direct children. named_modules() goes to any "
           "depth, named_children() does not.", **shown)  # fmt: skip
    c.that(not any(modules[n]._modules for n in names), "the names", key="containers",
           hint="Containers are among them: leave out layers that have children.",
           **shown)  # fmt: skip
    c.that("helper" not in names or "unused" in names, "the layers that ran",
           key="train-mode", hint="The layer helper works in train mode only. Call "
           "eval() before you run the model.", **shown)  # fmt: skip
    c.that(set(names) <= set(right), "the layers that ran", key="idle",
           hint="There are layers that never ran. Let the hooks fill the dict, not the "
           "loop over the modules.", **shown)  # fmt: skip
    c.that(set(names) == set(right), "the layers that ran", key="missing",
           hint="Leaves are missing. A leaf is any layer without children, of whatever "
           "class.", **shown)  # fmt: skip
    registered = [n for n in modules if n in right]
    c.that(names == right or names not in (registered, sorted(right)), "the order",
           key="order", hint="That is the order in which the layers were registered (or "
           "sorted). Fill the dict in the hooks, while the layers run.",
           **shown)  # fmt: skip
    c.that(names == right, "the order", key="order", hint="Each layer stands where it "
           "first ran.", **shown)  # fmt: skip


def _check_shapes(c, shapes, inputs, right, given):
    shown = {"given": given, "expected": right, "got": shapes}
    c.that(shapes != inputs, "the shapes", key="inputs",
           hint="These are the shapes of the inputs: a forward hook gets the layer, its "
           "inputs and its output, in this order.", **shown)  # fmt: skip
    bare = {name: shape[1:] for name, shape in right.items()}
    c.that(shapes != bare, "the shapes", key="batch", hint="The batch is missing: give "
           "the whole shape.", **shown)  # fmt: skip
    c.same(shapes, right, "the shapes", key="shapes", given=given,
           hint="Take output.shape of the images that you were given.")  # fmt: skip


# --- 03.4 ---------------------------------------------------------------------------

STATES = {"sgd": 1, "adam": 2}


def _bytes(weights: int, gradients: int, state: int, activations: int) -> int:
    """Bytes of float32 values, and of activations, which are bytes already."""
    return 4 * (weights + gradients + state) + activations


@task(
    "03.4",
    title="Will it fit?",
    points=2,
    hints=(
        "Four parts: weights, gradients, the optimiser's state, activations. Which count "
        "all parameters, which only those that learn, which grow with the batch?",
        "Weights: num_params values. Gradients: trainable_params. State: trainable_params, "
        "once or twice. All of them times 4 bytes. Activations are bytes already.",
        "4 * (num_params + (1 + states) * trainable_params) + batch_size * "
        'activation_bytes, with states = {"sgd": 1, "adam": 2}[optimizer].',
    ),
)
def training_bytes(answer, c):
    shown = ((1_000, 130, 700, 6), (11_689_512, 11_689_512, 22_500_000, 32))
    hidden = ((5_000, 0, 900, 3), (2_600, 2_100, 150, 1), (977, 401, 13, 17))
    for numbers in c.cases(shown, hidden=hidden):
        got = {}
        for optimizer in STATES:
            given = f"{', '.join(f'{n:,}' for n in numbers)}, {optimizer!r}"
            got[optimizer] = c.call(answer, *numbers, optimizer, given=given)
            c.type(got[optimizer], (int, float), "the result")
        _check_bytes(c, got, numbers)


def _check_bytes(c, got, numbers):
    n, t, a, b = numbers
    right = {name: _bytes(n, t, s * t, a * b) for name, s in STATES.items()}
    given = f"{n:,} parameters, {t:,} learn, {a:,} bytes a picture, batch of {b}"
    shown = {"given": given, "expected": right, "got": got}
    for key, wrong in _misjudged(n, t, a, b):
        c.that(got != wrong or wrong == right, "the bytes", key=key,
               hint=_MISJUDGED[key], **shown)  # fmt: skip
    whole = all(type(value) is int for value in got.values())
    c.that(whole or got != right, "the bytes", key="float", hint="Bytes are counted: "
           "return an int.", **shown)  # fmt: skip
    c.same(got, right, "the bytes", given=given, hint="Work out the four parts one by "
           "one, and compare each.")  # fmt: skip


_MISJUDGED = {
    "state-of-all": "A frozen parameter needs no state: the optimiser keeps values for "
    "those that learn.",
    "gradients-of-all": "A frozen parameter gets no gradient.",
    "frozen-ignored": "Frozen parameters have neither gradients nor state: only their "
    "weights stay.",
    "frozen-weights": "Frozen weights stand in memory too: the weights are num_params "
    "values.",
    "counted-twice": "num_params already contains those that learn.",
    "no-state": "The optimiser's own values are missing: one or two for each parameter "
    "that learns.",
    "no-gradients": "The gradients are missing: one for each parameter that learns.",
    "no-weights": "The weights themselves are missing.",
    "momentum": "SGD with momentum keeps a value for each parameter that learns.",
    "adam": "Adam keeps two values for each parameter that learns: the means of the "
    "gradient and of its square.",
    "swapped": "The two optimisers are mixed up: Adam keeps two values, SGD one.",
    "no-batch": "activation_bytes is for one picture; a batch keeps it for each.",
    "batch-of-all": "Only activations grow with the batch. There is one set of weights, "
    "gradients and states, however many pictures.",
    "no-activations": "The activations are missing.",
    "four-times": "activation_bytes is in bytes already: only the values are times 4.",
    "values": "These are values. Each of them takes 4 bytes.",
    "part-in-values": "Gradients and states are float32 as well: 4 bytes each.",
    "unit": "Return bytes, not kilobytes, megabytes or gigabytes.",
}


def _misjudged(n: int, t: int, a: int, b: int) -> Iterator[tuple]:
    """(key, what comes of it with either optimiser) of the usual mistakes."""

    def both(rule: Callable[[int], float], **states: int) -> dict[str, float]:
        return {name: rule(s) for name, s in (STATES | states).items()}

    def usual(s: int) -> int:
        return _bytes(n, t, s * t, kept)

    kept = a * b
    yield "state-of-all", both(lambda s: _bytes(n, t, s * n, kept))
    yield "gradients-of-all", both(lambda s: _bytes(n, n, s * t, kept))
    yield "frozen-ignored", both(lambda s: _bytes(n, n, s * n, kept))
    yield "frozen-weights", both(lambda s: _bytes(t, t, s * t, kept))
    yield "counted-twice", both(lambda s: _bytes(n + t, t, s * t, kept))
    yield "no-state", both(lambda s: _bytes(n, t, 0, kept))
    yield "no-gradients", both(lambda s: _bytes(n, 0, s * t, kept))
    yield "no-weights", both(lambda s: _bytes(0, t, s * t, kept))
    yield "momentum", both(usual, sgd=0)
    yield "adam", both(usual, adam=1)
    yield "swapped", both(usual, sgd=2, adam=1)
    yield "no-batch", both(lambda s: _bytes(n, t, s * t, a))
    yield "batch-of-all", both(lambda s: b * _bytes(n, t, s * t, a))
    yield "no-activations", both(lambda s: _bytes(n, t, s * t, 0))
    yield "four-times", both(lambda s: _bytes(n, t, s * t, 4 * kept))
    yield "values", both(lambda s: n + t + s * t + kept)
    yield "part-in-values", both(lambda s: 4 * n + t + s * t + kept)
    for unit in (1e3, 1e6, 1e9, 2**10, 2**20, 2**30):
        yield "unit", both(lambda s, unit=unit: usual(s) / unit)


# --- 03.5 ---------------------------------------------------------------------------


@task(
    "03.5",
    title="Why does full fine-tuning need more memory?",
    points=1,
    hints=(
        "Which of the four parts grow when more layers learn? And which of them grows "
        "with the batch as well?",
        "ResNet-18 has 11.7 million weights. One picture leaves millions of values on its "
        "way through the layers, and there are 32 pictures.",
        "A frozen layer's output can go once the next layer has read it. A layer that "
        "learns needs it again, in the backward pass.",
    ),
)
def why_full_needs_more(answer, c, grown=None):
    """`grown`: MB more than frozen, part by part, as the exercise counted them."""
    if grown is not None:
        _check_grown(c, grown)

    def counted(part: str) -> str:
        if grown is None:
            return ""
        most = grown["activations"]
        return f" Counted here: {grown[part]:+.0f} MB, the largest part {most:+.0f} MB."

    c.choice(
        answer,
        "d",
        {
            "a": "A weight takes 4 bytes, frozen or not." + counted("weights"),
            "b": "They do grow, but a gradient is one value a weight, whatever the size "
            "of the batch." + counted("gradients"),
            "c": "It does grow, and is the second largest part, but does not know the "
            "batch of 32." + counted("optimizer"),
            "e": "The batch is the same in both: 32 pictures, held once. Something that "
            "each picture leaves behind in the layers is kept.",
        },
    )


def _check_grown(c, grown):
    parts = ("weights", "gradients", "optimizer", "activations")
    numbers = type(grown) is dict and all(
        type(grown.get(part)) in (int, float) for part in parts
    )
    c.that(numbers and max(grown, key=grown.get) == "activations", "the count",
           key="count", got=grown, hint="`grown` is not what the cell above counts for "
           "a ResNet-18 and 32 pictures: run that cell as it was handed out.")  # fmt: skip
