"""The lessons of the course: one list, from which the map in lesson 00 and README come."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from courseware.places import notebooks_root


@dataclass(frozen=True)
class Lesson:
    """One lesson: its number, file name, title, reading time and what it builds on."""

    number: str
    slug: str
    title: str
    minutes: int
    needs: tuple[str, ...]
    core: bool

    @property
    def name(self) -> str:
        return f"{self.number}_{self.slug}"

    @property
    def path(self) -> str:
        """Where it stands: the start, which the rest builds on, core or extra."""
        if not self.needs:
            return "start"
        return "core" if self.core else "extra"

    @property
    def ready(self) -> bool:
        """Whether the notebook is there; the others are in preparation."""
        return (notebooks_root() / "notebooks" / f"{self.name}.ipynb").is_file()


LESSONS = (
    Lesson("00", "start_here", "Start here", 15, (), False),
    Lesson("01", "loading_models", "Loading pretrained models", 40, ("00",), True),
    Lesson("02", "model_zoo", "The model zoo", 35, ("01",), False),
    Lesson("03", "inside_a_model", "Inside a model", 40, ("01",), True),
    Lesson("04", "feature_extraction", "Feature extraction", 40, ("01",), True),
    Lesson("05", "gradual_unfreezing", "Gradual unfreezing", 40, ("04",), True),
    Lesson("06", "differential_learning_rates", "Differential learning rates", 40,
           ("05",), True),
    Lesson("07", "choosing_a_strategy", "Choosing a strategy", 35, ("06",), True),
    Lesson("08", "practical_workflow", "A practical workflow", 40, ("07",), True),
    Lesson("09", "distillation", "Distillation", 35, ("06",), False),
    Lesson("10", "multi_task", "Multi-task heads", 35, ("06",), False),
    Lesson("11", "scaling_up", "Scaling up", 35, ("08",), False),
    Lesson("12", "capstone_study", "The capstone study", 60, ("08",), False),
    Lesson("13", "beyond", "Beyond", 30, ("08",), False),
)  # fmt: skip


def course_map() -> pd.DataFrame:
    """Tabulate the lessons: title, minutes, needs, path, readiness."""
    rows = [
        (
            lesson.number,
            lesson.title,
            lesson.minutes,
            ", ".join(lesson.needs) or "nothing",
            lesson.path,
            "ready" if lesson.ready else "in preparation",
        )
        for lesson in LESSONS
    ]
    columns = ["lesson", "title", "minutes", "needs", "path", "state"]
    return pd.DataFrame(rows, columns=columns).set_index("lesson")


def markdown_map() -> str:
    """Return the map as the Markdown table that README shows."""
    lines = ["| | lesson | minutes | needs | path |", "|---|---|---|---|---|"]
    for number, row in course_map().iterrows():
        lesson = next(item for item in LESSONS if item.number == number)
        link = f"[{row.title}](notebooks/{lesson.name}.ipynb)"
        title = link if lesson.ready else f"{row.title} *(in preparation)*"
        lines.append(
            f"| {number} | {title} | {row.minutes} | {row.needs} | {row['path']} |"
        )
    return "\n".join(lines)
