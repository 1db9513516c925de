"""Pictures drawn from a seed: the bundled target sets, and the source world.

The targets (`flowers`, `cells`, `defects`) were drawn once, before the bundled weights
were trained, and are shipped with checksums in `data/images`; `bundle` draws them. The
source world, on which the bundled weights are trained, is drawn afresh at every step
and shares no code with the targets.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_BUNDLE = ("CLASSES", "NAMES", "draw", "draw_dataset", "write_bundled")
__all__ = [*_BUNDLE]


def __getattr__(name: str) -> Any:
    """Import the drawing of the targets when it is first asked for."""
    if name not in _BUNDLE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("courseware.making.drawing.bundle"), name)
