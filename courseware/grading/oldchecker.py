"""Check an answer against a task, property by property, and say what failed first."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from courseware.grading import sandbox

Task = None
find_task = None
from courseware.grading.sandbox import (
    AskedForInput,
    Outcome,
    TookTooLong,
    call_safely,
)
from courseware.grading.values import ModelRecord, is_plain, plain

CHECK_LIMIT = 25.0  # seconds a check in all; nbgrader ends a cell after 30


class _Failed(Exception):
    def __init__(self, **found: str):
        self.found = found


class _Unwritten(Exception):
    pass


def _is_stub(error: BaseException | None) -> bool:
    return type(error) is NotImplementedError and not error.args


def run_old(task, answer, more):
    """Run a task of the old kind; return a dict of what failed, or None."""
    checker = Checker()
    task.check(plain(answer), checker, **more)
    checker.settle()


class Checker:
    """What a check may ask of an answer; the first property that fails ends it.

    Each property has a key, by which the banks know which hint an answer meets. What
    a call changed in its arguments counts last, after the value it returned.
    """

    def __init__(self):
        self._owed: list[_Failed] = []
        self._hides = False

    def fail(self, property: str, *, key: str, hint: str, **shown: Any) -> None:
        """End the check: name the property, and show `given`, `expected`, `got`."""
        raise self._failed(property=property, key=key, hint=hint, **shown)

    def that(
        self, holds: bool, property: str, *, key: str, hint: str, **shown: Any
    ) -> None:
        """Require a condition that the check itself computed."""
        if holds is not True:
            self.fail(property, key=key, hint=hint, **shown)

    def type(self, value: Any, kinds: type | tuple, name: str) -> None:
        """Require a type; None and `...` count as not written yet or not returned."""
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        names = " or ".join(kind.__name__ for kind in kinds)
        if value is None:
            missing = "Is a `return` missing?"
            self.fail(
                f"type of {name}", key="none", expected=names, got="None", hint=missing
            )
        wrong = type(value) is bool and bool not in kinds
        if wrong or not issubclass(type(value), kinds):
            got, wanted = type(value).__name__, f"{name} should be {names}."
            self.fail(
                f"type of {name}", key="type", expected=names, got=got, hint=wanted
            )

    def tensor(
        self,
        value: Any,
        name: str,
        *,
        shape: Sequence[int] | None = None,
        dtype: torch.dtype | None = None,
        shape_hint: str = "Print the shape after each step.",
        dtype_hint: str = "Convert with .float() before computing.",
    ) -> None:
        """Require a tensor, its shape and its dtype."""
        self.type(value, Tensor, name)
        if shape is not None and tuple(value.shape) != tuple(shape):
            self.fail(f"shape of {name}", key="shape", expected=tuple(shape),
                      got=tuple(value.shape), hint=shape_hint)  # fmt: skip
        if dtype is not None and value.dtype != dtype:
            self.fail(f"dtype of {name}", key="dtype", expected=dtype,
                      got=value.dtype, hint=dtype_hint)  # fmt: skip

    def close(
        self,
        got: Any,
        expected: Any,
        name: str,
        *,
        key: str = "value",
        hint: str,
        atol: float = 1e-5,
        rtol: float = 0.0,
        given: Any = "",
    ) -> None:
        """Require numbers within `atol + rtol * |expected|`; NaN never agrees."""
        a, b = (torch.as_tensor(v).detach().cpu() for v in (got, expected))
        kinds = a.is_complex() == b.is_complex()
        if kinds and not a.is_complex():
            a, b = a.to(torch.float64), b.to(torch.float64)
        agree = kinds and a.shape == b.shape
        if not agree or not bool(((a - b).abs() <= atol + rtol * b.abs()).all()):
            self.fail(f"value of {name}", key=key, hint=hint, given=given,
                      expected=expected, got=got)  # fmt: skip

    def number(self, value: Any, expected: float, name: str, **options: Any) -> None:
        """Require a plain number near `expected`; options are those of `close`."""
        self.type(value, (int, float), name)
        self.close(value, expected, name, **options)

    def same(
        self,
        got: Any,
        expected: Any,
        name: str,
        *,
        key: str = "value",
        hint: str,
        given: Any = "",
    ) -> None:
        """Require plain data (numbers, text, lists, tuples, dicts) to be equal."""
        if not is_plain(got) or got != expected or type(got) is not type(expected):
            self.fail(f"value of {name}", key=key, hint=hint, given=given,
                      expected=expected, got=got)  # fmt: skip

    def choice(self, answer: Any, right: str, why: dict[str, str]) -> None:
        """Check a multiple choice: letters, each wrong one with its own reason."""
        self.type(answer, str, "the answer")
        letter = answer.strip().lower()
        if letter not in why and letter != right:
            self.fail(
                "the choice",
                key="unknown",
                expected="one of the letters",
                got=answer,
                hint='Answer with one letter, such as "a".',
            )
        if letter != right:
            self.fail("the choice", key=letter, got=answer, hint=why[letter])

    def choices(
        self,
        answer: Any,
        right: dict[str, str],
        why: dict[str, dict[str, str]],
        *,
        what: str = "case",
    ) -> None:
        """Check a dict with a letter for each case; each wrong one has its own reason."""
        self.type(answer, dict, "the answer")
        letters = {plain(name): plain(letter) for name, letter in answer.items()}
        example = ", ".join(f'"{name}": "…"' for name in right)
        self.that(letters.keys() == right.keys(), f"the {what}s", key=f"{what}s",
                  got=list(letters), expected=list(right),
                  hint=f"Give a letter for each {what}: {{{example}}}.")  # fmt: skip
        for name, wanted in right.items():
            self.type(letters[name], str, f"the answer for {what} {name}")
            letter, known = letters[name].strip().lower(), sorted({wanted, *why[name]})
            self.that(letter in known, "the choice", key="unknown", got=letter,
                      expected=f"one of the letters {known[0]} to {known[-1]}",
                      hint=f"Answer with one letter for each {what}.")  # fmt: skip
            self.that(letter == wanted, f"the answer for {what} {name}",
                      key=f"{name}-{letter}", got=letter,
                      hint=why[name].get(letter, ""))  # fmt: skip

    def cases(self, shown: Iterable, *, hidden: Iterable = ()) -> Iterator:
        """Go through inputs; a card names no hidden one, nor what was expected."""
        yield from shown
        self.settle()
        self._hides = True
        yield from hidden
        self.settle()
        self._hides = False

    def attempt(self, function: Callable, *args: Any, **kwargs: Any) -> Outcome:
        """Call the learner's code safely and return the outcome, error and all."""
        self.settle()
        if not callable(function):
            self.fail(
                "the answer",
                key="not-callable",
                expected="a function",
                got=type(function).__name__,
                hint="Hand over the function itself, without brackets.",
            )
        outcome = call_safely(function, *args, **kwargs)
        if _is_stub(outcome.error):
            raise _Unwritten
        return outcome

    def call(
        self,
        function: Callable,
        *args: Any,
        given: str = "",
        may_change: bool = False,
        keeps: Sequence[str] = (),
        **kwargs: Any,
    ) -> Any:
        """Call the learner's code safely and return its value.

        An error fails the check at once. Data that it changed (unless `may_change`)
        fails with the key "mutated", a model's facts that it does not keep with
        "changed-mode", "changed-weights" and so on, of `ModelRecord.KINDS`; both after
        the properties of the value.
        """
        values = [*args, *kwargs.values()] if keeps else []
        models = [ModelRecord(v) for v in values if isinstance(v, nn.Module)]
        outcome = self.attempt(function, *args, **kwargs)
        if outcome.error is not None:
            found = _describe_error(outcome.error, "your function", sandbox.TIME_LIMIT)
            self.fail(given=given, **found)
        if outcome.changed and not may_change:
            got = f"{', '.join(outcome.changed)} was changed in place"
            self._owe(key="mutated", given=given, hint=_IN_PLACE, got=got)
        for kind in [k for model in models for k in model.changes() if k in keeps]:
            got = f"the model's {kind} changed"
            self._owe(key=f"changed-{kind}", given=given, hint=_KEPT[kind], got=got)
        return outcome.value

    def settle(self) -> None:
        """Fail now if an earlier call changed what it should have kept."""
        if self._owed:
            raise self._owed.pop(0)

    def _owe(self, **found: Any) -> None:
        self._owed.append(self._failed(property="side effects", **found))

    def _failed(self, **found: Any) -> _Failed:
        if self._hides:
            found.pop("expected", None)
            found["given"] = "an input that is not shown"
        return _Failed(**{name: _shown(value) for name, value in found.items()})


