"""What is made of an observation: the half of a task that knows the right answer.

A task's `judge_N.py` holds one `TASK`: its solution, and a table of mistakes.

    TASK = Task(
        title="Count to n",
        points=1,
        hints=("mild", "stronger", "nearly the answer"),
        solution=lambda n: list(range(1, n + 1)),
        mistakes={
            "off-by-one": Wrong(lambda n: list(range(1, n)), "range(n) stops before n."),
            "text": When(lambda it: "1" in str(it.got), "Numbers, not their names."),
            "length": "One number for each step.",
        },
    )

The solution is observed on the same cases as the answer. The first fact that differs is
the property that fails; the first mistake of the table that explains it gives the key and
the hint. A wrong solution explains it when it shows the same there, and among several one
that shows the same in every case comes first. The keys of the engine ("none", "type",
"shape", "dtype", "length", "keys", "value", "error", "mutated", "changed-mode", …) need a
mere hint, and have one of their own where the table says nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from courseware.grading.facts import (
    Difference,
    Fact,
    Raised,
    Thing,
    Tolerance,
    difference,
    kind_of,
    shown,
)
from courseware.grading.hints import hint_for, key_of_error
from courseware.grading.observing import (
    ANSWER,
    ERROR,
    SIDE_EFFECTS,
    Case,
    Unwritten,
    observed,
)
from courseware.grading.score import Verdict


@dataclass(frozen=True)
class Wrong:
    """A mistake as a wrong solution: it explains what it would have shown itself."""

    solution: Callable
    hint: Hint

    def explains(self, it: Finding) -> bool:
        return it.shows_the_same(self.solution)


@dataclass(frozen=True)
class When:
    """A mistake by a test of what was found."""

    test: Callable[[Finding], bool]
    hint: Hint

    def explains(self, it: Finding) -> bool:
        return bool(self.test(it))


@dataclass(frozen=True)
class At:
    """A mistake by the fact at which it shows, whatever the difference."""

    fact: str
    hint: Hint

    def explains(self, it: Finding) -> bool:
        return it.fact == self.fact


@dataclass(frozen=True)
class Raises:
    """A mistake by the error that it raises: a part of its type and text."""

    text: str
    hint: Hint

    def explains(self, it: Finding) -> bool:
        return self.text in it.error


Hint = str | Callable[["Finding"], str]
Mistake = Wrong | When | At | Raises


@dataclass(frozen=True)
class Task:
    """One graded task: what it is called, what it is worth, and how it is judged.

    `agree` holds, by a fact's name, a rule `(got, right) -> bool` in place of equality
    within the tolerance.
    """

    title: str
    points: float
    hints: tuple[str, ...]
    solution: Any
    mistakes: Mapping[str, Mistake | Hint]
    tolerance: Tolerance = Tolerance()
    agree: Mapping[str, Callable[[Any, Any], bool]] = field(default_factory=dict)
    kind: str = "code"  # or "value", "choice"
    options: int | None = None  # how many answers a choice has
    id: str = ""
    observe: Callable = observed
    cases: Callable = lambda seed: ()


class Finding:
    """The first fact of an answer that is not the solution's, to be explained.

    `fact` is its name, `got` and `right` its values as plain data, `key` and `path` say
    what sets them apart, `error` is the text of an error that ended the answer.
    """

    def __init__(self, task: Task, case: Case, got: list[Fact], more: dict):
        self.task, self.case, self.facts, self.more = task, case, got, more
        self._shown: dict[int, tuple[Any, list[Fact]]] = {}

    @cached_property
    def rights(self) -> list[Fact]:
        """The facts that the solution shows in this case."""
        return self.facts_of(self.task.solution)

    def facts_of(self, solution: Any) -> list[Fact]:
        """The facts that another answer shows in this case."""
        if id(solution) not in self._shown:
            found = observed(self.task.observe, solution, self.case, self.more)
            # The solution is kept too, lest another one get its id.
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
            return Difference(_key_of_end(got), right.value, got.value)
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


def _key_of_end(got: Fact) -> str:
    """The key of a case that ended before the fact that was due."""
    if got.name == ERROR:
        return key_of_error(got.value)
    return "not-callable" if got.name == ANSWER else "other"


def _apart_in_type(got: Any, right: Any) -> Difference | None:
    if got == right:
        return None
    found = "None" if got is None else kind_of(got)
    return Difference("none" if got is None else "type", right, found)


def _key_of_change(change: str) -> str:
    return "mutated" if change.startswith("argument") else f"changed-{change}"


def judge(
    task: Task, cases: Sequence[Case], facts: Iterable[list[Fact]], more: dict
) -> Verdict:
    """Judge what was observed, case by case; the first that fails ends it."""
    findings = []
    for case, got in zip(cases, facts, strict=True):
        findings.append(Finding(task, case, got, more))
        if findings[-1].found is not None:
            break
    else:
        return Verdict("passed", task.title)
    key, hint = _explanation(findings)
    return _verdict(findings[-1], key, hint)


def _explanation(findings: list[Finding]) -> tuple[str, str]:
    """The key and the hint of the first mistake that explains what failed."""
    *before, it = findings
    table = it.task.mistakes
    fits = {
        key: mistake
        for key, mistake in table.items()
        if isinstance(mistake, Mistake) and mistake.explains(it)
    }
    key = _most_consistent(fits, before) or it.key
    entry = table.get(key)
    hint = entry.hint if isinstance(entry, Mistake) and key in fits else entry
    if isinstance(hint, Mistake) or hint is None:
        hint = hint_for(it.key, it.fact, it.difference, it.got)
    return key, hint(it) if callable(hint) else hint


def _most_consistent(fits: dict[str, Mistake], before: list[Finding]) -> str | None:
    """The first, unless a later wrong solution alone fits the cases that passed too."""
    if not fits:
        return None
    first = next(iter(fits))
    if isinstance(fits[first], Wrong) and len(fits) > 1:
        for key, mistake in fits.items():
            if isinstance(mistake, Wrong) and _fits_all(mistake, before):
                return key
    return first


def _fits_all(mistake: Wrong, findings: list[Finding]) -> bool:
    return all(finding.is_wholly(mistake.solution) for finding in findings)


def _verdict(it: Finding, key: str, hint: str) -> Verdict:
    found = {"property": _property(it), "key": key, "hint": hint}
    if it.case.hidden:
        found["given"] = "an input that is not shown"
    else:
        found["given"] = it.given
        found["expected"] = _side(it, it.difference.expected, it.right)
    found["got"] = _got(it)
    if found.get("expected") == found["got"]:  # judged by a rule: it is no example
        del found["expected"]
    return Verdict("failed", it.task.title, **found)


_SHORT = 120  # letters; a longer value is shown at the place that differs


def _property(it: Finding) -> str:
    if it.key in ("type", "none") and not it.fact.startswith("type of "):
        return f"type of {it.fact}{it.path and f', at {it.path}'}"
    if it.key in ("shape", "dtype", "length", "keys"):
        return f"{it.key} of {it.fact}{it.path and f', at {it.path}'}"
    return it.fact


def _side(it: Finding, value: Any, whole: Any) -> str:
    """The expected or the found side of a card; nothing where it is a mere yes or no."""
    bare = type(it.right) is bool and it.key == "value"
    if value is None or bare or it.fact in (ERROR, SIDE_EFFECTS):
        return ""
    if it.path and len(text := shown(whole)) <= _SHORT:
        return text
    return f"{shown(value)}, at {it.path}" if it.path else shown(value)


def _got(it: Finding) -> str:
    if it.error:
        return it.error[:600]
    if it.fact == SIDE_EFFECTS:
        return f"changed: {', '.join(it.got)}"
    if isinstance(it.got, Thing) and it.key == "not-callable":
        return it.got.kind
    return _side(it, it.difference.got, it.got)


__all__ = [
    "At",
    "Finding",
    "Raises",
    "Task",
    "Unwritten",
    "When",
    "Wrong",
    "judge",
]
