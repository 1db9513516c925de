"""Arguments are looked at where they come in: of which kind they are, in which range.

Annotations say what a function takes; `checked` holds callers to them, so that a wrong
argument is named before any work is done:

>>> from course_utils.arguments import Count, checked
>>> @checked
... def repeat(text: str, times: Count = 1) -> str:
...     return times * text
>>> repeat("ab", 2)
'abab'
>>> repeat("ab", 0)
Traceback (most recent call last):
course_utils.errors.WrongArgument: repeat: times must be a whole number of at least 1, got 0
>>> repeat(None)
Traceback (most recent call last):
course_utils.errors.WrongArgument: repeat: text must be a string, got None

NumPy's numbers are numbers, `True` and `False` are not; NaN and infinity are refused; a
string is no sequence of strings. What an annotation cannot say (shapes, names that
must exist) is for the function itself.
"""

import functools
import inspect
import math
import os
import reprlib
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from course_utils.errors import WrongArgument

_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    types.NoneType: "None",
}


@dataclass(frozen=True)
class Range:
    """Bounds of a number, `low` and `high` among them, `above` not.

    >>> from course_utils.arguments import Range
    >>> share = Range(low=0, high=1)
    >>> 0.5 in share, 1.5 in share, float("nan") in share, str(share)
    (True, False, False, 'from 0 to 1')
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    infinite: bool = False

    def __contains__(self, value: float) -> bool:
        return (
            not math.isnan(value)
            and (self.infinite or not math.isinf(value))
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
        )

    def __str__(self) -> str:
        if self.above is not None:
            return f"above {self.above}" + (f" to {self.high}" if self.high else "")
        if None not in (self.low, self.high):
            return f"from {self.low} to {self.high}"
        return "" if self.low is None else f"of at least {self.low}"


FINITE = Range()
Count = Annotated[int, Range(low=1)]
Natural = Annotated[int, Range(low=0)]
Positive = Annotated[float, Range(above=0)]
Amount = Annotated[float, Range(low=0)]
Share = Annotated[float, Range(low=0, high=1)]
Ratio = Annotated[float, Range(above=0, high=1)]
Limit = Annotated[float, Range(above=0, infinite=True)]


def whole(least: int, most: int | None = None) -> Any:
    """Return the annotation of whole numbers within bounds that are known only then.

    >>> from course_utils.arguments import checked, whole
    >>> @checked
    ... def crop(side: whole(8, 512)):
    ...     return side
    >>> crop(4)
    Traceback (most recent call last):
        ...
    course_utils.errors.WrongArgument: crop: side must be a whole number
    from 8 to 512, got 4
    """
    return Annotated[int, Range(low=least, high=most)]


def checked(function: Callable | None = None, *, own: Sequence[str] = ()) -> Callable:
    """Refuse arguments that do not fit the annotations of a function, or of a data class.

    `own` names arguments that the function checks itself, with better words. Raises (the
    decorated function): `WrongArgument`, a TypeError and a ValueError, which names the
    function, the argument, and what was given.

    >>> from course_utils.arguments import Share, checked
    >>> @checked
    ... def mix(images: list, *, alpha: Share = 0.5):
    ...     return alpha
    >>> mix([], alpha=1.5)
    Traceback (most recent call last):
        ...
    course_utils.errors.WrongArgument: mix: alpha must be a number from 0 to 1, got 1.5
    """
    if function is None:
        return functools.partial(checked, own=own)
    if isinstance(function, type):
        function.__init__ = checked(function.__init__, own=own)
        return function
    signature = inspect.signature(function)
    name = function.__qualname__.rpartition("<locals>.")[2].removesuffix(".__init__")

    @functools.cache  # at the first call: annotations may name what comes later
    def hints() -> dict[str, Any]:
        found = get_type_hints(function, include_extras=True)
        known = signature.parameters
        return {n: hint for n, hint in found.items() if n in known and n not in own}

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)  # Python's own words name what is missing
        for argument, hint in hints().items():
            kind = signature.parameters[argument].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                for key, value in given.get(argument, {}).items():
                    check_argument(value, hint, f"{name}: {key}")
            elif argument in given and kind is not inspect.Parameter.VAR_POSITIONAL:
                check_argument(given[argument], hint, f"{name}: {argument}")
        return function(*args, **kwargs)

    return call


def check_argument(value: Any, hint: Any, name: str) -> None:
    """Raise `WrongArgument` where a value does not fit an annotation.

    >>> from course_utils.arguments import Count, check_argument
    >>> check_argument(3, Count, "epochs")
    >>> check_argument(0, Count, "epochs")
    Traceback (most recent call last):
        ...
    course_utils.errors.WrongArgument: epochs must be a whole number of at least 1, got 0
    """
    bounds = None
    if _fits(value, hint):
        bounds = _range(value, hint) if isinstance(value, Real) else None
        if bounds is None or value in bounds:
            return
    wanted = "finite" if bounds is FINITE else _described(hint)
    raise WrongArgument(f"{name} must be {wanted}, got {_shown(value)}")


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Annotated:
        return _fits(value, parts[0])
    if origin is Literal:
        return value in parts
    if hint in (int, float):
        kind = Integral if hint is int else Real
        return isinstance(value, kind) and not isinstance(value, bool)
    if hint in (Any, bool) or not isinstance(origin or hint, type):
        return True
    return _is_a(value, origin or hint) and _holds(value, origin, parts)


def _is_a(value: Any, kind: type) -> bool:
    if kind in (Sequence, Iterable, Collection):
        listed = hasattr(value, "__iter__") or hasattr(value, "__getitem__")
        text = isinstance(value, str | bytes | os.PathLike)
        return (
            listed and not text and (kind is not Sequence or hasattr(value, "__len__"))
        )
    return isinstance(value, kind)


def _holds(value: Any, origin: type | None, parts: tuple) -> bool:
    """Whether what a container holds fits; an iterator is left unread."""
    if not parts or origin is Callable or not isinstance(value, Collection):
        return True
    if isinstance(value, Mapping):
        keys, values = parts if len(parts) == 2 else (parts[0], Any)
        return all(_fits(k, keys) and _fits(v, values) for k, v in value.items())
    if origin is tuple and parts[-1] is not ...:
        return len(value) == len(parts) and all(map(_fits, value, parts))
    if hasattr(value, "tolist"):  # an array, a tensor, an index or a series
        return value.ndim == 1 and all(_fits(item, parts[0]) for item in value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return all(_fits(item, parts[0]) for item in value)
    return True


def _range(value: Real, hint: Any) -> Range:
    """The bounds that an annotation sets for a number; of a union the first that fits."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return next(_range(value, part) for part in parts if _fits(value, part))
    found = [p for p in parts if isinstance(p, Range)] if origin is Annotated else []
    return found[0] if found else FINITE


def _described(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_described, parts)))
    if origin is Annotated:
        bounds = " ".join(str(p) for p in parts[1:] if isinstance(p, Range))
        return f"{_described(parts[0])} {bounds}".rstrip()
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is Callable or hint is Callable:
        return "a function"
    if hint in _NAMES:
        return _NAMES[hint]
    return _named(origin or hint) + _contents(origin, parts)


def _named(kind: type) -> str:
    name = kind.__name__
    if kind.__module__ == "collections.abc":
        name = name.lower()
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _contents(origin: type | None, parts: tuple) -> str:
    held = [_described(part) for part in parts if part is not ...]
    if not held or Any in parts:
        return ""
    if origin is tuple and ... not in parts:
        return f" ({', '.join(held)})"
    if issubclass(origin, Mapping):
        return f" of {' to '.join(held)}"
    return f", each {held[0]}"


def _shown(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        kind = type(value).__name__
        return f"a {kind} of shape {tuple(value.shape)} and type {value.dtype}"
    if value is None or isinstance(value, str | Real):
        return reprlib.repr(value)
    return f"a {type(value).__name__}"
