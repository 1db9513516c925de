"""05.5: what moves in the two parts of a run, and the weights after each."""

from __future__ import annotations

from courseware.grading.observing import Case
from courseware.tasks.t05.figures import undisturbed
from courseware.tasks.t05.nets import is_another
from courseware.tasks.t05.runs import Watched, moved, norms_moved, small, weights_of

_RUNS = (  # probe_epochs, tune_epochs, probe_lr, tune_lr, comes trainable
    (3, 0, 0.5, 0.02, True),
    (2, 2, 0.4, 0.03, True),
    (2, 1, 0.2, 0.05, False),
    (0, 2, 0.5, 0.02, False),
)
_GIVEN = "probe_epochs = {}, tune_epochs = {}, probe_lr = {}, tune_lr = {}"


def cases(seed):
    for *epochs, probe_lr, tune_lr, thawed in _RUNS:
        lrs = [round(lr * (1 + seed / 10), 4) for lr in (probe_lr, tune_lr)]
        came = "all of it trainable" if thawed else "all of it frozen, in eval mode"
        given = f"{_GIVEN.format(*epochs, *lrs)}; the model came with {came}"
        yield Case(given, how=[*epochs, *lrs], thawed=thawed, seed=seed + 6)


@undisturbed()
def observe(lp_ft, case, seen):
    model = small(case.seed).requires_grad_(case.thawed).train(case.thawed)
    loader, begun = Watched(model, case.seed), weights_of(model)
    got = seen.call(lp_ft, model, loader, *case.how)
    states = [begun, *loader.states[1:], weights_of(model)]
    middle, end = states[: case.how[0] + 1][-1], states[-1]
    facts = {
        "no other model comes back": not is_another(got, model),
        "passes over the loader": len(loader.states),
        "what moves in the probe": moved(begun, middle),
        "whose BatchNorm statistics move in the probe": norms_moved(begun, middle),
        "the head after the probe": {k: v for k, v in middle.items() if k[:3] == "fc."},
        "what moves in fine-tuning": moved(middle, end),
        "whose BatchNorm statistics move in fine-tuning": norms_moved(middle, end),
        "the weights in the end": end,
    }
    seen.notes(facts)
