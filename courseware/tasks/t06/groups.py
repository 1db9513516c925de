"""What an optimiser would find in the parameter groups of an answer, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch import nn

from courseware.grading.facts import describe, number_of
from courseware.grading.observing import Seen
from courseware.grading.sandbox import call_safely
from courseware.grading.values import ModelRecord

NO_DICTS = "groups that are no dict"
FOREIGN = "what stands in the groups beside the model's parameters"
TWICE = "parameters that stand in more than one place"
MISSING = "parameters that are in no group"
_MANY = 10_000  # more parameters than any net of ours has


@dataclass(frozen=True)
class Group:
    """One group of an answer: the names of its parameters, and its options."""

    names: list[str]
    options: dict[str, Any]


def called(seen: Seen, answer: Callable, model: nn.Module, *given: Any) -> list[Group]:
    """Call an answer that makes groups; note what they are, and return them."""
    known = {id(p): name for name, p in model.named_parameters()}
    got = seen.call(answer, model, *given, keeps=ModelRecord.KINDS)
    seen.require("what your function returns", got, list)
    _note_none(seen, NO_DICTS, _kinds(g for g in got if not isinstance(g, dict)))
    _note_none(seen, without("params"), sum("params" not in g for g in got))
    outcome = call_safely(lambda: [_items(group["params"]) for group in got])
    if outcome.error is not None:
        seen.note_error(outcome.error)
        seen.end()
    items = [p for group in outcome.value for p in group]
    _note_none(seen, FOREIGN, _kinds(p for p in items if id(p) not in known))
    names = [[known[id(p)] for p in group] for group in outcome.value]
    return [Group(*pair) for pair in zip(names, map(_options, got), strict=True)]


def without(key: str) -> str:
    """Name the fact that groups lack a key."""
    return f'how many groups lack "{key}"'


def _note_none(seen: Seen, name: str, found: set | int) -> None:
    """Note things that there should be none of; the case ends where there are some."""
    seen.note(name, found)
    if found:
        seen.end()


def _kinds(things: Iterable) -> set[str]:
    return {type(thing).__name__ for thing in things}


def _items(params: Any) -> list:
    """List what an optimiser would; a set, which it refuses, stands for itself."""
    single = nn.Parameter, set, frozenset
    if isinstance(params, single) or not isinstance(params, Iterable):
        return [params]
    # An optimiser takes pairs of named_parameters() as well.
    items = islice(params, _MANY)
    return [p[1] if type(p) is tuple and len(p) == 2 else p for p in items]


def _options(group: dict) -> dict[str, Any]:
    return {k: number_of(describe(v)) for k, v in group.items() if k != "params"}


def note_places(seen: Seen, groups: list[Group], wanted: Iterable[str]) -> None:
    """Note what stands in several places, and what of the wanted names in none."""
    names = [name for group in groups for name in group.names]
    seen.note(TWICE, {name for name in names if names.count(name) > 1})
    seen.note(MISSING, set(wanted) - set(names))


def option(seen: Seen, groups: list[Group], key: str) -> list:
    """Note the groups without a key; return what the groups have there."""
    _note_none(seen, without(key), sum(key not in g.options for g in groups))
    return [group.options[key] for group in groups]
