"""Record what a net with ImageNet weights sees in the sample photos: `course top5`."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_utils.datasets import sample_photos
from course_utils.measured import write_measured
from course_utils.predictions import top_k
from course_utils.weights import load_backbone

MODEL = "squeezenet1_0"


def record() -> Path:
    """Rewrite the recorded top 5 from the cached ImageNet weights."""
    model = load_backbone(MODEL, weights="imagenet")
    top5 = {
        name: top_k(model, photo).round(3).to_dict("records")
        for name, photo in sample_photos().items()
    }
    made_with = {"model": MODEL, "weights": model.weights_info.source}
    return write_measured(
        "photo_top5", top5, made_by="course top5", made_with=made_with
    )


def main(argv: list[str] | None = None) -> int:
    """Command line: record, and say where."""
    argparse.ArgumentParser(prog="course top5", description=__doc__).parse_args(argv)
    print(record().name)
    return 0
