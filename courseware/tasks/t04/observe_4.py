"""04.4: the positions that are returned."""

from __future__ import annotations

import torch

from courseware.grading.observing import Case, generator


def cases(seed):
    draw = generator(seed + 11)
    table = torch.randn(30, 8, generator=draw) * torch.linspace(0.2, 6, 30)[:, None]
    small = torch.tensor([[3.0, 0.1], [0.0, 9.0], [0.5, 0.4], [-2.0, 0.0]])
    tried = (
        (torch.tensor([1.0, 0.0]), small, 3),
        (table[5] + table[8], table, 20),
        (table[4] * 0.5, table, 5),
        (-table[9], table, 1),
        (table[2] - 3 * table[7], table, 12),
    )
    for query, features, k in tried:
        given = f"{len(features)} rows, k = {k}"
        yield Case(given, query=query, features=features, k=k)


def observe(nearest, case, seen):
    seen.note("the positions", seen.call(nearest, case.query, case.features, case.k))
