"""Views for the notebooks: they show what the modules below return.

Each widget works by keyboard, in the light and the dark theme, and has a static form
for notebooks that are exported, or read on GitHub. A widget's module is imported when
the widget is first named, so that one costs no more than what it shows: a module says in
`__all__` which widgets it holds.
"""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

_DECLARED = re.compile(r"^__all__ = (\[[^\]]*\])", re.MULTILINE)


def _widgets() -> dict[str, str]:
    """Which module holds which widget: each names its own in `__all__`."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if declared := _DECLARED.search(path.read_text(encoding="utf-8")):
            found |= dict.fromkeys(ast.literal_eval(declared[1]), path.stem)
    return found


_MODULE_OF = _widgets()
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'course_utils.widgets' has no attribute {name!r}")
    module = importlib.import_module(f"course_utils.widgets.{_MODULE_OF[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
