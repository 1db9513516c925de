"""Ways to set what learns in an epoch: the right one, and those by other rules."""

from __future__ import annotations

from courseware.tasks.t05.nets import is_in


def begun_by(entries, epoch):
    return [entry for entry in entries if entry[0] <= epoch]


def waking(rule=lambda learns, *_: learns, begun=begun_by):
    """Make a way to set what learns: the right one, or one by other rules.

    `begun(entries, epoch)` are the entries of a schedule that count in an epoch, and
    `rule(learns, name, parameter, stages)` has the last word on a parameter.
    """

    def set_learning(model, schedule, epoch):
        stages = [name for _, names in begun(schedule.items(), epoch) for name in names]
        for name, p in model.named_parameters():
            p.requires_grad = rule(is_in(name, stages), name, p, stages)

    return set_learning
