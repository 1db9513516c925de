"""Every public callable, spoilt one argument at a time: refused in words, or right."""

import ast
import functools
import inspect
import traceback
from pathlib import Path

import pytest

from course_utils import __path__ as library
from courseware import __path__ as course

from .calls import BAD, CALLS

pytestmark = pytest.mark.slow
OURS = tuple(str(Path(p).resolve()) for p in (*library, *course))


def spoilable(call):
    """Arguments that the test replaces; a flag takes whatever is true or false."""
    for name, parameter in inspect.signature(call.function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or isinstance(parameter.default, bool):
            continue
        yield name, parameter.default
    yield from ((n, ...) for n in call.arguments() if n not in inspect.signature(call.function).parameters)


@functools.cache
def raising_lines(path):
    """Numbers of the lines that belong to a `raise` of ours."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    raises = [n for n in ast.walk(tree) if isinstance(n, ast.Raise)]
    return {line for n in raises for line in range(n.lineno, n.end_lineno + 1)}


def is_refused(error):
    """Whether one of our own `raise` statements made an error."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename.startswith(OURS) and last.lineno in raising_lines(last.filename)


def outcome(call, name, bad):
    try:
        call.function(**{**call.arguments(), name: bad})
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}"
        return ("refused" if is_refused(error) else "raw"), said
    return "accepted", ""
