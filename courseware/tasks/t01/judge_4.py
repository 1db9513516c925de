"""01.4: load what fits, and say what did not."""

from __future__ import annotations

from functools import partial

from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t01.judge_loading import (
    all_or_none,
    by_position,
    layers,
    solution,
    without,
)
from courseware.tasks.t01.observe_4 import CHANGED, ENTRIES, NAMES, SHARED


def _names(it):
    return set(map(str, it.got))


TASK = Task(
    title="Load what fits, and say what did not",
    points=3,
    hints=(
        'Take "module." off the front of each name first (`str.removeprefix`).',
        "Keep those entries whose name is in `model.state_dict()` with the same shape; "
        "load them with `strict=False`.",
        "What was not loaded: the names of `model.state_dict()` that are not among the "
        "entries that you kept, sorted.",
    ),
    solution=solution,
    mistakes={
        "shapes": When(
            lambda it: "size mismatch" in it.error or "must match" in it.error,
            "`strict=False` forgives names that are missing, but no other shapes: load "
            "an entry only where its shape is the model's own.",
        ),
        "strict": Raises(
            "in loading state_dict",
            "`load_state_dict` wants every name and no other: hand over the entries that "
            "fit, with `strict=False`.",
        ),
        "unknown-name": Raises(
            "KeyError",
            "Some entries are unknown to the model, and some of its names have none: look "
            "whether a name is in a dict before you ask for it.",
        ),
        "none": "It is None: is a `return` missing? And `list.sort()` gives None itself: "
        "take `sorted(...)`.",
        "type": "Return a list: `sorted(...)` makes one.",
        "loaded": When(
            lambda it: it.fact == NAMES and _names(it) == it.seen(CHANGED),
            "Return what was NOT loaded.",
        ),
        "all-names": When(
            lambda it: it.fact == NAMES and _names(it) == set(it.seen(ENTRIES)),
            "One entry that does not fit is no reason to report all: the others were "
            "loaded.",
        ),
        "layers": Wrong(
            layers,
            "These are layers. Name the entries, as `model.state_dict()` does: "
            "`fc.weight` and `fc.bias`.",
        ),
        "unknown": When(
            lambda it: it.fact == NAMES and _names(it) - set(it.seen(ENTRIES)),
            "Some of these are no names of the model: an entry that the model has no use "
            "for is not asked for.",
        ),
        "some": When(
            lambda it: it.fact == NAMES and _names(it) < set(it.right),
            "Not all are there. A name of the model, of a buffer too, got nothing if no "
            "entry has it, or if the entry has another shape.",
        ),
        "sorted": When(
            lambda it: it.fact == NAMES and sorted(map(str, it.got)) == it.right,
            "Return the names sorted.",
        ),
        "names": At(
            NAMES, "All names of the model that got no weights, and no others."
        ),
        "not-loaded": When(
            lambda it: it.fact == CHANGED and not it.got and not it.seen(NAMES),
            "The model has nothing of it: `state_dict()` hands out a new dict, and an "
            "entry that is put in there stays there. Load it with `load_state_dict`, "
            "into the model that was given.",
        ),
        "all-or-none": Wrong(
            all_or_none,
            "Some names begin with the prefix and others do not: look at each.",
        ),
        "prefix": Wrong(
            partial(solution, named=str),
            'No name with the prefix matched: take "module." off first.',
        ),
        "by-position": Wrong(
            by_position,
            "The entries were taken in their order. Some are missing here, and from there "
            "on each meets the wrong layer: look them up by their names.",
        ),
        "replaced": Wrong(
            partial(solution, named=lambda name: name.replace("module.", "")),
            '"module." was taken out of the middle of a name too: a layer may be called '
            "that. Take it off the beginning only: `removeprefix`.",
        ),
        "stripped": Wrong(
            partial(solution, named=lambda name: name.lstrip("module.")),  # noqa: B005
            "`lstrip` takes off any of these letters, and so eats more than the prefix. "
            '`removeprefix("module.")` takes it off as a whole.',
        ),
        "cut": Wrong(
            partial(solution, named=lambda name: name[7:]),
            'The front was cut off names that do not begin with "module." too: '
            "`removeprefix` leaves those as they are.",
        ),
        "buffers": When(
            any_of(without("running", "tracked"), without("tracked")),
            "Buffers were left out. BatchNorm's statistics and its count of batches are "
            "buffers: `model.state_dict()` holds them beside the parameters.",
        ),
        "head-skipped": Wrong(
            without("fc."),
            "The head was left out, though it fits here: go by shape, not by name.",
        ),
        "numel": Wrong(
            partial(solution, fits=lambda a, b: a.numel() == b.numel()),
            "As many numbers are not the same shape: compare `.shape`.",
        ),
        "overwritten": When(
            lambda it: it.fact == CHANGED and it.got - it.right,
            "What has no entry, or one of another shape, must be left as it was.",
        ),
        "incomplete": At(
            CHANGED,
            "Load every entry whose name and shape match; take the prefix off each name "
            "that begins with it, and only there.",
        ),
        "shared": At(
            SHARED,
            "These are the tensors of `state` themselves, so that whoever changes `state` "
            "later changes the model. Copy the values: `load_state_dict`, or `copy_`.",
        ),
        "altered": At(ENTRIES, "Load the entries as they are in `state`."),
    },
)
