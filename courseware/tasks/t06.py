"""Exercise 06: rates by depth, a tutorial's bug, weight decay, range test, warm-up."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import timm
import torch
from torch import Tensor, nn

from courseware.grading.registry import task
from courseware.grading.values import ModelRecord, plain

_MANY = 10_000  # more parameters than any net of ours has


def _resnet(*frozen: str) -> nn.Module:
    """A test_resnet for six classes, with some of its layers frozen."""
    torch.manual_seed(6)
    model = timm.create_model("test_resnet", num_classes=6)
    for name in frozen:
        model.get_submodule(name).requires_grad_(False)
    return model


# --- what the groups of an answer hold ----------------------------------------------


@dataclass(frozen=True)
class _Group:
    """One group of an answer: the names of its parameters, and its options."""

    names: list[str]
    options: dict


def _read_groups(c, got, model: nn.Module, given: str) -> list[_Group]:
    """Read what an optimiser would: dicts with the model's own parameters."""
    c.type(got, list, "what your function returns")
    known = {id(p): name for name, p in model.named_parameters()}
    found = []
    for group in got:
        c.type(group, dict, "each group")
        options = {plain(key): value for key, value in dict.items(group)}
        c.that("params" in options, "the keys of a group", key="no-params", given=given,
               expected="params", got=list(options), hint="An optimiser looks for a "
               'group\'s parameters under the key "params".')  # fmt: skip
        parameters = _read_parameters(c, options.pop("params"), given)
        foreign = [p for p in parameters if id(p) not in known]
        c.that(not foreign, "the parameters", key="foreign", given=given,
               got=[type(p).__name__ for p in foreign[:3]], hint="These are no "
               "parameters of the model. Take the parameters themselves: no copies, no "
               "layers, no `.data`.")  # fmt: skip
        options = {key: plain(value) for key, value in options.items()}
        found.append(_Group([known[id(p)] for p in parameters], options))
    return found


def _read_parameters(c, params, given) -> list:
    if isinstance(params, nn.Parameter):
        return [params]
    c.that(not isinstance(params, (set, frozenset)), "the parameters", key="set",
           given=given, hint="A set has no order, which an optimiser refuses: its state "
           "is saved by position. Use a list.")  # fmt: skip
    outcome = c.attempt(lambda: list(islice(iter(params), _MANY)))
    c.that(outcome.error is None, "the parameters", key="params-type", given=given,
           got=type(params).__name__, hint='"params" is a list of parameters, such as '
           "list(layer.parameters()).")  # fmt: skip
    # An optimiser takes pairs of named_parameters() as well.
    found = [p[1] if type(p) is tuple and len(p) == 2 else p for p in outcome.value]
    text = [p for p in found if isinstance(p, str)]
    c.that(not text, "the parameters", key="text", given=given, got=text[:3],
           hint="These are names. An optimiser needs the parameters "
           "themselves.")  # fmt: skip
    return found


def _repeated(groups: list[_Group]) -> list[str]:
    names = [name for group in groups for name in group.names]
    return sorted({name for name in names if names.count(name) > 1})


def _missing(groups: list[_Group], wanted: Sequence[str]) -> list[str]:
    there = {name for group in groups for name in group.names}
    return [name for name in wanted if name not in there]


def _check_option(c, groups: list[_Group], option: str, key: str, hint, given):
    """Each group has a number under that key."""
    for group in groups:
        c.that(option in group.options, "the keys of a group", key=key, given=given,
               expected=option, got=["params", *group.options], hint=hint)  # fmt: skip
        c.type(group.options[option], (int, float), f'"{option}"')


def _agree(got: Sequence[float], wanted: Sequence[float], rtol: float = 1e-6) -> bool:
    """Tell whether two lists of numbers are the same but for rounding."""
    pairs = zip(got, wanted, strict=False)
    return len(got) == len(wanted) and all(
        math.isclose(a, b, rel_tol=rtol, abs_tol=1e-15) for a, b in pairs
    )


def _spoken(numbers: Sequence[float]) -> str:
    shown = ", ".join(f"{n:.4g}" for n in numbers[:12])
    return shown + (", …" if len(numbers) > 12 else "")


def _check_kept(c, record: ModelRecord, given):
    """The groups are made without a change to the model."""
    for kind in record.changes():
        c.fail("the model", key=f"changed-{kind}", given=given, got=f"{kind} changed",
               hint="Making groups changes nothing of the model.")  # fmt: skip


# --- 06.1 ---------------------------------------------------------------------------


class _Rungs(nn.Module):
    """Ten layers of the same kind, and a norm whose name begins like the head's."""

    def __init__(self):
        super().__init__()
        for i in range(1, 11):
            self.add_module(f"layer{i}", nn.Linear(3, 3))
        self.head_norm, self.head = nn.LayerNorm(3), nn.Linear(3, 2)


