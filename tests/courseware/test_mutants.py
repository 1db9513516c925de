"""Mechanical mutants of every solution: the checks notice each that means another thing."""

import pytest

from courseware.grading import sandbox
from tests.answers import banks
from tests.mutants import mutants


@pytest.mark.parametrize(
    ("task", "source"), list(banks.solutions().items()), ids=lambda v: v[:4]
)
def test_mutants_of_the_solution_fail(task, source, monkeypatch):
    monkeypatch.setattr(sandbox, "TIME_LIMIT", 2.0)
    passing = [
        m
        for m in mutants(source)
        if banks.examined(task, banks.made(m)).status == "passed"
    ]
    survivors = [m for m in passing if not banks.is_equivalent(task, m)]
    assert not survivors, "\n\n".join(survivors)
    same = banks.EQUIVALENT.get(task, ())
    stale = [s for s in same if not any(s in banks.lines_of(m) for m in passing)]
    assert not stale, "listed as equivalent, but no mutant that passes has this line"
