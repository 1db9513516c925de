"""01.2: the pairs of names and probabilities."""

from __future__ import annotations

import torch

from courseware.grading.observing import Case, generator

_NAMES = "ant bee cat dog eel fox gnu hen ibis jay kiwi lynx".split()


def cases(seed):
    draw = generator(seed + 3)
    spread = [
        torch.randperm(count, generator=draw) * 0.9
        + torch.rand(count, generator=draw) * 0.3
        - 2
        for count in (4, 9, 3)
    ]
    huge = torch.tensor([200.0, 198.0, 40.0]) + seed  # exp overflows
    for logits, k in zip((*spread, huge), (2, 5, 3, 2), strict=True):
        order = torch.randperm(len(_NAMES), generator=draw).tolist()
        names = [_NAMES[i] for i in order[: len(logits)]]
        given = f"{len(logits)} logits, k = {k}"
        yield Case(given, logits=logits, names=names, k=k)


def observe(top_k, case, seen):
    seen.note("the pairs", seen.call(top_k, case.logits, case.names, case.k))
