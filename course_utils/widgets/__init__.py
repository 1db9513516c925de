"""Views for the notebooks: they show what the modules below return.

Each widget works by keyboard, in the light and the dark theme, and has a static form
for notebooks that are exported, or read on GitHub. A widget's module is imported when
the widget is first named, so that one costs no more than what it shows.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULE_OF = {
    "ArchitectureExplorer": "architecture_explorer",
    "FeatureMapViewer": "feature_maps",
    "FetchButton": "fetch",
    "FlowSwitcher": "flow",
    "FreezePlanner": "freeze_planner",
    "LossWeightExplorer": "loss_weight_explorer",
    "PictureSwitcher": "pictures",
    "Question": "quiz",
    "Quiz": "quiz",
    "TemperatureExplorer": "temperature_explorer",
    "TrainingMonitor": "training_monitor",
    "ZooExplorer": "zoo_explorer",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'course_utils.widgets' has no attribute {name!r}")
    module = importlib.import_module(f"course_utils.widgets.{_MODULE_OF[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
