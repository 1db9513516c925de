"""02.1: the rows of a comparison, and the passes behind them."""

from __future__ import annotations

import torch

from courseware.grading.observing import SIDE_EFFECTS, Case, generator
from courseware.grading.values import ModelRecord
from courseware.tasks.t02.timed_nets import Log, two_nets

COLUMNS = ["name", "parameters", "median_ms", "top5"]


def cases(seed):
    for turn, passes, warmup in ((1, 7, 3), (-1, 6, 2)):
        given = f"two nets, passes = {passes}, warmup = {warmup}"
        yield Case(given, turn=turn, passes=passes, warmup=warmup, seed=seed)


def observe(compare, case, seen):
    log, side = Log(), case.passes + case.seed % 3
    made = two_nets(log, case.passes, case.warmup, case.seed)
    nets = dict(list(made.items())[:: case.turn])
    records = {name: ModelRecord(net) for name, net in nets.items()}
    image = torch.rand(3, side, side, generator=generator(case.seed))
    rows = seen.call(compare, nets, image, case.passes, case.warmup, log.clock)
    _note_form(seen, rows)
    for name, row in zip(nets, rows, strict=False):
        seen.given = f"{case.given}: {name}"
        figures = {f'"{column}"': row[column] for column in COLUMNS[1:]}
        seen.notes(_passes(log, name, case) | figures)
        seen.note(SIDE_EFFECTS, list(records[name].changes()))


def _note_form(seen, rows):
    seen.require("the result", rows, list)
    dicts = [row for row in rows if issubclass(type(row), dict)]
    others = {key for row in dicts for key in row if key not in COLUMNS}
    seen.note("other keys of the rows", others)
    seen.note("the keys of the rows", [_asked_for(row) for row in rows])
    if any(_asked_for(row) != COLUMNS for row in rows):
        seen.end()
    seen.note("the names", [row["name"] for row in rows])


def _asked_for(row):
    is_dict = issubclass(type(row), dict)
    return [c for c in COLUMNS if c in row] if is_dict else type(row).__name__


def _passes(log, name, case):
    made, alone = log.passes[name], log.timed_alone(name) >= case.passes
    return {
        "the model was run": bool(made),
        "the shapes of the batches": sorted({p.shape for p in made}),
        "each pass is in eval mode": not any(p.training for p in made),
        "no pass records a graph": not any(p.gradients for p in made),
        "clock() was called": None in log.order,
        "the number of passes": len(made),
        "each timed pass stands alone between two readings": alone,
    }
