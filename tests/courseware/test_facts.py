"""What an answer gave, described as plain data and compared."""

import numpy as np
import pytest
import torch
from torch import nn

from courseware.grading.facts import (
    Array,
    Thing,
    Tolerance,
    describe,
    difference,
    shown,
)


def key(got, right, atol=1e-5, rtol=1e-5):
    found = difference(describe(got), describe(right), Tolerance(atol, rtol))
    return found and found.key


NUMBERS = [3, np.int64(3), np.int8(3), torch.tensor(3), np.array(3)]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: type(n).__name__)
def test_whole_numbers_of_any_kind_serve_at_any_depth(number):
    assert key(number, 3) is None and key(number, 3.0) is None
    assert key([("a", number)], [("a", 3)]) is None
    assert key({"a": [number]}, {"a": [3]}) is None


@pytest.mark.parametrize("number", [0.5, np.float32(0.5), torch.tensor(0.5)])
def test_numbers_of_any_kind_serve_as_a_float(number):
    assert key(number, 0.5) is None and key([number], [0.5]) is None


@pytest.mark.parametrize("number", [3.0, np.float64(3), torch.tensor(3.0), "3", True])
def test_nothing_but_a_whole_kind_serves_as_an_int(number):
    assert key(number, 3) == "type"


@pytest.mark.parametrize("yes", [True, np.bool_(True), torch.tensor(True)])
def test_a_bool_is_a_bool_and_no_number(yes):
    assert key(yes, True) is None
    assert key(yes, 1) == key(yes, 1.0) == "type" and key(1, True) == "type"


def test_a_tensor_without_dimensions_is_no_number_where_one_is_asked_for():
    assert key(0.5, torch.tensor(0.5)) == "type"


@pytest.mark.parametrize(
    ("got", "right", "wanted"),
    [
        (None, 3, "none"),
        (None, [1], "none"),
        ((1, 2), [1, 2], "type"),
        ([(1, 2)], [[1, 2]], None),
        ([1], [1, 2], "length"),
        ({"a": 1}, {"b": 1}, "keys"),
        ({"b": 2, "a": 1}, {"a": 1, "b": 2}, None),
        (torch.zeros(2), torch.zeros(3), "shape"),
        (torch.zeros(2).double(), torch.zeros(2), "dtype"),
        (np.zeros(2), torch.zeros(2), "type"),
        (torch.ones(2), torch.zeros(2), "value"),
        (torch.ones(2) * 1j, torch.ones(2), "dtype"),
        (torch.full((2,), torch.nan), torch.ones(2), "value"),
        (float("nan"), 1.0, "value"),
        ({1, 2}, {2, 1}, None),
        ("a", "b", "value"),
    ],
)
def test_the_first_difference_is_named(got, right, wanted):
    assert key(got, right) == wanted


def test_a_difference_says_where_it_is():
    found = difference([1, {"a": (2, 3)}], [1, {"a": (2, 4)}], Tolerance())
    assert (found.path, found.expected, found.got) == ("[1]['a'][1]", 4, 3)


def test_a_tolerance_is_absolute_and_relative():
    assert key(1005, 1000.0, 0, 0.01) is None
    assert key(1020, 1000.0, 0, 0.01) == "value"
    assert key(1e-4, 0.0, 1e-3) is None


class LiesAboutAll(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(True)


class LooksLikeATensor:
    dtype, shape, requires_grad = torch.float32, (2,), False
    __class__ = torch.Tensor


class AlwaysEqual(int):
    __hash__ = int.__hash__

    def __eq__(self, other):
        return True


class LiesAboutItsLength(list):
    def __len__(self):
        return 2


def test_a_subclass_cannot_speak_for_its_value():
    assert key(torch.zeros(2).as_subclass(LiesAboutAll), torch.ones(2)) == "value"
    assert key(nn.Parameter(torch.ones(2)), torch.ones(2)) is None
    assert key(AlwaysEqual(1), 2) == "value"
    assert key(LiesAboutItsLength([1]), [1, 2]) == "length"
    assert key(LooksLikeATensor(), torch.ones(2)) == "type"


def test_what_is_no_data_is_named_by_its_type():
    assert describe(nn.Linear(1, 1)) == Thing("Module")
    assert describe(i for i in "ab") == Thing("generator")
    assert describe({"f": print}) == {"f": Thing("builtin_function_or_method")}
    assert isinstance(describe(torch.zeros(2, device="meta")), Thing)
    assert isinstance(describe(np.array([print])), Thing)


def test_what_has_no_end_is_cut_off():
    itself = []
    itself += [itself, itself]
    describe(itself)
    assert isinstance(describe(list(range(1_000_000))), Thing)
    assert isinstance(describe(torch.zeros(1).expand(10**9)), Thing)


def test_a_description_does_not_follow_its_tensor():
    tensor = torch.zeros(2)
    kept = describe(tensor)
    tensor += 1
    assert isinstance(kept, Array) and kept.values.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.91865017477536, "2.91865"),
        ("as it is", "as it is"),
        (["a", 1], "['a', 1]"),
        ((1,), "(1,)"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        ({"a": 0.5}, "{'a': 0.5}"),
        ({"b", "a"}, "a, b"),
        (set(), "none"),
        (torch.tensor([0.5, 1]), "Tensor of shape (2,): [0.5, 1]"),
    ],
)
def test_values_are_shown_short(value, text):
    assert shown(describe(value)) == text


def test_a_huge_text_is_shown_short():
    assert len(shown(describe("x" * 10_000_000))) < 700
