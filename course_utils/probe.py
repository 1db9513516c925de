"""Classify and search with features alone: linear probe, nearest neighbours, likeness."""

from __future__ import annotations

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
    x, y = _table(features, labels)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5000))
    return probe.fit(x, y)


def knn_probe(features: Tensor, labels: Tensor, *, k: int = 5) -> Pipeline:
    """Fit a k-nearest-neighbour classifier on standardised features (N, D)."""
    x, y = _table(features, labels)
    if not 1 <= k <= len(x):
        raise ValueError(
            f"k must be from 1 to the number of pictures {len(x)}, got {k}"
        )
    return make_pipeline(StandardScaler(), KNeighborsClassifier(k)).fit(x, y)


def similarity_search(
    query: Tensor, features: Tensor, *, k: int = 5
) -> tuple[Tensor, Tensor]:
    """Find the k rows of features (N, D) most like a query (D,), by cosine.

    Returns their indices (k,) and similarities (k,), from -1 to 1, best first.
    """
    if query.ndim != 1 or features.ndim != 2 or query.shape[0] != features.shape[1]:
        raise ValueError(
            f"query must be (D,) and features (N, D); got {tuple(query.shape)} and "
            f"{tuple(features.shape)}"
        )
    if not 1 <= k <= len(features):
        raise ValueError(f"k must be from 1 to {len(features)}, got {k}")
    likeness = torch.nn.functional.cosine_similarity(query[None], features)
    found = likeness.topk(k)
    return found.indices, found.values


def _table(features: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    check_one_task(labels)
    features, labels = torch.as_tensor(features), torch.as_tensor(labels)
    check_features(features, labels)
    x, y = features.numpy(), labels.numpy()
    if len(np.unique(y)) < 2:
        raise ValueError("labels hold one class only: a classifier needs two or more")
    return x, y
