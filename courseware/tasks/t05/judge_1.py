"""05.1: which stages learn in this epoch?"""

from __future__ import annotations

from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t05.judge_1_entries import ENTRIES
from courseware.tasks.t05.judge_1_waking import waking

solution = waking()
_LEARNS = "what learns"
_TOP_NAMES = any_of(
    waking(lambda learns, name, p, stages: name.split(".")[0] in stages),
    waking(lambda _, name, p, stages: {name.split(".")[0]} <= {*stages, name}),
)


def _nothing(it):
    """No stage learns in any call of a case in which some should."""
    found = [fact.value for fact in it.facts if fact.name == _LEARNS]
    return len(found) > 1 and not any(found) and not it.given.endswith("eval mode")


TASK = Task(
    title="Which stages learn in this epoch?",
    points=2,
    hints=(
        "The epoch alone decides: a stage learns if the epoch in which it wakes has come "
        "or is past. Do not rely on what was set before.",
        "Freeze everything first. Then wake the stages of each entry of the schedule "
        "whose epoch is at most the one asked for.",
        "`model.requires_grad_(False)`; then `for start, names in schedule.items():`, "
        "`if start <= epoch:`, `for name in names:` "
        "`model.get_submodule(name).requires_grad_(True)`",
    ),
    solution=solution,
    mistakes={
        "copy": At(
            "no other model comes back",
            "Set `requires_grad` in the model that was given, not in a copy.",
        ),
        "made-up": At(
            "attributes that were made up",
            "This made a new attribute, which nothing reads: a layer has the method "
            "`requires_grad_(…)` only, and a parameter's attribute is `requires_grad`.",
        ),
        "no-entry": Raises(
            "KeyError",
            "Not every epoch has an entry: go through all of `schedule.items()`.",
        ),
        "before-the-first": Raises(
            "max()",
            "Before the first entry nothing learns: there is no entry to take the `max` "
            "of, and all is to be frozen.",
        ),
        "dotted": When(
            lambda it: "'blocks" in it.error or _TOP_NAMES(it),
            "A stage's name may have dots, as in `named_modules()`, and so be a part of a "
            "larger one, which `named_children()` does not give. Go through the schedule: "
            "`model.get_submodule(name)` finds each.",
        ),
        "list-in-list": When(
            lambda it: "'list'" in it.error or "not list" in it.error or _nothing(it),
            "An entry has a *list* of names, and one of them is asked for at a time. "
            "`append(names)` puts the list into yours as it is: take `extend(names)`, or "
            "a loop over `names`. (As it is, nothing learns.)",
        ),
        "head-always": Wrong(
            waking(lambda learns, name, *_: learns or name.startswith("fc.")),
            "`fc` learns, whatever the schedule says: before the first entry nothing does. "
            "Take the names from the schedule alone.",
        ),
        "hard-coded": Wrong(
            waking(
                lambda learns, name, *_: learns and name.startswith(("fc.", "layer"))
            ),
            "Stages of this schedule stay asleep: are their names hard-coded? Take them "
            "from the schedule.",
        ),
        **ENTRIES,
        "all": Wrong(
            waking(lambda *_: True),
            "Everything learns, though not all of it has woken. Freeze what has not, in "
            "any epoch: this may be the first call for this model.",
        ),
        "own-only": Wrong(
            waking(lambda learns, name, p, stages: name.rpartition(".")[0] in stages),
            "Of what has woken, `fc` alone learns. Is it hard-coded, or is what stands "
            "deeper in a stage asleep? `model.get_submodule(name)` for each name of the "
            "schedule; `parameters()` reaches all layers inside, `recurse=False` none.",
        ),
        "weights-only": Wrong(
            waking(lambda learns, name, p, stages: learns and p.ndim > 1),
            "Biases, and the weights of BatchNorm, learn with their stage too.",
        ),
        "asleep": Wrong(
            waking(lambda learns, name, p, stages: learns and p.requires_grad),
            "A stage that should learn is frozen. The model may come with all of it "
            "frozen: set `requires_grad = True` for each parameter of the stages that "
            "learn.",
        ),
        "loose": Wrong(
            waking(lambda learns, name, p, stages: learns or "." not in name),
            "A parameter that belongs to no stage still learns. Freeze all of "
            "`model.parameters()` first.",
        ),
        "prefix": Wrong(
            waking(lambda learns, name, p, stages: name.startswith(tuple(stages))),
            "stage10 begins with stage1 and is another stage. Compare whole names, or ask "
            "`model.get_submodule(name)`.",
        ),
        "inverted": Wrong(
            waking(lambda learns, name, p, stages: not learns),
            "What should sleep learns, and what should learn sleeps.",
        ),
        "back": Wrong(
            lambda model, schedule, epoch: (
                solution(model, schedule, epoch) if epoch >= min(schedule) else None
            ),
            "Something of an earlier call stayed. A run can be resumed in any epoch: work "
            "out the state from the epoch alone, and freeze what does not learn.",
        ),
        "not-frozen": When(
            lambda it: it.fact == _LEARNS and it.got > it.right,
            "A stage learns whose epoch has not come, or that no entry names. Waking is "
            "half of it: freeze all others.",
        ),
        "mutated": "The schedule is not as it was, and later epochs need it: read it, "
        "without `pop`.",
        "changed-mode": "Here `requires_grad` alone is asked for: leave `train()` and "
        "`eval()` out. (The course's own tools put frozen BatchNorm into eval mode.)",
        "value": "What has woken by this epoch learns, all of it, and nothing else does: "
        "freeze all of `model.parameters()`, then wake stage by stage.",
    },
)
