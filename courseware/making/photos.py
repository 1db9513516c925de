"""Five strategies of fine-tuning on a folder of real photographs, recorded for lesson 05.

    course photos FOLDER [--write]

The photographs are not part of the course; what was measured on them is, in a file that
says how it was made. Each strategy tries four learning rates and keeps the one that does
best on validation; 20 photographs a class, the seeds 0 to 4, bundled weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from course_utils.arguments import checked
from course_utils.layer_groups import layer_groups
from course_utils.measured import write_measured
from course_utils.metrics import mean_interval, paired_interval
from courseware.claims.adaptations import HEAD_RATES, RATES, Task

SEEDS = (0, 1, 2, 3, 4)
EPOCHS = 20
NET = "test_convnext"  # the best of the bundled nets on photographs


def strategies(task: Task) -> dict[str, float]:
    """Test accuracy (0 to 1) of each strategy, from head alone to all at once."""
    stages = layer_groups(task.new())
    last = [stage.name for stage in stages if len(stage.parameters) > 4][-1]
    models = {
        "head alone": task.best(HEAD_RATES, since=stages[-1].name),
        "last stage and head": task.best(RATES, since=last),
        "all, gradually": task.best(RATES, gradual=True),
        "all at once": task.best(RATES),
        "head first, then all": task.best(RATES, start=task.with_trained_head()),
    }
    return {name: task.score(model) for name, model in models.items()}


def measure(folder: str | Path, *, seeds: tuple[int, ...] = SEEDS) -> dict:
    """Measure all strategies on a folder with train, val and test; return the record."""
    data = f"folder:{Path(folder).resolve()}"
    tasks = [Task.draw(NET, data, seed, epochs=EPOCHS) for seed in seeds]
    by_seed = [strategies(task) for task in tasks]
    sizes = {part: len(getattr(tasks[0].data, part)) for part in ("val", "test")}
    return {
        "photographs": {
            "classes": list(tasks[0].data.classes),
            "train": len(tasks[0].pictures), **sizes,
            "pixels": tasks[0].data.image_size,
        },
        "net": NET,
        "epochs": EPOCHS,
        "rates tried": {"head alone": HEAD_RATES, "others": RATES},
        "seeds": list(seeds),
        "accuracy": {
            name: [round(row[name], 4) for row in by_seed] for name in by_seed[0]
        },
    }  # fmt: skip


@checked
def table(record: dict) -> pd.DataFrame:
    """Accuracy of each strategy, and points over the head alone (paired), with 95 %."""
    scores = record["accuracy"]
    base = scores["head alone"]
    rows = {
        name: {
            "accuracy": f"{mean_interval(values):.3f}",
            "points over head alone": f"{_points(values, base):.1f}"
            if name != "head alone"
            else "",
        }
        for name, values in scores.items()
    }
    return pd.DataFrame(rows).T.rename_axis("strategy")


def _points(values: list[float], base: list[float]):
    return paired_interval([100 * v for v in values], [100 * v for v in base])


def main(argv: list[str] | None = None) -> int:
    """Command line: measure, print, and with --write keep the record."""
    parser = argparse.ArgumentParser(prog="course photos")
    parser.add_argument("folder", type=Path, help="a folder with train, val and test")
    parser.add_argument("--write", action="store_true", help="keep it for lesson 05")
    options = parser.parse_args(argv)
    found = measure(options.folder)
    print(table(found).to_string())
    if options.write:
        made_by = "course photos FOLDER --write"
        write_measured("fine_tuning_on_photos", found, made_by=made_by)
    return 0
