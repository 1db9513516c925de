"""Judging: what the facts of an answer are compared with."""

from courseware.grading.judging import Finding, Task
from courseware.grading.observing import Case, Seen


def _observe(answer, case, seen):
    seen.notes({"twice": answer(case.n), "thrice": 3 * case.n})


def _finding(answer):
    about = {"title": "", "points": 1, "hints": ("", "", ""), "mistakes": {}}
    task = Task(solution=lambda n: 2 * n, observe=_observe, **about)
    case, seen = Case("n = 2", n=2), Seen()
    _observe(answer, case, seen)
    return Finding(task, case, seen.facts, {})


def test_several_facts_are_noted_in_their_order():
    facts = _finding(lambda n: 2 * n).facts
    assert [(fact.name, fact.value) for fact in facts] == [("twice", 4), ("thrice", 6)]


def test_solutions_that_are_made_on_the_spot_are_told_apart():
    # One that is thrown away may leave its id to the next.
    found = _finding(lambda n: 9 + n)
    assert [found.shows_the_same(lambda n, k=k: k + n) for k in range(7, 12)] == [
        False,
        False,
        True,
        False,
        False,
    ]
