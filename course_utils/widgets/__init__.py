"""Views for the notebooks: they show what the modules below return.

Each widget works by keyboard, in the light and the dark theme, and has a static form
for notebooks that are exported, or read on GitHub.
"""

from .architecture_explorer import ArchitectureExplorer
from .feature_maps import FeatureMapViewer
from .fetch import FetchButton
from .flow import FlowSwitcher
from .freeze_planner import FreezePlanner
from .loss_weight_explorer import LossWeightExplorer
from .pictures import PictureSwitcher
from .quiz import Question, Quiz
from .temperature_explorer import TemperatureExplorer
from .training_monitor import TrainingMonitor
from .zoo_explorer import ZooExplorer

__all__ = [
    "ArchitectureExplorer",
    "FeatureMapViewer",
    "FetchButton",
    "FlowSwitcher",
    "FreezePlanner",
    "LossWeightExplorer",
    "PictureSwitcher",
    "Question",
    "Quiz",
    "TemperatureExplorer",
    "TrainingMonitor",
    "ZooExplorer",
]