class _Row(nn.Module):
    """Layers that are reached by dotted names, registered behind the head."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(4, 3))
        blocks = [nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)) for _ in "abc"]
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), *blocks)
        self.features[1].requires_grad_(False)


_RESNET = {
    "stem": ["conv1", "bn1", "layer1"],
    "layer2": ["layer2"],
    "layer3": ["layer3"],
    "layer4": ["layer4"],
    "head": ["fc"],
}
_THREE = {"early": ["conv1", "bn1", "layer1", "layer2"], "late": ["layer3", "layer4"],
          "new": ["fc"]}  # fmt: skip
_RUNGS = {
    "low": ["layer1"],
    "middle": [f"layer{i}" for i in range(2, 10)],
    "high": ["layer10", "head_norm"],
    "top": ["head"],
}
_DOTTED = {"first": ["features.0"], "second": ["features.1", "features.2"],
           "third": ["features.3"], "last": ["classifier.1"]}  # fmt: skip


@task(
    "06.1",
    title="A rate for each depth",
    points=2,
    hints=(
        "Begin with one group: which layers, which parameters, which rate? The head is "
        "0 steps away from the head, the group before it 1 step.",
        "model.get_submodule(name) finds a layer by its full name, and its .parameters() "
        "are all that lie in it. The rate is lr * ratio ** (steps to the head).",
        "for i, (name, layers) in enumerate(stages.items()): params = [p for l in layers "
        "for p in model.get_submodule(l).parameters()]; rate = lr * ratio ** "
        "(len(stages) - 1 - i)",
    ),
)
def stage_groups(answer, c):
    shown = (
        ("test_resnet", _resnet, _RESNET, 1e-2, 0.1),
        ("test_resnet, conv1 and layer2 frozen", lambda: _resnet("conv1", "layer2"),
         _THREE, 0.3, 0.5),
    )  # fmt: skip
    hidden = (("", _Rungs, _RUNGS, 1e-3, 0.2), ("", _Row, _DOTTED, 0.05, 0.1))
    for name, make, stages, lr, ratio in c.cases(shown, hidden=hidden):
        given = f"{name}, groups {', '.join(stages)}, lr = {lr:g}, ratio = {ratio:g}"
        _check_lookup(c, answer, make(), stages, lr, ratio, given)
        model = make()
        record = ModelRecord(model)
        got = c.call(answer, model, stages, lr, ratio, given=given)
        groups = _read_groups(c, got, model, given)
        _check_stages(c, groups, model, stages, given)
        _check_rates(c, groups, lr, ratio, given)
        _check_kept(c, record, given)


def _check_lookup(c, answer, model, stages, lr, ratio, given):
    error = c.attempt(answer, model, stages, lr, ratio).error
    names = [layer for layers in stages.values() for layer in layers]
    text = str(error) if type(error) in (AttributeError, KeyError) else ""
    dotted = any("." in name and f"'{name}'" in text for name in names)
    c.that(not dotted, "finding a layer", key="dotted", given=given, got=text,
           hint="A layer's name may have dots, which getattr and named_children() do "
           "not follow. model.get_submodule(name) does.")  # fmt: skip


def _check_stages(c, groups, model, stages, given):
    """As many groups as stages, with their names, each with its own parameters."""
    names = [name for name, _ in model.named_parameters()]
    rights = [_inside(names, layers) for layers in stages.values()]
    c.that(len(groups) == len(stages), "the groups", key="count", given=given,
           expected=len(stages), got=len(groups), hint="One group for each name in "
           "stages: neither one for each layer, nor one for each parameter.",
           )  # fmt: skip
    for group in groups:
        c.that("name" in group.options, "the keys of a group", key="no-name",
               given=given, expected="name", got=["params", *group.options],
               hint='Each group has a "name": the key in stages.')  # fmt: skip
    found = [group.options["name"] for group in groups]
    c.that(found != list(stages)[::-1], "the order", key="order", given=given,
           expected=list(stages), got=found, hint="Return the groups in the order of "
           "stages: the stem first, the head last.")  # fmt: skip
    c.same(found, list(stages), "the names", key="names", given=given,
           hint='"name" is the key in stages.')  # fmt: skip
    surplus = [n for g, right in zip(groups, rights, strict=True)
               for n in g.names if n not in right]  # fmt: skip
    begins = [n for g, layers in zip(groups, stages.values(), strict=True)
              for n in g.names if n not in _inside(names, layers)
              and any(n.startswith(layer) for layer in layers)]  # fmt: skip
    c.that(not begins, "what is in a group", key="prefix", given=given, got=begins[:3],
           hint='A name may begin like another: "layer10".startswith("layer1") is true. '
           "Take the layer by its whole name, with model.get_submodule(name), or look "
           'for "layer1." with its dot.')  # fmt: skip
    twice = _repeated(groups)
    c.that(not twice, "each parameter once", key="twice", given=given, got=twice[:3],
           hint="These stand in a group more than once, which an optimiser "
           "refuses.")  # fmt: skip
    _check_none_missing(c, groups, model, stages, given)
    c.that(not surplus, "what is in a group", key="wrong-group", given=given,
           got=surplus[:3], hint="These parameters are in another group than stages "
           "says.")  # fmt: skip


def _inside(names: Sequence[str], layers: Sequence[str]) -> list[str]:
    return [n for n in names if any(n.startswith(f"{layer}.") for layer in layers)]


def _check_none_missing(c, groups, model, stages, given):
    parameters = dict(model.named_parameters())
    missing = _missing(groups, list(parameters))
    frozen = [name for name in missing if not parameters[name].requires_grad]
    c.that(not missing or frozen != missing, "each parameter once", given=given,
           key="frozen-dropped", got=missing[:3], hint="Frozen parameters are missing. "
           "They may wake later, and an optimiser that does not know them then will "
           "not move them.")  # fmt: skip
    firsts = _inside(list(parameters), [layers[0] for layers in stages.values()])
    others = [name for name in parameters if name not in firsts]
    c.that(not missing or missing != others, "each parameter once", key="first-layer",
           given=given, got=missing[:3], hint="A group may hold several layers: the "
           "stem is a convolution, its norm, and more. Take them all.")  # fmt: skip
    norms = {name for name in missing if parameters[name].ndim == 1}
    c.that(not missing or norms != set(missing), "each parameter once", key="vectors",
           given=given, got=missing[:3], hint="Norms and biases learn too: take all "
           "parameters of a layer.")  # fmt: skip
    c.that(not missing, "each parameter once", key="missing", given=given,
           got=missing[:3], hint="These are in no group, so they would never "
           "learn.")  # fmt: skip


_RATES = {
    "same-lr": "All groups have the same rate.",
    "reversed": "The rates run the wrong way: the head learns fastest, the stem, whose "
    "edges and colours serve any task, slowest.",
    "head-scaled": "The head gets lr itself: count the steps from the head, from 0 on.",
    "ratio-twice": "The ratio was applied twice for each step towards the stem.",
    "two-rates": "Every group before the head has the same rate. The ratio applies once "
    "more with each step towards the stem.",
    "linear": "The rates fall by equal differences. Each group gets ratio *times* the "
    "rate behind it: a power of the ratio.",
    "divided": "Towards the stem the rates grow: multiply by the ratio, do not divide.",
    "fixed-ratio": "That is a factor of ten; take the ratio that is given.",
}


def _check_rates(c, groups, lr, ratio, given):
    _check_option(c, groups, "lr", "no-lr", 'Each group has a real rate under "lr".',
                  given)  # fmt: skip
    got, n = [group.options["lr"] for group in groups], len(groups)
    right = [lr * ratio ** (n - 1 - i) for i in range(n)]
    for key, wrong in _other_rates(lr, ratio, n):
        c.that(not _agree(got, wrong) or _agree(wrong, right), "the rates", key=key,
               given=given, expected=_spoken(right), got=_spoken(got),
               hint=_RATES[key])  # fmt: skip
    c.that(_agree(got, right), "the rates", key="rates", given=given,
           expected=_spoken(right), got=_spoken(got), hint="lr for the head, and ratio "
           "times the rate behind it for each group before it.")  # fmt: skip


def _other_rates(lr: float, ratio: float, n: int) -> Iterator[tuple[str, list[float]]]:
    steps = range(n - 1, -1, -1)  # from each group to the head
    yield "same-lr", [lr] * n
    yield "reversed", [lr * ratio**i for i in range(n)]
    yield "head-scaled", [lr * ratio ** (i + 1) for i in steps]
    yield "ratio-twice", [lr * ratio ** (2 * i) for i in steps]
    yield "two-rates", [*[lr * ratio] * (n - 1), lr]
    yield "linear", [lr * (n - i) / n for i in steps]
    yield "linear", [lr * ratio / i if i else lr for i in steps]
    yield "linear", [lr * ratio * i if i else lr for i in steps]
    yield "divided", [lr / ratio**i for i in steps]
    yield "fixed-ratio", [lr * 0.1**i for i in steps]


# --- 06.2 ---------------------------------------------------------------------------


class _Namesakes(nn.Module):
    """A head of two layers, and other layers whose names or shapes are like its own.

    The head is not the last to be registered.
    """

    def __init__(self):
        super().__init__()
        self.stem, self.fc1 = nn.Conv2d(3, 5, 3), nn.Linear(5, 5)
        self.fc = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
        self.squeeze = nn.ModuleDict({"fc": nn.Linear(5, 5, bias=False)})
        self.twin = nn.Linear(5, 4)


def _namesakes(*frozen: str) -> nn.Module:
    torch.manual_seed(7)
    model = _Namesakes()
    for name in frozen:
        model.get_submodule(name).requires_grad_(False)
    return model


@task(
    "06.2",
    title="Find the bug: the head that is listed twice",
    points=2,
    hints=(
        "named_parameters() gives the head's parameters as well, and they are added "
        "again after the loop. And does each parameter need a group of its own?",
        "Make two lists, one of the backbone's parameters, one of the head's. What tells "
        'them apart is the name\'s beginning, "fc." with its dot.',
        'mine = head if name.startswith("fc.") else body; mine.append(parameter); and '
        'after the loop [{"params": body, "lr": lr}, {"params": head, "lr": head_lr}]',
    ),
)
def backbone_and_head(answer, c):
    body = "conv1", "bn1", "layer1", "layer2", "layer3", "layer4"
    shown = (
        ("test_resnet", _resnet, 1e-3, 1e-2),
        ("test_resnet, conv1 and layer1 frozen", lambda: _resnet("conv1", "layer1"),
         3e-4, 3e-2),
    )  # fmt: skip
    hidden = (
        ("", _namesakes, 1e-4, 2e-3),
        ("", lambda: _namesakes("stem", "fc.0"), 1e-4, 2e-3),
        ("", lambda: _resnet(*body), 1e-4, 1e-3),
    )
    for name, make, lr, head_lr in c.cases(shown, hidden=hidden):
        given = f"{name}, lr = {lr:g}, head_lr = {head_lr:g}"
        _check_comparing(c, answer, make(), lr, head_lr, given)
        model = make()
        record = ModelRecord(model)
        got = c.call(answer, model, lr, head_lr, given=given)
        groups = _read_groups(c, got, model, given)
        _check_learning_once(c, groups, model, given)
        _check_two_rates(c, groups, lr, head_lr, given)
        _check_kept(c, record, given)


def _check_comparing(c, answer, model, lr, head_lr, given):
    """`parameter in a_list` compares numbers, not objects."""
    error = c.attempt(answer, model, lr, head_lr).error
    text = str(error) if type(error) is RuntimeError else ""
    compares = "Boolean value of Tensor" in text or "must match the size" in text
    c.that(not compares, "telling parameters apart", key="tensor-in", given=given,
           got=text[:160], hint="`p in a_list` and `p == q` compare the numbers in two "
           "tensors. Go by names, or by id(p), or with `is`.")  # fmt: skip


def _check_learning_once(c, groups, model, given):
    parameters = dict(model.named_parameters())
    twice = _repeated(groups)
    again = bool(twice) and all(name.startswith("fc.") for name in twice)
    c.that(not again, "each parameter once", key="head-twice", given=given,
           got=twice[:3], hint="The head's parameters still stand in two groups: leave "
           "them out of the loop, or do not add them after it.")  # fmt: skip
    c.that(not twice, "each parameter once", key="twice", given=given, got=twice[:3],
           hint="These stand in more than one place, which an optimiser "
           "refuses.")  # fmt: skip
    c.that(len(groups) <= 2, "the groups", key="count", given=given,
           expected="at most 2", got=len(groups), hint="A group for each parameter "
           "does no harm but is needless: all that share a rate fit into "
           "one.")  # fmt: skip
    frozen = [name for group in groups for name in group.names
              if not parameters[name].requires_grad]  # fmt: skip
    c.that(not frozen, "what learns", key="frozen-in", given=given, got=frozen[:3],
           hint="These are frozen. Keep the condition parameter.requires_grad, for the "
           "head too.")  # fmt: skip
    learning = [name for name, p in parameters.items() if p.requires_grad]
    missing = _missing(groups, learning)
    head = [name for name in learning if name.startswith("fc.")]
    c.that(not head or missing != head, "each parameter once", key="head-missing",
           given=given, got=missing[:3], hint="Now the head stands in no group at all, "
           "and would never learn.")  # fmt: skip
    named = bool(missing) and all(_looks_like_head(name) for name in missing)
    c.that(not named, "each parameter once", key="by-name", given=given, got=missing[:3],
           hint=_BY_NAME)  # fmt: skip
    c.that(not missing, "each parameter once", key="missing", given=given,
           got=missing[:3], hint="These parameters learn, but are in no "
           "group.")  # fmt: skip


_BY_NAME = (
    'Another layer may be called fc1 or block.fc, so "fc" in name, or a name that begins '
    'with "fc", is no test. The head\'s names begin with "fc." and its dot.'
)


def _looks_like_head(name: str) -> bool:
    return "fc" in name and not name.startswith("fc.")


def _check_two_rates(c, groups, lr, head_lr, given):
    _check_option(c, groups, "lr", "no-lr", 'Each group has its rate under "lr".',
                  given)  # fmt: skip
    rates = {name: group.options["lr"] for group in groups for name in group.names}
    head = {rate for name, rate in rates.items() if name.startswith("fc.")}
    body = {rate for name, rate in rates.items() if not name.startswith("fc.")}
    c.that(not (head == {lr} and body == {head_lr}), "the rates", key="swapped",
           given=given, hint="The rates are swapped: head_lr belongs to "
           "fc.")  # fmt: skip
    c.that(lr not in head, "the head's rate", key="head-lr", given=given,
           expected=head_lr, got=lr, hint="The head, or a part of it, has the "
           "backbone's rate.")  # fmt: skip
    wrong = [n for n, r in rates.items() if r != lr and not n.startswith("fc.")]
    named = bool(wrong) and all(_looks_like_head(name) for name in wrong)
    c.that(not named, "the backbone's rate", key="by-name", given=given, got=wrong[:3],
           hint=_BY_NAME)  # fmt: skip
    c.that(not wrong, "the backbone's rate", key="body-lr", given=given, expected=lr,
           got=[rates[name] for name in wrong[:3]], hint="What is not in fc has the "
           "rate lr.")  # fmt: skip
    c.that(head <= {head_lr}, "the head's rate", key="head-lr", given=given,
           expected=head_lr, got=sorted(head), hint="The head's rate is "
           "head_lr.")  # fmt: skip


# --- 06.3 ---------------------------------------------------------------------------

_NORMS = (nn.BatchNorm2d, nn.BatchNorm1d, nn.GroupNorm, nn.LayerNorm)


class _Mixed(nn.Module):
    """Parameters of every kind: of layers, of the net itself, and of one number."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(0.5))
        self.token = nn.Parameter(torch.ones(1, 1, 4))
        self.gamma = nn.Parameter(torch.ones(4))
        self.words = nn.Embedding(7, 4)
        self.bn_out = nn.Linear(4, 4)  # its name lies
        self.mix, self.first = nn.Linear(4, 3, bias=False), nn.Conv1d(4, 4, 1)
        self.second, self.third = nn.GroupNorm(2, 4), nn.LayerNorm(4)
        self.third.requires_grad_(False)
        self.score = nn.Linear(4, 7)
        self.score.weight = self.words.weight  # one parameter, two names


