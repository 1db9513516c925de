"""S1: does a net that is better at its source task also transfer better?"""

from __future__ import annotations

from math import nan

import numpy as np

from course_utils.datasets import load_dataset
from course_utils.features import extract_features
from course_utils.probe import linear_probe
from course_utils.weights import find_weights
from courseware.claims.protocol import Bar, Protocol, Rows
from courseware.making.ladder import RUNGS, load_rung, source_accuracy

TARGETS = ("flowers", "cells", "defects")
PER_CLASS = 20


def measure_s1(seed: int) -> Rows:
    """Linear probe, 20 pictures a class, on each of twelve source-world checkpoints.

    `source` is the share of shapes that a checkpoint names on fresh pictures of the
    source world; `r` is Pearson's correlation, over the checkpoints, of the log odds of
    source and target accuracy (as Kornblith et al. take it).
    """
    rows: Rows = {}
    for net, steps in RUNGS:
        model = load_rung(net, steps)
        rows[f"{net}, {steps} steps/source"] = source_accuracy(model)
        for target in TARGETS:
            transform = find_weights(net, weights="bundled").transform
            data = load_dataset(target, transform=transform)
            few = data.train.sample_per_class(PER_CLASS, seed=seed)
            train = extract_features(model, few, cache=False)
            test = extract_features(model, data.test)
            found = linear_probe(train.features, train.labels)
            score = float(found.score(test.features, test.labels))
            rows[f"{net}, {steps} steps/{target}"] = score
    for target in TARGETS:
        pairs = [(rows[f"{n}, {s} steps/source"], rows[f"{n}, {s} steps/{target}"])
                 for n, s in RUNGS]  # fmt: skip
        rows[f"r over all/{target}"] = correlation(pairs)
    return rows


def correlation(pairs: list[tuple[float, float]]) -> float:
    """Pearson's correlation of log odds; accuracies are kept off 0 and 1."""
    points = np.clip(np.array(pairs), 0.005, 0.995)
    odds = np.log(points / (1 - points))
    if np.ptp(odds, axis=0).min() == 0:
        return nan
    return float(np.corrcoef(odds.T)[0, 1])


PROTOCOLS = (
    Protocol(
        "S1",
        "Over twelve source-world checkpoints, a better source accuracy goes with a "
        "better transfer (Kornblith et al., 2019, in miniature).",
        "correlation above 0 on every target; reported as it falls",
        measure_s1,
        ("checkpoint",),
        (Bar("r over all/*", low=0),),
        looseness=2,  # the chosen penalty may flip where features tell little
        weights="ladder/*.safetensors",
    ),
)
