"""What a check found, and what the try means to the learner."""

from __future__ import annotations

from dataclasses import dataclass, field

NO_TRY = ("unwritten", "unjudged")  # neither recorded, nor unfolding hints


@dataclass(frozen=True)
class Verdict:
    """What a check found: passed, the property that failed, or why nothing was judged.

    `status` is "passed", "failed", "unwritten" (nothing to judge yet) or "unjudged" (the
    machine was too busy, or the function waited; `property` says why). The last of a
    task's hints, which gives its answer away, stands in `last_hint`.
    """

    status: str
    title: str
    property: str = ""
    key: str = ""
    given: str = ""
    expected: str = ""
    got: str = ""
    hint: str = ""
    more_hints: tuple[str, ...] = field(default=())
    last_hint: str = ""


@dataclass(frozen=True)
class Standing:
    """What a try means in the learner's own progress; nbgrader is told nothing of it.

    `earned` are the points that are kept or, before the pass, those that a pass would
    give now. `repeats` says what has failed here before, just as it is: "" for nothing,
    "your last try" or "an earlier try".
    """

    task: str
    passed: bool = False
    wrong: int = 0
    earned: float = 0.0
    repeats: str = ""
    is_code: bool = False
