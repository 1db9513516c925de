"""Which entries of a schedule count in an epoch: a part of the table of 05.1."""

from __future__ import annotations

from itertools import takewhile

from courseware.grading.judging import Wrong
from courseware.tasks.t05.judge_1_waking import begun_by, waking

ENTRIES = {
    "last-only": Wrong(
        waking(begun=lambda entries, epoch: sorted(begun_by(entries, epoch))[-1:]),
        "Only the entry that came last learns here. Stages that woke before it go on "
        "learning.",
    ),
    "only-now": Wrong(
        waking(begun=lambda entries, epoch: [e for e in entries if e[0] == epoch]),
        "Only the stages that wake in this very epoch learn here. Those that woke "
        "before go on learning.",
    ),
    "undone": Wrong(
        waking(begun=lambda entries, now: [e for e in [*entries][-1:] if e[0] <= now]),
        "Each entry undoes what the one before it set, so that the last alone counts. "
        "Freeze all first; then an entry only wakes, and freezes nothing.",
    ),
    "late": Wrong(
        waking(begun=lambda entries, epoch: begun_by(entries, epoch - 1)),
        "Everything wakes an epoch late. A stage learns in the epoch of its entry "
        "already: `start <= epoch`.",
    ),
    "early": Wrong(
        waking(begun=lambda entries, epoch: begun_by(entries, epoch + 1)),
        "Everything wakes an epoch early. Epochs count from 1, as in the schedule.",
    ),
    "order": Wrong(
        waking(begun=lambda entries, now: takewhile(lambda e: e[0] <= now, entries)),
        "The entries are not sorted: a later one may stand first. Look at all of them.",
    ),
    "first-name": Wrong(
        waking(
            begun=lambda entries, now: [(e, n[:1]) for e, n in begun_by(entries, now)]
        ),
        "An entry may name several stages, and all of them wake.",
    ),
}
