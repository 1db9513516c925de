"""05.1: which stages learn in this epoch?"""

from __future__ import annotations

from itertools import takewhile

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t05.judge_1_waking import begun_by, waking

solution = waking()
_top_names = waking(lambda learns, name, p, stages: name.split(".")[0] in stages)
_LEARNS = "what learns"

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
            lambda it: "'blocks" in it.error or it.shows_the_same(_top_names),
            "A stage's name may have dots, as in `named_modules()`, and so be a part of a "
            "larger one. `model.get_submodule(name)` finds it.",
        ),
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
            waking(
                begun=lambda entries, now: [e for e in [*entries][-1:] if e[0] <= now]
            ),
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
            waking(
                begun=lambda entries, now: takewhile(lambda e: e[0] <= now, entries)
            ),
            "The entries are not sorted: a later one may stand first. Look at all of them.",
        ),
        "first-name": Wrong(
            waking(
                begun=lambda entries, now: [
                    (e, n[:1]) for e, n in begun_by(entries, now)
                ]
            ),
            "An entry may name several stages, and all of them wake.",
        ),
        "all": Wrong(
            waking(lambda *_: True),
            "Everything learns, though not all of it has woken. Freeze what has not, in "
            "any epoch: this may be the first call for this model.",
        ),
        "own-only": Wrong(
            waking(lambda learns, name, p, stages: name.rpartition(".")[0] in stages),
            "What stands deeper in a stage is asleep: `parameters()` reaches all layers "
            "inside, `recurse=False` none.",
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
