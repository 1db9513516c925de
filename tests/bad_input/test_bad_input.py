"""Every public callable, spoilt one argument at a time: refused in words, or right."""

import ast
import functools
import inspect
import re
import traceback
from pathlib import Path

import pytest

import course_utils
import courseware

from .calls import BAD, CALLS, RAW

pytestmark = pytest.mark.slow
HOUSES = [Path(p.__path__[0]).resolve() for p in (course_utils, courseware)]
# Without an argument, or only read: nothing to spoil; `watched` only takes a module along.
PLAIN = {
    "FETCH_LIST", "course_map", "data_dir", "default_backbone", "machine_report",
    "progress", "sample_photos", "watched",
}  # fmt: skip


def named(call):
    """Name of a callable with its module, without the house."""
    house, _, module = call.function.__module__.partition(".")
    return f"{module}.{call.function.__qualname__}"


def spoilable(call):
    """Arguments that a bad value can stand for, each with its default.

    A flag takes whatever is true or false, so there is no bad one.
    """
    parameters = inspect.signature(call.function).parameters
    for name, parameter in parameters.items():
        flag = parameter.annotation in ("bool", "bool | None")
        if parameter.kind is not parameter.VAR_KEYWORD and not flag:
            yield name, parameter.default
    more = [name for name in call.arguments() if name not in parameters]
    yield from ((name, parameters) for name in more)


@functools.cache
def raising_lines(path):
    """Numbers of the lines that belong to a `raise` of a module."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    raises = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return {line for node in raises for line in range(node.lineno, node.end_lineno + 1)}


def is_refused(error):
    """Whether one of our own `raise` statements made an error, and says something."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = any(Path(last.filename).is_relative_to(house) for house in HOUSES)
    return ours and last.lineno in raising_lines(last.filename) and len(str(error)) > 15


def outcome(call, name, bad):
    """What a call comes to, its argument spoilt: "refused", "raw" or "accepted"."""
    try:
        call.function(**{**call.arguments(), name: bad})
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}"
        return ("refused" if is_refused(error) else "raw"), said
    return "accepted", ""


def allowed(call, name, default):
    """Names of the bad values that an argument takes after all."""
    right = call.right.get(name, "").split(", ")
    return {*right, "None"} if default is None else {*right}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS, ids=named)
def test_what_is_bad_is_refused_in_words(call, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    call.function(**call.arguments())  # the call itself is right
    wrong = []
    for name, default in spoilable(call):
        for what, bad in BAD.items():
            found, said = outcome(call, name, bad)
            right = found == "accepted" and what in allowed(call, name, default)
            if (
                found != "refused"
                and not right
                and (named(call), name, what) not in RAW
            ):
                wrong.append(f"{named(call)}({name}={what}) is {found}: {said}")
    assert wrong == []


def test_there_are_many_calls_and_few_raw_errors():
    calls = sum(len(BAD) for call in CALLS for _ in spoilable(call))
    assert calls >= 600
    assert len(RAW) <= 15
    assert all(len(reason) > 20 for reason in RAW.values())


def test_every_callable_of_a_lesson_is_in_the_table():
    tried = {call.function.__name__ for call in CALLS}
    found = set()
    for path in sorted((HOUSES[1] / "lessons").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for names in re.findall(
            r"^from course\S* import ([\w, ]+)", text, re.MULTILINE
        ):
            found.update(names.split(", "))
        for names in re.findall(
            r"^from course\S* import \(\n(.*?)\)", text, re.MULTILINE | re.DOTALL
        ):
            found.update(re.findall(r"\w+", names))
    assert len(found) > 50
    assert found - tried - PLAIN == set()
