"""09.5: a share, and the one that the cells measure."""

from __future__ import annotations

from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]


def observe(share_without_t2, case, seen, measured=None):
    """`measured`: the share whose gradient has the same direction, found by trying."""
    seen.note("the measurement", measured)
    seen.note("the share", share_without_t2)
