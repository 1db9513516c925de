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

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from courseware.grading.facts import Fact, Tolerance, shown
from courseware.grading.finding import Finding
from courseware.grading.hints import hint_for
from courseware.grading.observing import ANSWER, ERROR, SIDE_EFFECTS, Case, observed
from courseware.grading.verdict import Verdict


@dataclass(frozen=True)
class Wrong:
    """A mistake as a wrong solution: it explains what it would have shown itself.

    Until then it has to be right, as the answer was.
    """

    solution: Callable
    hint: Hint

    def explains(self, it: Finding) -> bool:
        return it.shows_the_same(self.solution) and it.was_right(self.solution)


@dataclass(frozen=True)
class When:
    """A mistake by a test of what was found."""

    test: Callable[[Finding], bool]
    hint: Hint

    def explains(self, it: Finding) -> bool:
        return bool(self.test(it))


def any_of(*solutions: Callable) -> Callable[[Finding], bool]:
    """A test for `When`: one of these wrong solutions shows the same."""
    return lambda it: any(map(it.shows_the_same, solutions))


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
    """The key and the hint of the mistake that explains what failed."""
    *before, it = findings
    table = it.task.mistakes
    if (key := _explaining(table, it, before)) is not None:
        hint = table[key].hint
    else:
        key, hint = it.key, table.get(it.key)
    if hint is None or isinstance(hint, Mistake):
        hint = hint_for(it.key, it.fact, it.difference, it.got)
    return key, hint(it) if callable(hint) else hint


def _explaining(table: Mapping, it: Finding, before: list[Finding]) -> str | None:
    """The first mistake that fits; but a wrong solution should fit what passed too."""
    first = None
    for key, mistake in table.items():
        if not isinstance(mistake, Mistake) or not mistake.explains(it):
            continue
        solves = isinstance(mistake, Wrong)
        if (first is None and not solves) or (solves and _fits_all(mistake, before)):
            return key
        first = first or key
    return first


def _fits_all(mistake: Wrong, findings: list[Finding]) -> bool:
    return all(finding.is_wholly(mistake.solution) for finding in findings)


def _verdict(it: Finding, key: str, hint: str) -> Verdict:
    found = {"property": _property(it), "key": key, "hint": hint}
    if it.case.hidden:
        found["given"] = "an input that is not shown"
    else:
        found["given"] = it.given
        found["expected"] = _expected(it)
    found["got"] = _got(it)
    return Verdict("failed", it.task.title, **found)


_SHORT = 120  # letters; a longer value is shown at the place that differs


def _property(it: Finding) -> str:
    if it.key in ("type", "none") and not it.fact.startswith("type of "):
        return f"type of {it.fact}{it.path and f', at {it.path}'}"
    if it.key in ("shape", "dtype", "length", "keys"):
        return f"{it.key} of {it.fact}{it.path and f', at {it.path}'}"
    return it.fact


def _expected(it: Finding) -> str:
    """What is expected, where that is not the answer itself."""
    tells_the_answer = it.task.kind != "code" and it.key == "value"
    if it.fact == ANSWER and it.task.kind != "code":
        return ""
    if tells_the_answer or _are_large_sets(it):
        return ""
    expected = _side(it, it.difference.expected, it.right)
    return expected if expected != _got(it) else ""  # told alike, they tell nothing


def _side(it: Finding, value: Any, whole: Any) -> str:
    """The expected or the found side of a card; nothing where it is a mere yes or no."""
    bare = type(it.right) is bool and it.key == "value"
    if value is None or bare or it.fact in (ERROR, SIDE_EFFECTS):
        return ""
    inner = it.path or it.key == "length"
    if inner and len(text := shown(whole)) <= _SHORT:
        return text
    return f"{shown(value)}, at {it.path}" if it.path else shown(value)


def _are_large_sets(it: Finding) -> bool:
    both = it.got, it.right
    sets = all(isinstance(value, frozenset) for value in both)
    return sets and max(map(len, both)) > _FEW


_FEW = 5  # names; of larger sets only what sets them apart is told


def _apart_in_names(it: Finding) -> str:
    told = {"missing": it.right - it.got, "too many": it.got - it.right}
    return "; ".join(f"{word}: {shown(found)}" for word, found in told.items() if found)


def _got(it: Finding) -> str:
    if _are_large_sets(it):
        return _apart_in_names(it)
    if it.key == "too-long":
        return "it did not end in time"
    if it.error:
        return it.error[:600]
    if it.fact == SIDE_EFFECTS:
        return f"changed: {', '.join(it.got)}"
    return _side(it, it.difference.got, it.got)
