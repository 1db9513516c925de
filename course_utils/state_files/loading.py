"""Fill a model with a state as `load_state_dict` itself would, or say what differs."""

from __future__ import annotations

import sys
from typing import NamedTuple

from torch import Tensor, nn

from course_utils.errors import CheckpointError
from course_utils.heads import AUXILIARY, find_heads, replace_head

State = dict[str, Tensor]
_WRAPPERS = {"module.": "DataParallel", "_orig_mod.": "torch.compile"}


class _Differences(NamedTuple):
    missing: list[str]
    unexpected: list[str]
    shapes: list[str]

    def __str__(self) -> str:
        named = zip(
            self, ("keys missing", "keys unexpected", "shapes differ"), strict=True
        )
        parts = [
            f"{len(keys)} {what}, such as {', '.join(keys[:3])}"
            for keys, what in named
            if keys
        ]
        return "; ".join(parts) + ". " if parts else ""


def load_state(
    model: nn.Module, state: State, *, source: str, keep_head: bool = True
) -> list[str]:
    """Fill a fresh model with weights, its head made to fit; return words on what it did.

    The model's own `load_state_dict` is the judge of what is missing or unexpected. A
    state without a head leaves the model without one. Where the head is not to be kept,
    as another will take its place, the state's own need not fit. Auxiliary classifiers
    that the state lacks are taken off.

    Raises `CheckpointError` that names the keys and what to do; the model may then be
    partly filled.

    >>> from course_utils.state_files import load_state
    >>> from course_utils.weights import build_bundled
    >>> model = build_bundled("test_resnet", num_classes=5)
    >>> state = build_bundled("test_resnet", num_classes=0).state_dict()
    >>> load_state(model, state, source="mine.pth")
    ['it holds no head']
    >>> model.fc
    Identity()
    """
    _fit_head(model, state)
    words = _drop_auxiliary(model, state)
    made = _as_timm_would(model, state)
    words += ["converted as timm does"] * (made is not state)
    found = _fill(model, made, source)
    refused = f"{source} does not fit {type(model).__name__}: {found}"
    if not any(found):
        check_numbers(model, source)
        return words
    if not _only_the_head_differs(model, found):
        raise CheckpointError(refused + _advice(found))
    if found.unexpected and keep_head:
        raise CheckpointError(
            f"{refused}Only the head differs: give num_classes=N for a new one, or 0 for "
            "none. To keep the file's, build it (replace_head with the same dropout and "
            "hidden), then fill the model by model.load_state_dict."
        )
    if keep_head:
        replace_head(model, 0)
    check_numbers(model, source)
    return [*words, "its head left out" if found.unexpected else "it holds no head"]


def _fit_head(model: nn.Module, state: State) -> None:
    head = next(iter(find_heads(model)), None)
    weight = state.get(f"{head}.weight")
    if weight is None:
        return
    have = model.state_dict().get(f"{head}.weight")
    headless = have is None and hasattr(model, "reset_classifier")
    if headless or (have is not None and len(weight) != len(have)):
        replace_head(model, len(weight))


def _drop_auxiliary(model: nn.Module, state: State) -> list[str]:
    children = dict(model.named_children())
    names = {name.partition(".")[0] for name in AUXILIARY} & children.keys()
    if not names or any(key.partition(".")[0] in names for key in state):
        return []
    for name in names:
        setattr(model, name, None)
    model.aux_logits = False
    return ["it holds no auxiliary classifiers"]


def _as_timm_would(model: nn.Module, state: State) -> State:
    """What timm makes of files by their authors: its names, positions at its size."""
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    before = _compared(model, state)
    if convert is None or not any(before):
        return state
    try:
        made = convert(dict(state), model)
        after = _compared(model, made)
    except Exception:  # meant for other contents: load_state_dict says what differs
        return state
    return made if sum(map(len, after)) < sum(map(len, before)) else state


def _fill(model: nn.Module, state: State, source: str) -> _Differences:
    """Fill the model as far as that goes; report what torch found to differ."""
    report: list = []
    hook = model.register_load_state_dict_post_hook(
        lambda _, keys: report.append([sorted(keys[0]), sorted(keys[1])])
    )
    shapes = _compared(model, state).shapes
    try:
        model.load_state_dict(state, strict=False)
    except (RuntimeError, ValueError) as error:
        if not report:  # a module refuses such a state as a whole
            raise CheckpointError(
                f"{source} does not fit {type(model).__name__}: {error}"
            ) from error
        shapes = shapes or [str(error).partition("\n")[2].strip()]
    finally:
        hook.remove()
    return _Differences(*report[-1], shapes)


def _only_the_head_differs(model: nn.Module, found: _Differences) -> bool:
    """Whether all of the body was filled, and nothing of the head."""
    heads = tuple(f"{name}." for name in find_heads(model))
    roots = tuple(f"{name.partition('.')[0]}." for name in heads)
    own = {key for key in model.state_dict() if key.startswith(heads)}
    return (
        bool(own)
        and not found.shapes
        and own == set(found.missing)
        and all(key.startswith(roots) for key in found.unexpected)
    )


def check_numbers(model: nn.Module, source: str) -> None:
    """Refuse weights that are no numbers; a buffer may hold infinities, as masks do.

    >>> import torch
    >>> from course_utils.state_files import check_numbers
    >>> layer = torch.nn.Linear(8, 5)
    >>> weight = torch.nn.init.constant_(layer.weight, torch.nan)
    >>> check_numbers(layer, "mine.pth")
    Traceback (most recent call last):
        ...
    course_utils.errors.CheckpointError: mine.pth holds NaN or infinite numbers in 1
    tensors, such as weight: the run that saved it had diverged. Take an earlier file.
    """
    bad = [name for name, p in model.named_parameters() if not p.isfinite().all()]
    bad += [name for name, b in model.named_buffers() if b.isnan().any()]
    if bad:
        raise CheckpointError(
            f"{source} holds NaN or infinite numbers in {len(bad)} tensors, such as "
            f"{', '.join(bad[:3])}: the run that saved it had diverged. Take an earlier "
            "file."
        )


def compare_state(model: nn.Module, state: State) -> str:
    """Say which keys or shapes differ between a model and a state dict; "" if none.

    >>> from torch import nn
    >>> from course_utils.state_files import compare_state
    >>> compare_state(nn.Linear(8, 5), nn.Linear(8, 6).state_dict())
    '2 shapes differ, such as bias (6,) instead of (5,), ...'
    >>> compare_state(nn.Linear(8, 5), nn.Linear(8, 5).state_dict())
    ''
    """
    found = _compared(model, state)
    return f"{found}{_advice(found)}" if any(found) else ""


def _compared(model: nn.Module, state: State) -> _Differences:
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in sorted(own.keys() & state.keys())
        if own[key].shape != state[key].shape
    ]
    return _Differences(missing, unexpected, shapes)


def _advice(found: _Differences) -> str:
    missing, unexpected, _ = found
    for prefix, wrapper in _WRAPPERS.items():
        if len(unexpected) > 3 and all(key.startswith(prefix) for key in unexpected):
            return f'Strip the prefix "{prefix}" that {wrapper} wrote.'
    if 0 < len(missing) + len(unexpected) <= 8:
        return (
            "Few keys differ: build the same head as when it was saved "
            "(replace_head with the same dropout and hidden)."
        )
    return "Check that the architecture is the one that was saved."
