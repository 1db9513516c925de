"""Arguments that do not fit their annotations are named before any work is done."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from course_utils.arguments import (
    Amount,
    Count,
    Limit,
    Natural,
    Positive,
    Share,
    check_argument,
    checked,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("hint", "values"),
    [
        (int, [0, -3, np.int64(2)]),
        (float, [0, 0.5, -1, np.float32(2)]),
        (bool, [True, 0, None]),  # a flag takes whatever is true or false
        (str | Path, ["a", Path("a")]),
        (int | None, [None, 3]),
        (Literal["a", "b"], ["a"]),
        (Any, [None, object()]),
        (nn.Module, [nn.ReLU()]),
        (Callable[[int], int], [abs, nn.ReLU()]),
        (Sequence[str], [["a"], ("a", "b"), [], pd.Index(["a"])]),
        (Sequence[float], [[1, 2.5], np.ones(3), torch.ones(2)]),
        (Iterable[str], [["a"], iter("ab"), {"a": 1}, {"a"}]),
        (Mapping[int, str | Iterable[str]], [{1: "a", 2: ["b"]}, {}]),
        (tuple[int, int, int], [(3, 64, 64)]),
        (Count | None, [1, None]),
        (Natural, [0]),
        (Share, [0, 1, 0.5]),
        (Limit, [INF, 1e-9]),
    ],
)
def test_what_fits_is_taken(hint, values):
    for value in values:
        check_argument(value, hint, "it")


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (int, None, "must be a whole number, got None"),
        (int, 2.0, "must be a whole number, got 2.0"),
        (int, True, "must be a whole number, got True"),
        (float, "1", "must be a number, got '1'"),
        (float, torch.ones(2), r"got a Tensor of shape \(2,\) and type torch.float32"),
        (str | Path, 3, "must be a string or a Path, got 3"),
        (Literal["a", "b"], None, "must be 'a' or 'b', got None"),
        (nn.Module, "resnet18", "must be a Module, got 'resnet18'"),
        (Sequence[str], "layer1", "must be a sequence, each a string, got 'layer1'"),
        (Sequence[str], iter("ab"), "must be a sequence"),
        (Sequence[str], ["a", 1], "each a string, got a list"),
        (Mapping[int, str], {"a": "b"}, "mapping of a whole number to a string"),
        (tuple[int, int], (1, 2, 3), r"a tuple \(a whole number, a whole number\)"),
        (Callable[[int], int], 3, "must be a function, got 3"),
        (int | None, object(), "must be a whole number or None, got an? object"),
    ],
)
def test_another_kind_is_a_type_error(hint, value, said):
    with pytest.raises(TypeError, match=f"it {said}" if "must" in said else said):
        check_argument(value, hint, "it")


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (float, NAN, "it must be finite, got nan"),
        (float | None, INF, "it must be finite, got inf"),
        (Literal["a", "b"] | None, "c", "must be 'a' or 'b' or None, got 'c'"),
        (Count, 0, "a whole number of at least 1, got 0"),
        (Natural | None, -1, "of at least 0 or None, got -1"),
        (Positive, 0, "a number above 0, got 0"),
        (Amount, -0.1, "of at least 0, got -0.1"),
        (Share, 1.01, "from 0 to 1, got 1.01"),
        (Limit, NAN, "above 0, got nan"),
    ],
)
def test_a_number_out_of_its_range_or_another_choice_is_a_value_error(
    hint, value, said
):
    with pytest.raises(ValueError, match=said):
        check_argument(value, hint, "it")


def test_all_ways_to_call_are_looked_at():
    @checked
    def called(a: int, *more: int, b: Share = 0.5, **limits: float):
        return a, more, b, limits

    assert called(1, 2, b=0, c=3) == (1, (2,), 0, {"c": 3})
    for wrong in ({"a": "1"}, {"a": 1, "b": 2}, {"a": 1, "c": "many"}):
        with pytest.raises(
            (TypeError, ValueError), match=rf"called: {[*wrong][-1]} must"
        ):
            called(**wrong)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        called()


def test_an_iterator_is_left_unread():
    @checked
    def first(names: Iterable[str]) -> str:
        return next(iter(names))

    assert first(iter("ab")) == "a"


def test_a_class_is_looked_at_through_its_init():
    class Stop:
        @checked
        def __init__(self, *, patience: Count = 3):
            self.patience = patience

    assert Stop(patience=1).patience == 1
    with pytest.raises(
        ValueError, match=r"Stop: patience must be .* at least 1, got 0"
    ):
        Stop(patience=0)


def test_a_data_class_is_looked_at_too():
    @checked
    @dataclass(frozen=True)
    class Point:
        x: float
        y: float = 0

    assert Point(1) == Point(1, 0)
    with pytest.raises(TypeError, match="Point: y must be a number, got None"):
        Point(1, y=None)
