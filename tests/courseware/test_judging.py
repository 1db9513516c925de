"""A task of two halves: what is observed, what fails, and which mistake explains it."""

import dataclasses
import time

import pytest
import torch
from torch import nn

from courseware.grading import At, Case, Raises, Task, When, Wrong, examine
from courseware.grading.choices import choice, choices
from courseware.grading.observing import observe_letter, observe_letters, one_case

ABOUT = {"title": "A task", "points": 1, "hints": ("mild", "more", "nearly")}


def call_with(*numbers, hidden=()):
    """The observing half of a task that is a function of one number."""

    def cases(seed):
        for n in numbers:
            yield Case(f"n = {n}", n=n)
        for n in hidden:
            yield Case(f"n = {n}", n=n, hidden=True)

    def observe(answer, case, seen):
        seen.note("the result", seen.call(answer, case.n))

    return {"cases": cases, "observe": observe}


def count(n):
    return list(range(1, n + 1))


COUNT = Task(
    **ABOUT,
    **call_with(2, 5, hidden=[7]),
    solution=count,
    mistakes={
        "off-by-one": Wrong(lambda n: list(range(1, n)), "range(n) stops before n."),
        "from-zero": Wrong(lambda n: list(range(n)), "Count from 1."),
        "crash": Raises("too small", "Not so small."),
        "text": When(
            lambda it: type(it.got) is list and it.got[:1] == ["x"], "Numbers."
        ),
        "length": "One number for each step.",
    },
)


def found(answer, task=COUNT, **more):
    verdict = examine(task, answer, **more)
    return verdict.status, verdict.key


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (lambda n: list(range(1, n)), "off-by-one"),
        (lambda n: list(range(n)), "from-zero"),
        (lambda n: ["x"] * n, "text"),
        (lambda n: [1], "off-by-one"),
        (lambda n: list(range(9)), "length"),
        (lambda n: tuple(count(n)), "type"),
        (lambda n: None, "unwritten"),
        (lambda n: print(n), "none"),
        (lambda n: [0] * n, "value"),
    ],
)
def test_the_first_mistake_that_explains_it_gives_the_hint(answer, key):
    status = "unwritten" if key == "unwritten" else "failed"
    assert found(answer) == (status, "" if status == "unwritten" else key)


def raises_its_own(n):
    raise ValueError("far too small")


def test_an_error_has_the_hint_of_the_table_or_a_general_one():
    assert found(raises_its_own) == ("failed", "crash")
    verdict = examine(COUNT, lambda n: undefined_name)  # noqa: F821
    assert verdict.key == "error" and "was the cell" in verdict.hint


def test_a_mistake_that_fits_the_earlier_cases_too_goes_before():
    task = Task(
        **ABOUT,
        **call_with(0, 3),
        solution=lambda n: n,
        mistakes={
            "always": Wrong(lambda n: 9, "No constant."),
            "cubed": Wrong(lambda n: n**2, "No square."),
        },
    )
    assert found(lambda n: n**2, task) == ("failed", "cubed")
    assert found(lambda n: 9, task) == ("failed", "always")


def test_a_hidden_input_catches_a_guess_and_stays_hidden():
    verdict = examine(COUNT, lambda n: count(n) if n < 6 else [])
    assert (verdict.status, verdict.got) == ("failed", "[]")
    assert "7" not in verdict.given and verdict.expected == ""
    assert examine(COUNT, lambda n: []).given == "n = 2"


def takes_a_tensor(keeps=()):
    def observe(answer, case, seen):
        model = nn.Linear(2, 1)
        seen.note("the result", seen.call(answer, model, torch.zeros(2), keeps=keeps))

    return {"cases": lambda seed: [Case("a model")], "observe": observe}


KEEPS = Task(**ABOUT, **takes_a_tensor(("mode",)), solution=lambda m, x: 1, mistakes={})


def test_side_effects_count_after_the_value():
    assert found(lambda m, x: (x.add_(1), 2)[1], KEEPS) == ("failed", "value")
    assert found(lambda m, x: (x.add_(1), 1)[1], KEEPS) == ("failed", "mutated")
    assert found(lambda m, x: (m.eval(), 1)[1], KEEPS) == ("failed", "changed-mode")
    assert found(lambda m, x: (m.eval().train(), 1)[1], KEEPS) == ("passed", "")


def test_a_fact_has_a_hint_of_its_own():
    def observe(answer, case, seen):
        got = seen.call(answer)
        seen.require("what comes back", got, nn.Module)
        seen.note("it is in eval mode", not got.training)

    task = Task(
        **ABOUT,
        cases=one_case,
        observe=observe,
        solution=lambda: nn.Linear(1, 1).eval(),
        mistakes={"mode": At("it is in eval mode", "Call eval().")},
    )
    assert found(lambda: nn.Linear(1, 1), task) == ("failed", "mode")
    assert found(lambda: 3, task) == ("failed", "type")
    verdict = examine(task, lambda: [].append(1))
    assert (verdict.key, verdict.property) == ("none", "type of what comes back")


