"""Classify and search with features alone: linear probe, nearest neighbours, likeness."""

from __future__ import annotations

import math
from numbers import Integral

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from course_utils.features import check_features, check_one_task


def linear_probe(features: Tensor, labels: Tensor, *, C: float = 1.0) -> Pipeline:
    """Fit standardisation and multinomial logistic regression on features (N, D).

    `C` is the inverse strength of the L2 penalty. Returns the fitted scikit-learn
    pipeline: `.score(features, labels)`, `.predict(features)`.
    """
    if not 0 < C < math.inf:
        raise ValueError(f"C must be above 0 and finite, got {C}")
    x, y = _table(features, labels)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5000))
    return probe.fit(x, y)


def knn_probe(features: Tensor, labels: Tensor, *, k: int = 5) -> Pipeline:
    """Fit a k-nearest-neighbour classifier on standardised features (N, D)."""
    x, y = _table(features, labels)
    _check_k(k, len(x), "the number of pictures ")
    return make_pipeline(StandardScaler(), KNeighborsClassifier(k)).fit(x, y)


def similarity_search(
    query: Tensor, features: Tensor, *, k: int = 5
) -> tuple[Tensor, Tensor]:
    """Find the k rows of features (N, D) most like a query (D,), by cosine.

    Returns their indices (k,) and similarities (k,), from -1 to 1, best first. Raises
    `ValueError` for other shapes, NaN or infinity, and k outside 1 to N.
    """
    query, features = torch.as_tensor(query), torch.as_tensor(features)
    if query.ndim != 1 or features.ndim != 2 or query.shape[0] != features.shape[1]:
        raise ValueError(
            f"query must be (D,) and features (N, D); got {tuple(query.shape)} and "
            f"{tuple(features.shape)}"
        )
    _check_k(k, len(features))
    for name, values in (("query", query), ("features", features)):
        if not values.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity: check the model's inputs")
    likeness = torch.nn.functional.cosine_similarity(query[None], features)
    found = likeness.topk(k)
    return found.indices, found.values


def _check_k(k: int, most: int, of: str = "") -> None:
    if not isinstance(k, Integral) or not 1 <= k <= most:
        raise ValueError(f"k must be from 1 to {of}{most}, got {k!r}")


def _table(features: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    check_one_task(labels)
    features = torch.as_tensor(features).detach().cpu()
    labels = torch.as_tensor(labels).cpu()
    check_features(features, labels)
    x, y = features.numpy(), labels.numpy()
    if len(np.unique(y)) < 2:
        raise ValueError("labels hold one class only: a classifier needs two or more")
    return x, y
