"""An answer is known again by what it does, and nothing of it is kept."""

import functools
import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from courseware.grading.fingerprints import fingerprint


def made(source, name="f", **around):
    """What a cell of the notebook defines."""
    names = {"__name__": "__main__", "torch": torch, "nn": nn, **around}
    exec(source, names)  # noqa: S102
    return names[name]


F = "def f(x, k=2):\n    return [x * k for _ in range(3)]\n"


def test_a_cell_that_is_run_again_gives_the_same():
    moved = made("\n\n# a word\n" + F)
    assert fingerprint(made(F)) == fingerprint(moved) is not None


@pytest.mark.parametrize(
    "other",
    [
        F.replace("x * k", "x + k"), F.replace("range(3)", "range(4)"),
        F.replace("k=2", "k=3"), F.replace("k=2", "*, k=2"), F.replace("range", "list"),
        F.replace("x * k", "k * x"),
    ],
)  # fmt: skip
def test_another_code_gives_another(other):
    assert fingerprint(made(F)) != fingerprint(made(other))


def test_letters_count_in_code():
    upper, lower = (made(f"def f(x): return x in {{'{s}'}}") for s in "Aa")
    assert fingerprint(upper) != fingerprint(lower)


def test_it_is_the_same_after_the_function_has_run_often():
    function = made(F)
    before = fingerprint(function)
    for _ in range(200):  # Python specialises its code meanwhile
        function(2)
    assert fingerprint(function) == before


def test_it_is_the_same_in_another_process():
    code = (
        "from courseware.grading.fingerprints import fingerprint\n"
        f"exec({F + 'g = lambda x: x in {1, 2, (3,)} or {4, 5}'!r})\n"
        "print(fingerprint([f, g]))"
    )
    run = [sys.executable, "-c", code.replace("[f, g]", "(f, g)")]
    found = {subprocess.check_output(run, text=True) for _ in range(2)}
    assert len(found) == 1 and found != {"None\n"}


def test_what_it_calls_in_the_notebook_counts_and_what_it_imports_does_not():
    calls = "def f(x):\n    return g(x) + LIMIT\n"
    one, same, other = (
        made(f"LIMIT = 1\ndef g(x): return {body}\n{calls}") for body in "xxy"
    )
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)
    assert fingerprint(made(f"LIMIT = 2\ndef g(x): return x\n{calls}")) != fingerprint(
        one
    )
    first, second = (made(calls, g=f, LIMIT=1) for f in (torch.sin, torch.cos))
    assert fingerprint(first) == fingerprint(second)


def test_a_decorated_function_is_read_through_its_decorator():
    source = "@torch.no_grad()\ndef f(x):\n    return x + {}\n"
    one, same, other = (made(source.format(n)) for n in (1, 1, 2))
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


def test_functions_that_call_each_other_are_read_once():
    source = "def g(x): return f(x)\ndef f(x): return g(x)\n"
    assert fingerprint(made(source)) is not None


def test_a_class_is_read_by_its_methods():
    source = (
        "class f(nn.Module):\n    width = {}\n"
        "    def __init__(self):\n        super().__init__()\n"
        "    @property\n    def p(self): return 1\n"
        "    @staticmethod\n    def s(): return {}\n"
    )
    keys = [(1, 1), (1, 1), (2, 1), (1, 2)]
    one, same, *others = (fingerprint(made(source.format(*k))) for k in keys)
    assert one == same is not None and one not in others


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("Yes ", "yes", "no"), (1.5, 1.5, 1.25), ([1, "a"], [1, "a"], ["a", 1]),
        ({"x": (1, 2)}, {"x": (1, 2)}, {"x": (1, 3)}), ({1, 2}, {2, 1}, {1}),
        (torch.ones(3), torch.ones(3), torch.ones(3, 1)),
        (torch.Size([3, 4]), torch.Size([3, 4]), torch.Size([4, 3])),
        (np.float64(2), np.float64(2), np.float32(2)),
        (np.arange(3), np.arange(3), np.arange(4)), (10**5000, 10**5000, 10**5001),
        (torch.tensor(2 + 1j).conj(), torch.tensor(2 - 1j), torch.tensor(2 + 1j)),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_data_is_read_as_it_is(one, same, other):
    assert fingerprint(one) == fingerprint(same) is not None
    assert fingerprint(one) != fingerprint(other)


def test_one_is_not_true():
    assert len({fingerprint(value) for value in (1, True, 1.0, "1", None, [1])}) == 6


def itself():
    loop = []
    loop.append(loop)
    return loop


def nested():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    "answer",
    [nn.Linear(2, 2), object(), nested(), [object()] * 3, list(range(10**6)),
     torch.zeros(1).expand(2_000_000), np.array([object()]), torch.eye(2).to_sparse(),
     torch.ones(2, device="meta")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_of_other_things_and_of_too_large_ones_nothing_is_known(answer):
    assert fingerprint(answer) is None


def test_a_list_that_holds_itself_is_read():
    assert fingerprint(itself()) == fingerprint(itself()) is not None


def test_an_object_that_lies_is_not_asked():
    class Meta(type):
        def __getattribute__(cls, name):
            raise RuntimeError(name)

    class Liar(metaclass=Meta):
        pass

    assert fingerprint(Liar) is not None


def test_a_partial_is_read():
    one, same, other = (functools.partial(made(F), k=k) for k in (1, 1, 2))
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


def test_nothing_is_kept_alive():
    function = made(F)
    fingerprint(function)
    gone = weakref.ref(function)
    del function
    gc.collect()
    assert gone() is None