def test_a_prediction_is_held_against_a_measurement():
    def observe(answer, case, seen, *, measured):
        seen.note("how far it is off", abs(answer - measured) < 0.1)

    task = Task(**ABOUT, cases=one_case, observe=observe, solution=0.75, mistakes={})
    assert found(0.8, task, measured=0.75) == ("passed", "")
    assert found(0.5, task, measured=0.75) == ("failed", "value")
    with pytest.raises(TypeError, match="measured"):
        examine(task, 0.5)


LETTER = choice(right="b", why={"a": "Not a.", "c": "Not c."}, **ABOUT)


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ("b", ""),
        (" B) ", ""),
        ("a", "a"),
        ("(c)", "c"),
        ("ab", "unknown"),
        (2, "type"),
        (["b"], "type"),
    ],
)
def test_a_letter_is_read_however_it_is_written(answer, key):
    task = dataclasses.replace(LETTER, cases=one_case, observe=observe_letter)
    assert found(answer, task) == ("failed" if key else "passed", key)
    assert (task.kind, task.options) == ("choice", 3)


def test_each_wrong_letter_of_a_part_has_its_own_reason():
    why = {"A": {"a": "No."}, "B": {"b": "No."}}
    task = choices(right={"A": "b", "B": "a"}, why=why, what="run", **ABOUT)
    task = dataclasses.replace(task, cases=one_case, observe=observe_letters)
    assert found({"B": "A", "A": "b"}, task) == ("passed", "")
    assert found({"A": "b", "B": "b"}, task) == ("failed", "B-b")
    assert found({"A": "b"}, task) == ("failed", "runs")
    assert found({"A": "b", "B": "z"}, task) == ("failed", "unknown")
    assert found({"A": "b", "B": 3}, task) == ("failed", "type")


class Patient:
    """An object that can be called."""

    def __call__(self, n):
        return count(n)


async def waits(n):
    return count(n)


def yields(n):
    yield from count(n)


@pytest.mark.parametrize(
    ("answer", "key", "word"),
    [
        ("count", "not-callable", "quotes"),
        (torch, "not-callable", "module"),
        (count(3), "not-callable", "brackets"),
        (object(), "not-callable", "by its name"),
        (Patient, "error", "arguments"),
        (waits, "type", "async def"),
        (yields, "type", "yield"),
        (lambda n: count, "type", "brackets"),
        (lambda n: map(str, count(n)), "type", "list("),
    ],
)
def test_what_is_no_function_or_gives_no_data_meets_a_clear_word(answer, key, word):
    verdict = examine(COUNT, answer)
    assert (verdict.status, verdict.key) == ("failed", key)
    assert word in verdict.hint


def test_an_object_that_can_be_called_is_an_answer():
    assert found(Patient()) == ("passed", "")


def test_a_table_s_solution_is_kept_apart_from_one_that_came_before():
    made = lambda k: lambda n: [k] * n  # noqa: E731
    task = Task(
        **ABOUT,
        **call_with(3),
        solution=count,
        mistakes={
            "same": When(
                lambda it: any(it.shows_the_same(made(k)) for k in range(50)),
                "All alike.",
            )
        },
    )
    assert found(made(41), task) == ("failed", "same")
    assert found(made(70), task) == ("failed", "value")


def test_a_card_tells_no_right_letter_or_value():
    letter = dataclasses.replace(LETTER, cases=one_case, observe=observe_letter)
    verdict = examine(letter, "a")
    assert (verdict.expected, verdict.got) == ("", "a")


def test_what_is_told_alike_on_both_sides_is_told_once():
    rule = {"the result": lambda got, right: False}
    task = dataclasses.replace(COUNT, agree=rule)
    verdict = examine(task, count)
    assert (verdict.status, verdict.expected, verdict.got) == ("failed", "", "[1, 2]")


def test_an_answer_that_patches_what_checks_rely_on_meets_a_clear_word():
    whole = torch.equal

    def patches(n):
        torch.equal = lambda a, b: True
        return count(n)

    verdict = examine(COUNT, patches)
    assert (verdict.status, verdict.key) == ("failed", "patched")
    assert "torch.equal" in verdict.got and torch.equal is whole


def test_a_sleeper_is_not_judged(monkeypatch):
    monkeypatch.setattr("courseware.grading.checking.CHECK_LIMIT", 0.5)
    verdict = examine(COUNT, lambda n: time.sleep(60))
    assert verdict.status == "unjudged" and "waited" in verdict.property


def test_of_large_sets_a_card_tells_what_sets_them_apart():
    task = dataclasses.replace(COUNT, solution=lambda n: set("abcdefg"), mistakes={})
    verdict = examine(task, lambda n: set("bcdefgx"))
    assert (verdict.expected, verdict.got) == ("", "missing: a; too many: x")
    small = dataclasses.replace(COUNT, solution=lambda n: {"a", "b"}, mistakes={})
    verdict = examine(small, lambda n: set())
    assert (verdict.expected, verdict.got) == ("a, b", "none")
