"""Classify and search with features alone: linear probe, nearest neighbours, likeness."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer
from torch import Tensor

from course_utils.arguments import Positive, check_argument, checked, whole
from course_utils.features import check_features, check_one_task

_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)  # C, tried by cross-validation
_FOLDS = 4


@checked(own=("features", "labels"))
def linear_probe(
    features: Tensor, labels: Tensor, *, C: Positive | None = None
) -> Pipeline:
    """Fit a scaling and multinomial logistic regression on features (N, D).

    `C` (above 0) is the inverse strength of the L2 penalty; None takes the one of 0.01,
    0.1, … 100 that predicts best on pictures left out (the least log loss; 1 where a
    class has a single picture). Each feature is centred and divided by the root of its
    variance plus the mean variance of all: to standardise outright blows up those that
    hardly vary, and with few pictures and many features they drown the others.
    Returns the fitted scikit-learn pipeline: `.score(features, labels)`,
    `.predict(features)`. Features may be of half precision, on a device, or part of a
    graph, which learns nothing from it.

    Raises `ValueError` for other shapes, NaN, labels of one class or that are not whole.

    >>> import torch
    >>> from course_utils.probe import linear_probe
    >>> features = torch.tensor([[0.0, 1.0], [0.1, 0.9], [1.0, 0.1], [0.9, 0.0]])
    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> probe = linear_probe(features, labels)
    >>> probe.score(features, labels), probe.predict(torch.tensor([[0.8, 0.2]])).tolist()
    (1.0, [1])
    """
    x, y = _table(features, labels)
    # A rotation changes no penalty, and leaves as many columns as there are pictures.
    scaled = make_pipeline(FlooredScaler(), PCA(svd_solver="full"))
    with np.errstate(invalid="ignore"):  # the share of each, where nothing varies
        z = scaled.fit_transform(x)
    found = LogisticRegression(C=_best_penalty(z, y) if C is None else C, max_iter=5000)
    return Pipeline([*scaled.steps, ("logisticregression", found.fit(z, y))])


def _best_penalty(z: np.ndarray, y: np.ndarray) -> float:
    folds = min(_FOLDS, np.unique(y, return_counts=True)[1].min())
    if folds < 2:
        return 1.0
    search = GridSearchCV(
        LogisticRegression(max_iter=5000),
        {"C": _PENALTIES},
        scoring="neg_log_loss",
        cv=StratifiedKFold(folds, shuffle=True, random_state=0),
        refit=False,
    )
    return search.fit(z, y).best_params_["C"]


class FlooredScaler(TransformerMixin, BaseEstimator):
    """Centre each feature; divide it by the root of its variance plus the mean variance.

    A feature that varies much ends near unit variance, one that hardly varies stays
    small.

    >>> import numpy as np
    >>> from course_utils.probe import FlooredScaler
    >>> x = np.array([[0.0, 5.0], [2.0, 5.0]])
    >>> FlooredScaler().fit_transform(x).round(2).tolist()
    [[-0.82, 0.0], [0.82, 0.0]]
    """

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> FlooredScaler:
        """Learn means and scales from features (N, D)."""
        X = np.asarray(X)
        self.mean_, variance = X.mean(0), X.var(0)
        self.scale_ = np.sqrt(variance + variance.mean())
        self.scale_[self.scale_ == 0] = 1.0  # all features are constant
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the features scaled."""
        return (np.asarray(X) - self.mean_) / self.scale_


@checked(own=("features", "labels"))
def knn_probe(features: Tensor, labels: Tensor, *, k: int = 5) -> Pipeline:
    """Fit a k-nearest-neighbour classifier on features (N, D), by cosine.

    >>> import torch
    >>> from course_utils.probe import knn_probe
    >>> features = torch.tensor([[0.0, 1.0], [0.1, 0.9], [1.0, 0.1], [0.9, 0.0]])
    >>> probe = knn_probe(features, torch.tensor([0, 0, 1, 1]), k=1)
    >>> probe.predict(torch.tensor([[0.8, 0.2]])).tolist()
    [1]
    """
    x, y = _table(features, labels)
    check_argument(k, whole(1, len(x)), "k")
    return make_pipeline(Normalizer(), KNeighborsClassifier(k)).fit(x, y)


@checked
def similarity_search(
    query: Tensor, features: Tensor, *, k: int = 5
) -> tuple[Tensor, Tensor]:
    """Find the k rows of features (N, D) most like a query (D,), by cosine.

    Returns their indices (k,) and similarities (k,), from -1 to 1, best first. Raises
    `ValueError` for other shapes and for NaN.

    >>> import torch
    >>> from course_utils.probe import similarity_search
    >>> features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]])
    >>> indices, likeness = similarity_search(features[0], features, k=2)
    >>> indices.tolist(), [round(cosine, 2) for cosine in likeness.tolist()]
    ([0, 2], [1.0, 0.6])
    """
    query, features = _tensor(query, "query"), _tensor(features, "features")
    if query.ndim != 1 or features.ndim != 2 or query.shape[0] != features.shape[1]:
        raise ValueError(
            f"query must be (D,) and features (N, D); got {tuple(query.shape)} and "
            f"{tuple(features.shape)}"
        )
    check_argument(k, whole(1, len(features)), "k")
    for name, values in (("query", query), ("features", features)):
        if not torch.isfinite(values).all():
            raise ValueError(f"{name} hold NaN or infinity: check the model's inputs")
    likeness = torch.nn.functional.cosine_similarity(query[None], features)
    found = likeness.topk(k)
    return found.indices, found.values


def _table(features: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    check_one_task(labels)
    features, labels = _tensor(features, "features"), _tensor(labels, "labels")
    if labels.ndim:
        check_features(features, labels)
    if labels.ndim != 1 or (labels != labels.long()).any():
        raise ValueError(
            "labels must be (N,), whole numbers, the index of each picture's class, got "
            f"{str(labels.dtype)[6:]} {tuple(labels.shape)}"
        )
    low = features.dtype.itemsize < 4  # NumPy has no bfloat16
    x, y = (features.float() if low else features).numpy(), labels.long().numpy()
    if len(np.unique(y)) < 2:
        raise ValueError("labels hold one class only: a classifier needs two or more")
    return x, y


def _tensor(values: Any, name: str) -> Tensor:
    """What was given as a tensor on the CPU, without its graph."""
    try:
        return torch.as_tensor(values).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:  # None, names, ragged rows
        raise TypeError(
            f"{name} is a {type(values).__name__} that is no tensor of numbers ({error}): "
            "hand over what extract_features gives"
        ) from error
