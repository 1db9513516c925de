"""The model zoo as data: metadata, families, latency, and choice under a budget."""

from .choice import best_under, best_weights, pareto_front
from .families import FAMILIES, Family, family_of
from .latency import Latency, measure_latency
from .stored import stored_latency
from .table import load_code, zoo_table

__all__ = [
    "FAMILIES",
    "Family",
    "Latency",
    "best_under",
    "best_weights",
    "family_of",
    "load_code",
    "measure_latency",
    "pareto_front",
    "stored_latency",
    "zoo_table",
]