def _plain_net() -> nn.Module:
    maps = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.GroupNorm(2, 4)
    return nn.Sequential(*maps, nn.Flatten(), nn.Linear(4, 2))


@task(
    "06.3",
    title="No weight decay on norms and biases",
    points=2,
    hints=(
        "Names differ from net to net, shapes do not. What is the shape of a bias, of a "
        "norm's scale, of a convolution's weight?",
        "parameter.ndim counts the dimensions: 4 for a Conv2d's weight, 2 for a Linear's, "
        "1 for a bias, 0 for a single number.",
        "weights = [p for p in model.parameters() if p.ndim >= 2], the others likewise; "
        'two dicts, with "weight_decay": weight_decay and "weight_decay": 0.0',
    ),
)
def decay_groups(answer, c):
    shown = (
        ("test_resnet, conv1 frozen", lambda: _resnet("conv1"), 0.05),
        (
            "Conv2d, BatchNorm2d, Conv2d, GroupNorm, Flatten and Linear in a row",
            _plain_net,
            1e-4,
        ),
    )
    hidden = (("", _Mixed, 0.3),)
    for name, make, decay in c.cases(shown, hidden=hidden):
        given = f"{name}, weight_decay = {decay:g}"
        model = make()
        record = ModelRecord(model)
        got = c.call(answer, model, decay, given=given)
        groups = _read_groups(c, got, model, given)
        _check_all_once(c, groups, model, given)
        _check_option(c, groups, "weight_decay", "no-key", 'Both groups say "weight_'
                      'decay"; without it the optimiser\'s own value applies, which '
                      "for AdamW is not 0.", given)  # fmt: skip
        _check_decay(c, groups, model, decay, given)
        _check_kept(c, record, given)


