"""The first fact of an answer that is not the solution's, and what else it showed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from courseware.grading.facts import Difference, Fact, Raised, difference, kind_of
from courseware.grading.hints import key_of_error
from courseware.grading.observing import (
    ANSWER,
    ERROR,
    PATCHED,
    SIDE_EFFECTS,
    Case,
    observed,
)

if TYPE_CHECKING:
    from courseware.grading.judging import Task


class Finding:
    """The first fact of an answer that is not the solution's, to be explained.

    `fact` is its name, `got` and `right` its values as plain data, `key` and `path` say
    what sets them apart, `error` is the text of an error that ended the answer.
    """

    def __init__(self, task: Task, case: Case, got: list[Fact], more: dict):
        self.task, self.case, self.facts, self.more = task, case, got, more
        self._shown: dict[int, tuple[Any, list[Fact]]] = {}  # with it, so its id stays

    @cached_property
    def rights(self) -> list[Fact]:
        """The facts that the solution shows in this case."""
        return self.facts_of(self.task.solution)

    def facts_of(self, solution: Any) -> list[Fact]:
        """The facts that another answer shows in this case."""
        if id(solution) not in self._shown:
            found = observed(self.task.observe, solution, self.case, self.more)
            self._shown[id(solution)] = solution, found
        return self._shown[id(solution)][1]

    @cached_property
    def found(self) -> tuple[int, Difference] | None:
        """Where the facts first differ from the solution's, and how."""
        for i, right in enumerate(self.rights):
            if i >= len(self.facts):
                return i, Difference("missing", right.value, None)
            if (apart := self._apart(self.facts[i], right)) is not None:
                return i, apart
        if len(self.facts) > len(self.rights):
            return len(self.rights), Difference("surplus", None, self.facts[-1].value)
        return None

    def _apart(self, got: Fact, right: Fact) -> Difference | None:
        if got.name != right.name:
            return _apart_at_the_end(got)
        if got.name.startswith("type of "):
            return _apart_in_type(got.value, right.value)
        if (rule := self.task.agree.get(got.name)) is not None:
            agrees = rule(got.value, right.value)
            return None if agrees else Difference("value", right.value, got.value)
        if got.name == SIDE_EFFECTS and got.value != right.value:
            return Difference(_key_of_change(got.value[0]), None, got.value)
        return difference(got.value, right.value, self.task.tolerance)

    @property
    def index(self) -> int:
        return self.found[0]

    @property
    def difference(self) -> Difference:
        return self.found[1]

    @property
    def key(self) -> str:
        return self.difference.key

    @property
    def path(self) -> str:
        return self.difference.path

    @property
    def fact(self) -> str:
        return self._fact.name

    @property
    def got(self) -> Any:
        return self._fact.value

    @property
    def given(self) -> str:
        return self._fact.given

    @property
    def right(self) -> Any:
        beyond = self.index >= len(self.rights)
        return None if beyond else self.rights[self.index].value

    @property
    def error(self) -> str:
        value = self.got
        return f"{value.kind}: {value.text}" if isinstance(value, Raised) else ""

    @property
    def _fact(self) -> Fact:
        if self.index < len(self.facts):
            return self.facts[self.index]
        return dataclasses.replace(self.rights[self.index], value=None)

    def seen(self, name: str) -> Any:
        """Return what the answer showed under a name (the last, if several), or None."""
        return _last(self.facts, name)

    def wanted(self, name: str) -> Any:
        """Return what the solution shows under a name (the last, if several)."""
        return _last(self.rights, name)

    def shows_the_same(self, solution: Any) -> bool:
        """Tell whether another answer shows the same at the fact that fails."""
        facts = self.facts_of(solution)
        if self.index >= len(facts) or self.index >= len(self.facts):
            return False
        return self._apart(self.facts[self.index], facts[self.index]) is None

    def was_right(self, solution: Any) -> bool:
        """Tell whether another answer is right in all that comes before what fails."""
        facts = zip(self.facts_of(solution), self.rights[: self.index], strict=False)
        return all(self._apart(got, right) is None for got, right in facts)

    def is_wholly(self, solution: Any) -> bool:
        """Tell whether another answer is right, or wrong, just as this one is."""
        if self.found is None:
            return (
                Finding(self.task, self.case, self.facts_of(solution), self.more).found
                is None
            )
        return self.shows_the_same(solution)


def _last(facts: Iterable[Fact], name: str) -> Any:
    return next((f.value for f in reversed(list(facts)) if f.name == name), None)


def _apart_at_the_end(got: Fact) -> Difference:
    """What ended a case before the fact that was due."""
    if got.name == ERROR:
        return Difference(key_of_error(got.value), None, None)
    if got.name == PATCHED:
        return Difference("patched", None, got.value)
    if got.name == ANSWER:
        return Difference("not-callable", "a function", kind_of(got.value))
    return Difference("other", None, got.value)


def _apart_in_type(got: Any, right: Any) -> Difference | None:
    if got == right:
        return None
    found = "None" if got is None else kind_of(got)
    return Difference("none" if got is None else "type", right, found)


def _key_of_change(change: str) -> str:
    return "mutated" if change.startswith("argument") else f"changed-{change}"
