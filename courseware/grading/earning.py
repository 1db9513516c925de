"""What a pass is worth in the learner's own progress, after wrong tries.

A wrong try of a code or value task costs a tenth of its points, down to half of them. A
choice could be clicked through, so there a wrong try costs the points' share of
1 / (options - 1): whoever took the right one last gets nothing. The score that `check`
returns, and nbgrader reads, knows nothing of it.
"""

from __future__ import annotations

_TRY, _LEAST = 0.1, 0.5  # shares of the points


def earned(
    points: float, wrong: int, *, kind: str = "code", options: int | None = None
) -> float:
    """Return what is left of a task's points after `wrong` wrong tries.

    `kind` is "code", "value" or "choice"; a choice has `options`, else `ValueError`.

    >>> from courseware.grading.earning import earned
    >>> [earned(2, wrong) for wrong in (0, 1, 4, 5, 20)]
    [2.0, 1.8, 1.2, 1.0, 1.0]
    >>> [earned(1, wrong, kind="choice", options=3) for wrong in (0, 1, 2, 3)]
    [1.0, 0.5, 0.0, 0.0]
    """
    if kind != "choice":
        share = max(_LEAST, 1 - _TRY * wrong)
    elif options is None or options < 2:
        raise ValueError(f"a choice has at least 2 options, not {options}")
    else:
        share = max(0.0, 1 - wrong / (options - 1))
    return round(points * share, 2)