def _check_all_once(c, groups, model, given):
    parameters = dict(model.named_parameters())
    c.that(len(groups) == 2, "the groups", key="count", given=given, expected=2,
           got=len(groups), hint="Two groups: one with weight decay, one "
           "without.")  # fmt: skip
    twice = _repeated(groups)
    c.that(not twice, "each parameter once", key="twice", given=given, got=twice[:3],
           hint="These stand in more than one place. Go through model.parameters(), "
           "which gives each parameter once, also one that two layers "
           "share.")  # fmt: skip
    missing = _missing(groups, list(parameters))
    frozen = [name for name in missing if not parameters[name].requires_grad]
    c.that(not missing or frozen != missing, "each parameter once", given=given,
           key="frozen-dropped", got=missing[:3], hint="Frozen parameters belong to a "
           "group too: they may wake later.")  # fmt: skip
    loose = all("." not in name for name in missing)
    c.that(not missing or not loose, "each parameter once", key="loose", given=given,
           got=missing[:3], hint="A net may hold parameters that are in no layer, such "
           "as a class token. model.parameters() has them.")  # fmt: skip
    c.that(not missing, "each parameter once", key="missing", given=given,
           got=missing[:3], hint="These are in no group, so they would never learn. A "
           "rule has to say something about every parameter.")  # fmt: skip


