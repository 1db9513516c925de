"""What happens when an answer is called: the half of a task that knows no right answer.

A task's `observe_N.py` holds two functions:

    def cases(seed):                      # the inputs; a learner's check uses seed 0
        yield Case("n = 2", n=2)
        yield Case("n = 7", n=7, hidden=True)

    def observe(count_to, case, seen):    # calls the answer, and notes what happened
        got = seen.call(count_to, case.n)
        seen.note("the numbers", got)

`observe` is called for each case. What it notes becomes plain data at once, in the order
in which it counts: the first fact that differs from the solution's is what fails. An error
of the answer ends the case. This module and what it imports hold nothing that judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, SimpleNamespace
from typing import Any

import torch
from torch import nn

from courseware.grading.facts import Fact, Raised, Thing, describe
from courseware.grading.sandbox import NotJudged, Outcome, call_safely
from courseware.grading.values import ModelRecord

ERROR = "it runs without an error"
ANSWER = "the answer"
PATCHED = "code that is not yours stays as it is"
SIDE_EFFECTS = "side effects"


class Unwritten(Exception):
    """The answer is still the stub that was handed out."""


class Case(SimpleNamespace):
    """One input: how it is told to a learner, and whatever `observe` needs.

    >>> from courseware.grading.observing import Case
    >>> Case("n = 2", n=2).n
    2
    """

    def __init__(self, given: str, *, hidden: bool = False, **needed: Any):
        super().__init__(given=given, hidden=hidden, **needed)


def generator(seed: int) -> torch.Generator:
    """Return a torch generator for a case's numbers."""
    return torch.Generator().manual_seed(seed)


def observed(
    observe: Callable, answer: Any, case: Case, more: dict[str, Any] | None = None
) -> list[Fact]:
    """Observe an answer on one case; return the facts.

    Raises `Unwritten` where the answer is a stub.
    """
    seen = Seen(case.given)
    try:
        observe(answer, case, seen, **(more or {}))
    except _Ended:
        return seen.facts
    seen.settle()
    return seen.facts


class _Ended(Exception):
    """Nothing more can be seen in this case."""


class Seen:
    """What `observe` may do with an answer, and where it notes what it saw."""

    def __init__(self, given: str = ""):
        self.given = given  # the input, for the facts that follow
        self.facts: list[Fact] = []
        self._owed: list[Fact] = []

    def note(self, name: str, value: Any) -> None:
        """Note a fact; the value becomes plain data."""
        self.facts.append(Fact(name, describe(value), self.given))

    def notes(self, facts: Mapping[str, Any]) -> None:
        """Note several facts, in their order."""
        for name, value in facts.items():
            self.note(name, value)

    def require(self, name: str, value: Any, kinds: type | tuple[type, ...]) -> None:
        """Note whether a value is of a type; where it is not, the case ends here."""
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        wanted = " or ".join(kind.__name__ for kind in kinds)
        fits = issubclass(type(value), kinds)
        found = wanted if fits else _type_only(value)
        self.facts.append(Fact(f"type of {name}", found, self.given))
        if not fits:
            raise _Ended

    def end(self) -> None:
        """End the case: what follows could not be seen."""
        raise _Ended

    def call(
        self,
        function: Callable,
        *args: Any,
        keeps: Sequence[str] = (),
        may_change: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Call the answer safely and return its live value; an error ends the case.

        What it changed of its data (unless `may_change`), and of a model's facts that
        it is to keep (`keeps`, of `ModelRecord.KINDS`), is noted after what is seen of
        the value.
        """
        values = [*args, *kwargs.values()] if keeps else []
        models = [ModelRecord(v) for v in values if isinstance(v, nn.Module)]
        outcome = self.attempt(function, *args, **kwargs)
        if outcome.error is not None:
            self.note_error(outcome.error)
            raise _Ended
        changes = [k for model in models for k in model.changes() if k in keeps]
        changed = _named(outcome.changed, function) if not may_change else []
        self._owed.append(Fact(SIDE_EFFECTS, [*changed, *changes], self.given))
        return outcome.value

    def attempt(self, function: Callable, *args: Any, **kwargs: Any) -> Outcome:
        """Call the answer safely and return the outcome, error and all."""
        self.settle()
        if not callable(function):
            self.facts.append(Fact(ANSWER, _type_only(function), self.given))
            raise _Ended
        outcome = call_safely(function, *args, **kwargs)
        if _is_stub(outcome.error):
            raise Unwritten
        if outcome.patched:
            self.facts.append(Fact(PATCHED, list(outcome.patched[:5]), self.given))
            raise _Ended
        return outcome

    def note_error(self, error: BaseException) -> None:
        """Note an error as a fact."""
        self.facts.append(Fact(ERROR, described_error(error), self.given))

    def settle(self) -> None:
        """Note what earlier calls changed beside what they returned."""
        self.facts += self._owed
        self._owed = []


def described_error(error: BaseException) -> Raised:
    """Describe an error as plain data; its own words may misbehave, and are left out."""
    try:
        text = call_safely(str, error, time_limit=1.0).value
    except NotJudged:
        text = ""
    return Raised(type(error).__name__, str(text or "")[:1000])


def _named(changed: Sequence[str], function: Callable) -> list[str]:
    """Add the function's own names to "argument 1" and the like."""
    code = getattr(function, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code else ()
    known = {f"argument {i}": f"argument {i}, {n}" for i, n in enumerate(names, 1)}
    return [known.get(each, each) for each in changed]


def _type_only(value: Any) -> Thing | None:
    return None if value is None else Thing(type(value).__name__)


def _is_stub(error: BaseException | None) -> bool:
    # With a message it is not a stub's: torch and nn.Module raise such errors, and
    # Jupyter's for input() is a subclass.
    return type(error) is NotImplementedError and not error.args


def _bare():
    pass


def _documented():
    """Do nothing, and say so."""


def is_empty(answer: Any) -> bool:
    """Tell whether an answer is `None`, `...`, or a function that holds nothing."""
    if answer is None or answer is Ellipsis:
        return True
    if type(answer) is not FunctionType:
        return False
    code = answer.__code__
    nothing = {function.__code__.co_code for function in (_bare, _documented)}
    constants = set(code.co_consts) - {answer.__doc__}
    return code.co_code in nothing and constants <= {None, Ellipsis}


def one_case(seed: int) -> Iterator[Case]:
    """Give the only case of a task that is answered by a value."""
    yield Case("")


def observe_value(answer: Any, case: Case, seen: Seen) -> None:
    """Note an answer that is a value."""
    seen.note(ANSWER, answer)


def observe_letter(answer: Any, case: Case, seen: Seen) -> None:
    """Note a letter, such as "c", however it is written."""
    seen.note(ANSWER, letter_of(describe(answer)))


def observe_letters(answer: Any, case: Case, seen: Seen) -> None:
    """Note a dict with a letter for each part of a question, its keys as capitals."""
    found = describe(answer)
    if type(found) is dict:
        found = {key: letter_of(letter) for key, letter in found.items()}
        capitals = {_capital(key): letter for key, letter in found.items()}
        found = capitals if len(capitals) == len(found) else found
    seen.note(ANSWER, found)


def _capital(key: Any) -> Any:
    letter = letter_of(key)
    single = type(letter) is str and len(letter) == 1
    return letter.upper() if single else key


def letter_of(value: Any) -> Any:
    """Read "C", " c " and "c)" as "c"; leave what is no text as it is."""
    if type(value) is not str:
        return value
    return value.strip().strip("().:\"'").lower()