_IN_PLACE = (
    "Work on a copy: avoid methods that end in an underscore, and assignments into "
    "an argument."
)
_KEPT = {
    "layers": "Put back every layer that you took out or replaced.",
    "weights": "The weights must stay as they were.",
    "statistics": "BatchNorm's statistics moved: call eval() before the forward pass.",
    "requires_grad": "Leave requires_grad as it was.",
    "mode": "Give the model back in the mode that it came in.",
    "hooks": "Remove your hooks: handle = register_forward_hook(…); handle.remove().",
}


def _describe_error(error: BaseException, where: str, limit: float) -> dict[str, str]:
    if isinstance(error, TookTooLong):
        return {
            "property": "it ends",
            "key": "too-long",
            "got": f"{where} did not end within {limit:g} seconds",
            "hint": "Look for a loop whose condition never becomes false.",
        }
    if isinstance(error, AskedForInput):
        return {
            "property": "it runs alone",
            "key": "input",
            "got": "a call to input()",
            "hint": "Take values from the arguments; nobody is there to type.",
        }
    if isinstance(error, SystemExit):
        return {
            "property": "it returns",
            "key": "exit",
            "got": "a call to exit() or quit()",
            "hint": "Use `return` to leave a function.",
        }
    text = call_safely(str, error, time_limit=1.0).value  # its __str__ may misbehave
    return {
        "property": "it runs without an error",
        "key": "error",
        "got": _cut(f"{type(error).__name__}: {text or 'without a message'}"),
        "hint": "Call your function in a cell of its own to see the whole traceback.",
    }


class _Shortener(reprlib.Repr):
    """Numbers are cut as well: no card needs fifteen digits."""

    def repr_float(self, x: float, level: int) -> str:
        return repr(x) if len(repr(x)) <= 8 else f"{x:.6g}"


_shortener = _Shortener()
_shortener.maxlist = _shortener.maxtuple = _shortener.maxset = _shortener.maxdict = 8
_shortener.maxstring = 200


def _shown(value: Any) -> str:
    """A short text for a value, also of an object whose repr misbehaves."""
    if type(value) is str:
        return _cut(value)
    if type(value) is Tensor:
        flat = value.detach().flatten()[:6].tolist()
        numbers = ", ".join(f"{x:.4g}" if type(x) is float else str(x) for x in flat)
        dots = ", …" if value.numel() > 6 else ""
        return f"tensor of shape {tuple(value.shape)}: [{numbers}{dots}]"
    if isinstance(value, (torch.dtype, torch.Size, type)) or is_plain(value):
        return _cut(_shortener.repr(value))
    return f"an object of type {type(value).__name__}"


def _cut(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
