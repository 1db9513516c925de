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
    twins = torch.tensor([0.5, 2.0, -1.0, 2.0, 1.0])
    for logits, k in zip((*spread, huge, twins), (2, 5, 3, 2, 3), strict=True):
        order = torch.randperm(len(_NAMES), generator=draw).tolist()
        names = [_NAMES[i] for i in order[: len(logits)]]
        given = f"{len(logits)} logits, k = {k}"
        if logits is twins:
            names[3] = names[1]
            given += ", two classes of the same name and probability"
        yield Case(given, logits=logits, names=names, k=k)


def observe(top_k, case, seen):
    seen.note("the pairs", seen.call(top_k, case.logits, case.names, case.k))
