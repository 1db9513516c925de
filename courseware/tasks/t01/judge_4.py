"""01.4: load what fits, and say what did not."""

from __future__ import annotations

from functools import partial

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t01.observe_4 import CHANGED, ENTRIES, NAMES


def bare(name):
    return name.removeprefix("module.")


def solution(model, state, named=bare, fits=lambda a, b: a.shape == b.shape):
    own = model.state_dict()
    entries = {named(name): tensor for name, tensor in state.items()}
    known = {name: tensor for name, tensor in entries.items() if name in own}
    loaded = {k: v.view_as(own[k]) for k, v in known.items() if fits(v, own[k])}
    model.load_state_dict(loaded, strict=False)
    return sorted(own.keys() - loaded)


def _all_or_none(model, state):
    wrapped = all(name.startswith("module.") for name in state)
    return solution(model, state, named=bare if wrapped else str)


def without(*parts):
    """A wrong solution: entries with such a part in their name are left out."""
    return lambda model, state: solution(
        model, {k: v for k, v in state.items() if not any(p in k for p in parts)}
    )


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
        "unknown": When(
            lambda it: it.fact == NAMES and _names(it) - set(it.seen(ENTRIES)),
            "Some of these are no names of the model: an entry that the model has no use "
            "for is not asked for.",
        ),
        "some": When(
            lambda it: it.fact == NAMES and _names(it) < set(it.right),
            "Not all are there. A name of the model got nothing if no entry has it, and "
            "if the entry's shape is another.",
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
            _all_or_none,
            "Some names begin with the prefix and others do not: look at each.",
        ),
        "prefix": Wrong(
            partial(solution, named=str),
            'No name with the prefix matched: take "module." off first.',
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
            'Seven letters were cut off names that do not begin with "module." too.',
        ),
        "buffers": Wrong(
            without("running", "tracked"),
            "Only the parameters were loaded. BatchNorm's statistics are buffers: "
            "`model.state_dict()` holds both.",
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
        "altered": At(ENTRIES, "Load the entries as they are in `state`."),
    },
)
