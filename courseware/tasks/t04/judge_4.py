"""04.4: the nearest pictures."""

from __future__ import annotations

from torch.nn import functional as F

from courseware.grading.judging import Task, When, Wrong


def solution(query, features, k):
    return _likeness(query, features).topk(k).indices.tolist()


def _likeness(query, features):
    return F.cosine_similarity(query[None], features)


def _distances(query, features):
    return (features - query).norm(dim=1)


TASK = Task(
    title="The nearest pictures",
    points=2,
    hints=(
        "Cosine similarity is the dot product of vectors of length 1.",
        "Divide each row by its norm: `features / features.norm(dim=1, keepdim=True)`.",
        "`likeness = unit_features @ unit_query`; then "
        "`likeness.topk(k).indices.tolist()`",
    ),
    solution=solution,
    mistakes={
        "dim": When(
            lambda it: "out of range" in it.error or "must match" in it.error,
            "One similarity for each row is asked for: the query as (1, D), `query[None]`, "
            "and the sum over `dim=1`.",
        ),
        "rows": When(
            lambda it: getattr(it.got, "shape", ())[1:],
            "These are the rows themselves. Their positions are asked for.",
        ),
        "tensor": When(
            lambda it: it.key == "type" and it.difference.got == "Tensor",
            "Return a list of whole numbers: .tolist().",
        ),
        "floats": When(
            lambda it: it.key == "type" and it.got == it.right,
            "Positions are whole numbers: int(...) of each.",
        ),
        "items": When(
            lambda it: it.key == "type" and it.difference.got == "float",
            "These are similarities. The positions are asked for: topk gives both, "
            ".values and .indices.",
        ),
        "length": "Exactly k positions.",
        "least": Wrong(
            lambda q, f, k: _likeness(q, f).topk(k, largest=False).indices.tolist(),
            "These are the least alike: take the largest similarities.",
        ),
        "dot": Wrong(
            lambda q, f, k: (f @ q).topk(k).indices.tolist(),
            "Without dividing by the lengths, long vectors win: normalise each row.",
        ),
        "axis": Wrong(
            lambda q, f, k: (f / f.norm(dim=0) @ q).topk(k).indices.tolist(),
            "The columns were divided by their lengths, not the rows: a picture's vector "
            "is a row, so its norm goes over dim=1.",
        ),
        "absolute": Wrong(
            lambda q, f, k: _likeness(q, f).abs().topk(k).indices.tolist(),
            "`abs` takes the opposite direction for the same one: a similarity of -1 is "
            "the least alike of all, so keep the sign.",
        ),
        "length-l1": Wrong(
            lambda q, f, k: (F.normalize(f, p=1) @ q).topk(k).indices.tolist(),
            "The rows were divided by sums of absolute values. A vector's length is the "
            "root of the sum of its squares: `features.norm(dim=1)`.",
        ),
        "euclid": Wrong(
            lambda q, f, k: _distances(q, f).topk(k, largest=False).indices.tolist(),
            "That is the Euclidean distance; cosine similarity looks at directions only.",
        ),
        "from-one": Wrong(
            lambda q, f, k: [i + 1 for i in solution(q, f, k)],
            "Positions count from 0.",
        ),
        "skipped": Wrong(
            lambda q, f, k: solution(q, f, k + 1)[1:],
            "The first is left out. The query is not among the rows: keep the best one.",
        ),
        "order": When(
            lambda it: it.key == "value" and sorted(it.got) == sorted(it.right),
            "The most alike comes first.",
        ),
        "value": "Sort by cosine similarity, largest first.",
    },
)