_DECAYED = {
    "only-biases": "Biases are without, but the norms' scales still decay: they are "
    "called weight, as a convolution's weights are. Look at the number of dimensions.",
    "norms": "Scales or shifts of some norms decay: norms go by many names, and are of "
    "many kinds. Look at the number of dimensions, not at names or classes.",
    "biases": "Biases of convolutions or linear layers still decay.",
    "scalar": "A single number, such as a temperature, has 0 dimensions: less than two.",
    "vectors": "These are vectors and need no weight decay, whatever their layer is.",
}
_SPARED = {
    "by-name": "These are matrices, whatever their names say: a layer called bn_out may "
    "be a Linear. Look at the number of dimensions.",
    "embedding": "An embedding's table or a class token has two dimensions or more: by "
    "this rule it decays.",
    "spared": "These have two dimensions or more and need weight decay.",
}


def _check_decay(c, groups, model, decay, given):
    values = sorted(group.options["weight_decay"] for group in groups)
    c.that(_agree(values, [0, decay]), "the values of weight_decay", key="values",
           given=given, expected=[0.0, decay], got=values, hint="One group has "
           "weight_decay as it was given, the other 0.")  # fmt: skip
    parameters = dict(model.named_parameters())
    decays = {name: group.options["weight_decay"] > 0 for group in groups
              for name in group.names}  # fmt: skip
    wrong = [n for n, p in parameters.items() if decays[n] is not (p.ndim > 1)]
    c.that(len(wrong) < len(parameters), "which parameters decay", key="swapped",
           given=given, hint="The groups are swapped: vectors decay, weights do "
           "not.")  # fmt: skip
    vectors = [name for name in wrong if parameters[name].ndim < 2]
    if vectors:
        key = _decayed_kind(vectors, decays, model)
        c.fail("what does not decay", key=key, given=given, got=vectors[:3],
               hint=_DECAYED[key])  # fmt: skip
    if wrong:
        key = _spared_kind(wrong, model)
        c.fail("what decays", key=key, given=given, got=wrong[:3],
               hint=_SPARED[key])  # fmt: skip


def _decayed_kind(wrong: list[str], decays: dict, model: nn.Module) -> str:
    """Say what the vectors that decay have in common."""
    parameters = dict(model.named_parameters())
    norms = [f"{name}.{part}" for name, module in model.named_modules()
             if isinstance(module, _NORMS) for part in ("weight", "bias")]  # fmt: skip
    others = [n for n in wrong if n not in norms]
    if others == wrong and all(name.endswith("bias") for name in wrong):
        return "biases"
    if any(name in norms for name in wrong):
        scales = [name for name in norms if name.endswith("weight")]
        bare = not any(decays[n] for n in parameters if n.endswith("bias"))
        return "only-biases" if bare and all(decays[n] for n in scales) else "norms"
    return "scalar" if all(parameters[n].ndim == 0 for n in wrong) else "vectors"


def _spared_kind(wrong: list[str], model: nn.Module) -> str:
    if all("bn" in name or "norm" in name for name in wrong):
        return "by-name"
    embedding = all(name in ("token", "words.weight") for name in wrong)
    return "embedding" if embedding else "spared"


# --- 06.4 ---------------------------------------------------------------------------


def _small_net(training: bool) -> nn.Module:
    """A net whose BatchNorm has seen something, in train or in eval mode."""
    torch.manual_seed(4)
    layers = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()
    net = nn.Sequential(*layers, nn.Linear(6 * 9, 3))
    with torch.no_grad():
        net(torch.rand(6, 3, 5, 5))
    return net.train(training)


def _small_batches(count: int, *, broken: int | None = None) -> list[tuple]:
    """Batches of six pictures; `broken` is the place of one that holds a NaN."""
    generator = torch.Generator().manual_seed(count)
    batches = []
    for place in range(count):
        images = torch.rand(6, 3, 5, 5, generator=generator)
        if place == broken:
            images[0, 0, 0, 0] = math.nan
        batches.append((images, torch.randint(3, (6,), generator=generator)))
    return batches


