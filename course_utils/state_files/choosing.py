"""Take the state that fits a model out of what a file holds, whoever wrapped it."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils.errors import CheckpointError
from course_utils.state_files.reading import read_file

State = dict[str, Tensor]
# DenseNet's layers as torch named them before 0.4; the released files still do.
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")
_AVERAGED = re.compile(r"(^|[._ ])(ema|swa|averaged?)([._]|$)")
_DEPTH = 3  # of dictionaries in dictionaries


def read_state_dict(path: Path) -> State:
    """Read a file of weights as plain tensors; half precision becomes float32.

    Of several states in one file it gives the largest. Raises `CheckpointError`.

    >>> import torch
    >>> from course_utils.state_files import read_state_dict
    >>> half = torch.nn.Linear(8, 5).half()
    >>> torch.save({"epoch": 3, "model": half.state_dict()}, "mine.pth")
    >>> {name: value.dtype for name, value in read_state_dict("mine.pth").items()}
    {'weight': torch.float32, 'bias': torch.float32}
    """
    states = states_in(read_file(Path(path)), source=Path(path).name)
    return max(states.values(), key=len)


def states_in(content: object, *, source: str) -> dict[str, State]:
    """Find each dictionary of tensors in what a file holds, by its keys: "a.b", or "".

    The outermost come first. Half precision becomes float32; the versions of modules
    (`_metadata`) are kept. Raises `CheckpointError` where there is none.

    >>> from torch import nn
    >>> from course_utils.state_files import states_in
    >>> state = nn.Linear(8, 5).state_dict()
    >>> content = {"epoch": 3, "model": state, "ema": {"model": state}}
    >>> list(states_in(content, source="mine.pth"))
    ['model', 'ema.model']
    """
    found = {where: _plain(state) for where, state in _nested(content, "", 0)}
    if not found:
        raise CheckpointError(
            f"{source} holds a {type(content).__name__} that is not a "
            "state_dict: save it by torch.save(model.state_dict(), path)."
        )
    return dict(sorted(found.items(), key=lambda item: _depth(item[0])))


def _nested(content: object, where: str, depth: int) -> Iterator[tuple[str, Mapping]]:
    if not isinstance(content, Mapping):
        return
    if any(isinstance(k, str) and torch.is_tensor(v) for k, v in content.items()):
        yield where, content
    if depth < _DEPTH:
        for key, value in content.items():
            yield from _nested(value, f"{where}.{key}".lstrip("."), depth + 1)


def _depth(where: str) -> int:
    return where.count(".") + bool(where)


def _plain(state: Mapping) -> State:
    plain = OrderedDict(
        (name, tensor.float() if tensor.is_floating_point() else tensor)
        for name, tensor in state.items()
        if isinstance(name, str) and torch.is_tensor(tensor)
    )
    return _with_versions(plain, getattr(state, "_metadata", None))


def _with_versions(state: State, versions: Mapping | None) -> State:
    if versions is not None:
        state._metadata = versions  # as torch's own state_dict keeps them
    return state


class _Choice(NamedTuple):
    hits: int  # names that are the model's own once the prefix is off
    where: str
    prefix: str

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.where, self.prefix)))


def pick_state(
    model: nn.Module, content: object, *, source: str
) -> tuple[State, list[str]]:
    """Take out of a file's content the state that fits a model, under the model's names.

    Nestings ("state_dict", "model", …) and prefixes that wrappers write ("module.",
    "_orig_mod.", "model.", …) are found by comparing with the model's own names. Returns
    the state, and words on what was done. Of a state and its running average
    ("state_dict_ema") the average is taken, as timm does.

    Raises `CheckpointError` where several fit and nothing tells which is meant.

    >>> from torch import nn
    >>> from course_utils.state_files import pick_state
    >>> content = {"state_dict": nn.DataParallel(nn.Linear(8, 5)).state_dict()}
    >>> state, words = pick_state(nn.Linear(8, 5), content, source="mine.pth")
    >>> list(state), words
    (['weight', 'bias'], ["its 'state_dict'", "prefix 'module.' taken off"])
    """
    own = model.state_dict().keys()
    states = {
        where: _renamed(state, own)
        for where, state in states_in(content, source=source).items()
    }
    choices = [
        c for where, state in states.items() for c in _choices(where, state, own)
    ]
    if 2 * max(choice.hits for choice in choices) < len(own):
        return max(states.values(), key=len), []  # another net: load_state says so
    best, others = _best(choices, source)
    words = [f"its {best.where!r}"] * bool(best.where)
    if others:
        words.append(f"not its {' or '.join(repr(other.label) for other in others)}")
    state = states[best.where]
    if best.prefix:
        words.append(f"prefix {best.prefix!r} taken off")
        if left := [key for key in state if not key.startswith(best.prefix)]:
            words.append(f"left out: {', '.join(left[:3])}{', …' * (len(left) > 3)}")
        state = _without(best.prefix, state)
    return state, words


def _renamed(state: State, own: Collection[str]) -> State:
    old = [key for key in state if _OLD_DENSENET.match(key)]
    if not old or any(map(_OLD_DENSENET.match, own)):
        return state
    renamed = OrderedDict((_OLD_DENSENET.sub(r"\1\2", k), v) for k, v in state.items())
    return _with_versions(renamed, getattr(state, "_metadata", None))


def _choices(where: str, state: State, own: Collection[str]) -> list[_Choice]:
    """The prefixes that leave the model's own names, with how many of them."""
    hits: Counter[str] = Counter()
    for key in state:
        parts = key.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in own:
                hits["".join(f"{part}." for part in parts[:i])] += 1
    found = hits.most_common(4) or [("", 0)]
    return [_Choice(count, where, prefix) for prefix, count in found]


def _best(choices: list[_Choice], source: str) -> tuple[_Choice, list[_Choice]]:
    """The choice that fits best, and those that fit as well; it does not guess."""
    most = max(choice.hits for choice in choices)
    rivals = [choice for choice in choices if choice.hits == most]
    outermost = min(_depth(choice.where) for choice in rivals)
    rivals = [choice for choice in rivals if _depth(choice.where) == outermost]
    averaged = [choice for choice in rivals if _AVERAGED.search(choice.label)]
    if len(rivals) > 1 and len(averaged) != 1:
        labels = ", ".join(repr(choice.label) for choice in rivals)
        raise CheckpointError(
            f"{source} holds several sets of weights that fit: {labels}. Save the one you "
            "want by itself, by torch.save(state, path), its names without a prefix."
        )
    best = averaged[0] if averaged else rivals[0]
    return best, [choice for choice in rivals if choice is not best]


def _without(prefix: str, state: State) -> State:
    bare = OrderedDict(
        (key.removeprefix(prefix), tensor)
        for key, tensor in state.items()
        if key.startswith(prefix)
    )
    versions = getattr(state, "_metadata", None)
    if versions is not None:  # by the paths of modules, which have no dot at the end
        versions = OrderedDict(
            (f"{path}.".removeprefix(prefix).removesuffix("."), version)
            for path, version in versions.items()
            if f"{path}.".startswith(prefix)
        )
    return _with_versions(bare, versions)