class _Overflowing(nn.Module):
    """One weight: a huge input gives a loss that is infinite, and not NaN."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, -images], dim=1) * self.weight


def _huge_batches() -> list[tuple]:
    """The third gives a loss that is high, the fifth one that is infinite."""
    sizes = (0.5, 0.8, 9.0, 0.9, 3e38, 0.4)
    return [(torch.full((1, 1), x), torch.ones(1, dtype=torch.long)) for x in sizes]


@dataclass(frozen=True)
class _Run:
    """How a range test is carried out; the fields are what often goes wrong."""

    rates: list[float]
    after: bool = False
    zero: bool = True
    training: bool = True
    momentum: float = 0.0
    one_batch: bool = False
    adam: bool = False


def _losses(model: nn.Module, batches: list[tuple], run: _Run) -> list[float]:
    """The losses of a run on a copy, up to one that is not finite."""
    model = copy.deepcopy(model).train(run.training)
    optimizer = (
        torch.optim.Adam(model.parameters(), lr=1e-3)
        if run.adam
        else torch.optim.SGD(model.parameters(), lr=1e-3, momentum=run.momentum)
    )
    found = []
    for step, rate in enumerate(run.rates):
        images, labels = batches[0 if run.one_batch else step % len(batches)]
        optimizer.param_groups[0]["lr"] = rate
        loss = nn.functional.cross_entropy(model(images), labels)
        if not math.isfinite(loss.item()):
            break
        if run.zero:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if run.after:
            with torch.no_grad():
                loss = nn.functional.cross_entropy(model(images), labels)
        found.append(loss.item())
    return found


@task(
    "06.4",
    title="The range test by hand",
    points=3,
    hints=(
        "Three parts: keep what training will change, run the loop, put it all back. "
        "Write the loop first, and print the rates.",
        "Step i of n has the rate start_lr * (end_lr / start_lr) ** (i / (n - 1)); write "
        'it into optimizer.param_groups[0]["lr"] before optimizer.step(). Append '
        "loss.item() before the step, and break where math.isfinite says no.",
        "kept = copy.deepcopy(model.state_dict()) and mode = model.training come first "
        "(state_dict() alone hands out the tensors themselves, which go on changing); "
        "model.load_state_dict(kept) and model.train(mode) come last, also after a break.",
    ),
)
def range_test(answer, c):
    shown = (
        ("a small net in train mode, 3 batches, start_lr = 1e-3, end_lr = 0.5, "
         "num_iter = 7", _small_net(True), _small_batches(3), (1e-3, 0.5, 7)),
        ("a small net in eval mode, 5 batches, and the defaults", _small_net(False),
         _small_batches(5), ()),
        ("a NaN in a picture of the fourth of 6 batches, start_lr = 0.01, end_lr = 0.1, "
         "num_iter = 6", _small_net(False), _small_batches(6, broken=3),
         (0.01, 0.1, 6)),
    )  # fmt: skip
    hidden = (
        ("", _Overflowing().eval(), _huge_batches(), (1e-4, 1e-2, 6)),
        ("", _small_net(True), _small_batches(4), (1e-5, 1e-1, 3)),
    )
    for given, model, batches, numbers in c.cases(shown, hidden=hidden):
        twin, record, rates = copy.deepcopy(model), ModelRecord(model), _rates(*numbers)
        right = _losses(twin, batches, _Run(rates))
        got = c.call(answer, model, batches, *numbers, given=given)
        lrs, losses = _two_lists(c, got, given)
        _check_spacing(c, lrs, losses, rates, len(right), batches, given)
        _check_losses(c, losses, right, twin, batches, rates, given)
        _check_undone(c, record, len(right) < len(rates), given)


def _rates(start: float = 1e-7, end: float = 1.0, count: int = 40) -> list[float]:
    return [start * (end / start) ** (i / (count - 1)) for i in range(count)]


def _two_lists(c, got, given) -> tuple[list[float], list[float]]:
    c.type(got, (tuple, list), "what your function returns")
    c.that(len(got) == 2, "the result", key="two-lists", given=given, expected=2,
           got=len(got), hint="Return the rates and the losses: return lrs, "
           "losses.")  # fmt: skip
    found = []
    for values, name in zip(got, ("rates", "losses"), strict=True):
        values = plain(values)
        c.type(values, (list, tuple), f"the {name}")
        tensors = any(isinstance(value, Tensor) for value in values)
        c.that(not tensors, f"the {name}", key="tensors", given=given,
               hint=f"The {name} are tensors. A loss that is kept as a tensor keeps its "
               "whole graph in memory: append loss.item().")  # fmt: skip
        values = [plain(value) for value in values]
        for value in values:
            c.type(value, (int, float), f"each of the {name}")
        found.append(values)
    return found[0], found[1]


_SPACING = {
    "linear": "The rates grow by the same difference. Between 1e-7 and 1 nearly all of "
    "them would be above 0.01: let them grow by the same factor.",
    "end": "end_lr is missed: there are num_iter rates, but only num_iter - 1 strides "
    "between the first and the last.",
    "start": "The first step is one stride late: it has start_lr itself.",
    "falling": "The rates fall. Begin with the least.",
}


def _check_spacing(c, lrs, losses, rates, count, batches, given):
    """The rates, `count` of them: as many as there are finite losses."""
    right = rates[:count]
    shown = {"given": given, "expected": _spoken(right), "got": _spoken(lrs)}

    def same(others: list[float]) -> bool:
        return bool(lrs) and _agree(lrs, others[: len(lrs)], 1e-4)

    c.that(all(math.isfinite(loss) for loss in losses), "the losses", key="not-finite",
           given=given, got=_spoken(losses), hint="A loss that is NaN or infinite ends "
           "the test and is not recorded. math.isfinite tells both.")  # fmt: skip
    c.that(len(lrs) == len(losses), "the lists", key="lengths", given=given,
           got=f"{len(lrs)} rates, {len(losses)} losses", hint="Each loss has its rate: "
           "append to both lists in the same step, after you know that the loss is "
           "finite.")  # fmt: skip
    for key, others in _other_spacings(rates):
        c.that(same(rates) or not same(others), "the rates", key=key,
               hint=_SPACING[key], **shown)  # fmt: skip
    c.that(count == len(rates) or len(lrs) <= count, "where it stops", key="no-stop",
           hint="The test went on after a loss that was not finite. Leave the loop with "
           "break.", **shown)  # fmt: skip
    c.that(not len(lrs) == len(batches) < count, "how many steps", key="one-round",
           hint="The test ended with the last batch: begin again with the first, "
           "batches[step % len(batches)].", **shown)  # fmt: skip
    c.that(len(lrs) != count - 1 or not same(rates), "how many steps", key="short",
           hint="The last step is missing: num_iter rates, end_lr among "
           "them.", **shown)  # fmt: skip
    c.that(len(lrs) <= len(rates), "how many steps", key="steps", hint="There are more "
           "than num_iter rates.", **shown)  # fmt: skip
    c.that(_agree(lrs, rates[: len(lrs)], 1e-4), "the rates", key="rates",
           hint="Each rate is the one before times the same factor, from start_lr to "
           "end_lr.", **shown)  # fmt: skip
    c.that(len(lrs) == count, "how many steps", key="steps", hint="There are num_iter "
           "rates, fewer only where a loss is not finite.", **shown)  # fmt: skip


def _other_spacings(rates: list[float]) -> Iterator[tuple[str, list[float]]]:
    n, (start, end) = len(rates), (rates[0], rates[-1])
    yield "linear", [start + (end - start) * i / (n - 1) for i in range(n)]
    yield "end", [start * (end / start) ** (i / n) for i in range(n)]
    yield "start", [start * (end / start) ** ((i + 1) / n) for i in range(n)]
    yield "start", [*rates[1:], end**2 / rates[-2]]
    yield "falling", rates[::-1]


_LOSSES = {
    "after": "These are the losses after the update. Record the loss that the gradients "
    "come from: that of the weights before this step's update.",
    "no-zero-grad": "Gradients add up from step to step: call optimizer.zero_grad() "
    "before loss.backward().",
    "eval-mode": "The steps ran in eval mode: call model.train() first, since training "
    "is what the test is about.",
    "no-update": "The weights did not change between the steps: is optimizer.step() "
    "missing, or are the weights put back in every step?",
    "constant-lr": "Every update was made at the same rate. An optimiser reads its rate "
    'from optimizer.param_groups[0]["lr"]; other names have no effect.',
    "shifted": "The updates were made at the rate of the step before or after: set this "
    "step's rate before optimizer.step().",
    "one-batch": "Every step took the first batch: take the next one.",
    "momentum": "Plain SGD has no momentum here.",
    "adam": "That is Adam. Take torch.optim.SGD.",
}


def _check_losses(c, losses, right, model, batches, rates, given):
    if _agree(losses, right, 1e-5):  # weight decay of 1e-4 makes 6e-5
        return
    for key, run in _other_runs(rates):
        wrong = _losses(model, batches, run)
        c.that(not _agree(losses, wrong, 1e-5), "the losses", key=key, given=given,
               expected=_spoken(right), got=_spoken(losses),
               hint=_LOSSES[key])  # fmt: skip
    c.fail("the losses", key="losses", given=given, expected=_spoken(right),
           got=_spoken(losses), hint="One step: loss of the next batch in train mode, "
           "record it, zero_grad, backward, step at this step's rate.")  # fmt: skip


def _other_runs(rates: list[float]) -> Iterator[tuple[str, _Run]]:
    yield "after", _Run(rates, after=True)
    yield "no-zero-grad", _Run(rates, zero=False)
    yield "eval-mode", _Run(rates, training=False)
    yield "no-update", _Run([0.0] * len(rates))
    for rate in (rates[0], rates[-1], 1e-3):  # 1e-3 is SGD's own rate
        yield "constant-lr", _Run([rate] * len(rates))
    yield "shifted", _Run([rates[0], *rates[:-1]])
    yield "shifted", _Run([*rates[1:], rates[-1]])
    yield "one-batch", _Run(rates, one_batch=True)
    yield "momentum", _Run(rates, momentum=0.9)
    yield "adam", _Run(rates, adam=True)


_UNDONE = {
    "weights": "The weights are not what they were. state_dict() hands out the model's "
    "own tensors, which go on changing; so does a dict or list of them. Keep copies "
    "(copy.deepcopy(model.state_dict())), and put them back at the end.",
    "statistics": "BatchNorm's statistics are not what they were. They are buffers, not "
    "parameters: state_dict() holds both.",
    "mode": "Give the model back in the mode that it came in: remember model.training.",
    "requires_grad": "Leave requires_grad as it was.",
    "layers": "The model's layers are no longer the same objects.",
    "hooks": "Hooks stayed behind.",
}


def _check_undone(c, record, stops, given):
    for kind in record.changes():
        early = stops and kind in ("weights", "statistics", "mode")
        hint = (
            "Put everything back here too, where a loss that is not finite ended the "
            "test: use break, not return, or try and finally."
            if early
            else _UNDONE[kind]
        )
        key = f"stopped-{kind}" if early else f"left-{kind}"
        c.fail("the model afterwards", key=key, given=given, got=f"{kind} changed",
               hint=hint)  # fmt: skip


# --- 06.5 ---------------------------------------------------------------------------


_SCHEDULE = {
    "from-zero": "Step 0 has a rate of 0, so it would do nothing. It is one stride high "
    "already; there are warmup + 1 strides up to the peak.",
    "peak-early": "The peak is reached one step too early: step warmup - 1 is one stride "
    "below it, and step warmup is at the peak.",
    "over-total": "The cosine counts its steps from step 0, or out of total. It begins "
    "at step warmup and has total - 1 - warmup strides.",
    "end-late": "The last step is not at final yet: it is step total - 1, since the "
    "steps count from 0.",
    "full-wave": "That is a whole wave, down and up again: the angle goes from 0 to pi.",
    "quarter-wave": "That is a quarter of a wave: the angle goes to pi, and (1 + cos) / 2 "
    "from 1 to 0.",
    "rising": "After the warm-up the rate rises: the cosine begins at 1, so it is "
    "1 + cos, not 1 - cos.",
    "no-half": "1 + cos goes from 2 to 0: halve it.",
    "bare-cosine": "cos goes from 1 to -1, which would be a negative rate: "
    "(1 + cos) / 2 goes from 1 to 0.",
    "above-peak": "The rate at step warmup is peak + final: scale the cosine by "
    "peak - final.",
    "no-final": "final is ignored: that is where the last step ends, not at 0.",
    "straight": "That falls in a straight line; a cosine falls slowly at first, then "
    "fast, then slowly.",
    "degrees": "math.cos takes radians: half a turn is math.pi, not 180.",
    "factor": "That is the share of peak. Return the rate itself.",
    "no-warmup": "The warm-up is missing.",
    "flat-warmup": "In the warm-up the rate is at its peak already: it should climb.",
}


@task(
    "06.5",
    title="Warm up, then cosine",
    points=2,
    hints=(
        "Two cases: step < warmup, and the rest. Write down by hand what the first and "
        "the last step of each case must give.",
        "Warm-up: peak * (step + 1) / (warmup + 1). For the rest, let done go from 0 at "
        "step warmup to 1 at step total - 1; (1 + math.cos(math.pi * done)) / 2 then "
        "goes from 1 to 0.",
        "done = (step - warmup) / (total - 1 - warmup); return final + (peak - final) * "
        "(1 + math.cos(math.pi * done)) / 2",
    ),
)
def lr_at(answer, c):
    shown = ((13, 4, 1.0, None), (10, 0, 0.4, 0.01), (9, 3, 3e-3, 1e-4))
    hidden = ((7, 1, 2.0, None), (30, 10, 0.06, 0.02), (6, 4, 1e-4, 1e-6))
    for total, warmup, peak, final in c.cases(shown, hidden=hidden):
        numbers = total, warmup, peak
        last = {} if final is None else {"final": final}
        given = f"total = {total}, warmup = {warmup}, peak = {peak:g}"
        given += "".join(f", final = {value:g}" for value in last.values())
        got = c.call(
            lambda n=numbers, last=last: [
                plain(answer(step, *n, **last)) for step in range(n[0])
            ],
            given=given,
        )
        for value in got:
            c.type(value, (int, float), "the rate")
        _check_schedule(c, got, *numbers, final or 0.0, given)


def _check_schedule(c, got, total, warmup, peak, final, given):
    right = _curve(total, warmup, peak, final)
    shown = {"given": f"{given}; steps 0 to {total - 1}", "expected": _spoken(right),
             "got": _spoken(got)}  # fmt: skip

    def near(a: list[float], b: list[float]) -> bool:
        return all(abs(x - y) <= 1e-5 * peak for x, y in zip(a, b, strict=True))

    for key, wrong in _other_schedules(total, warmup, peak, final):
        c.that(near(wrong, right) or not near(got, wrong), "the schedule", key=key,
               hint=_SCHEDULE[key], **shown)  # fmt: skip
    c.that(near(got[:warmup], right[:warmup]), "the warm-up", key="warmup",
           hint="Steps 0 to warmup - 1 climb in equal strides; step 0 is one stride "
           "high, step warmup at peak.", **shown)  # fmt: skip
    for key, wrong in _other_schedules(total, warmup, peak, final):
        tails = wrong[warmup:], right[warmup:]
        c.that(near(*tails) or not near(got[warmup:], wrong[warmup:]), "the cosine",
               key=key, hint=_SCHEDULE[key], **shown)  # fmt: skip
    c.that(near(got, right), "the cosine", key="cosine", hint="From peak at step warmup "
           "to final at step total - 1, along half a cosine.", **shown)  # fmt: skip


def _curve(
    total: int,
    warmup: int,
    peak: float,
    final: float,
    *,
    climb: Callable[[int], float] | None = None,
    done: Callable[[int], float] | None = None,
    shape: Callable[[float], float] | None = None,
) -> list[float]:
    """All rates of a schedule, with one of its parts replaced."""
    climb = climb or (lambda step: peak * (step + 1) / (warmup + 1))
    done = done or (lambda step: (step - warmup) / (total - 1 - warmup))
    shape = shape or (
        lambda t: final + (peak - final) * (1 + math.cos(math.pi * t)) / 2
    )
    return [climb(s) if s < warmup else shape(done(s)) for s in range(total)]


def _other_schedules(total, warmup, peak, final) -> Iterator[tuple[str, list[float]]]:
    """(key, all rates) of the usual mistakes."""

    def curve(**parts) -> list[float]:
        return _curve(total, warmup, peak, final, **parts)

    def half(t: float) -> float:
        return (1 + math.cos(math.pi * t)) / 2

    fall, up, ends = peak - final, max(warmup, 1), total - 1
    yield "from-zero", curve(climb=lambda s: peak * s / up)
    yield "from-zero", curve(climb=lambda s: peak * s / (warmup + 1))
    yield "peak-early", curve(climb=lambda s: peak * (s + 1) / up)
    yield "flat-warmup", curve(climb=lambda s: peak)
    yield "no-warmup", _curve(total, 0, peak, final)
    yield "over-total", curve(done=lambda s: s / ends)
    yield "over-total", curve(done=lambda s: s / total)
    yield "over-total", curve(done=lambda s: (s - warmup) / ends)
    yield "over-total", curve(done=lambda s: (s - warmup) / total)
    yield "end-late", curve(done=lambda s: (s - warmup) / (total - warmup))
    yield "end-late", curve(done=lambda s: (s - warmup + 1) / (total - warmup))
    waves = (
        ("full-wave", lambda t: final + fall * half(2 * t)),
        ("quarter-wave", lambda t: final + fall * math.cos(math.pi * t / 2)),
        ("rising", lambda t: final + fall * (1 - math.cos(math.pi * t)) / 2),
        ("no-half", lambda t: final + fall * 2 * half(t)),
        ("bare-cosine", lambda t: final + fall * math.cos(math.pi * t)),
        ("above-peak", lambda t: final + peak * half(t)),
        ("no-final", lambda t: peak * half(t)),
        ("straight", lambda t: final + fall * (1 - t)),
        ("degrees", lambda t: final + fall * (1 + math.cos(180 * t)) / 2),
    )
    for key, shape in waves:
        yield key, curve(shape=shape)
    yield "factor", [rate / peak for rate in curve()]


# --- 06.6 ---------------------------------------------------------------------------


@task(
    "06.6",
    title="What one step at 0.1 does",
    points=1,
    hints=(
        "Adam divides a gradient by a running mean of its size. What is left of its size "
        "in the very first step?",
        "In the first step the quotient is +1 or -1 for every weight, however small its "
        "gradient is. Adam multiplies that by the rate.",
        "So each weight moves by about the rate. Compare 0.1 with the size of a weight, "
        "which the cell above prints.",
    ),
)
def one_step_at_a_tenth(answer, c, measured=None):
    """`measured`: for each rate, a weight's first move and the accuracy that follows."""
    if measured is not None:
        _check_measured(c, measured)
    move, high, low = "", "", ""
    if measured is not None:
        move = f" Measured: {measured[0.1]['move']:.3f} for the median weight."
        high = f"{measured[0.1]['accuracy']:.0%}"
        low = f"{measured[0.001]['accuracy']:.0%}"
    after = f" Measured: {high} right, against {low} at 0.001." if high else ""
    c.choice(
        answer,
        "d",
        {
            "a": "A rate is no share of the weight: it knows nothing of the weight's "
            "size." + move,
            "b": "Gradients do reach the backbone, and Adam makes small ones as large "
            "as all others: it divides each by its own size." + move,
            "c": "The statistics follow what the layers give; but it is the weights that "
            "an optimiser moves, and by how much?" + move,
            "e": "The strides are larger than the weights: after them little is left of "
            "the pretrained net, and 20 steps train no new one." + after,
        },
    )


def _check_measured(c, measured):
    holds = type(measured) is dict and all(
        type(measured.get(rate)) is dict
        and all(type(measured[rate].get(k)) is float for k in ("move", "accuracy"))
        for rate in (0.1, 0.001)
    )
    holds = holds and measured[0.1]["move"] > 0.05 > measured[0.001]["move"]
    holds = holds and measured[0.1]["accuracy"] < measured[0.001]["accuracy"]
    c.that(holds, "the measurement", key="measurement", got=str(measured)[:200],
           hint="`measured` is not what the cells above measure: run them as they were "
           "handed out, after your answer.")  # fmt: skip
