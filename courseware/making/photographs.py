"""Claims measured on a folder of real photographs, recorded with the device that ran them.

    course photographs FOLDER [--device cuda] [--seeds 0 1 …] [--keep DIRECTORY] [--write]

The protocols are the claims' own, with EfficientNet-Lite0 and its ImageNet weights at 96
px. The photographs are not part of the course; what was measured on them is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import timm
import torch
import torchvision

from course_utils.measured import write_measured
from course_utils.storage import atomic_path
from courseware.claims.adaptations import LITE, splits
from courseware.claims.measuring import SEEDS, rounded
from courseware.claims.stored import current_hashes, find_protocol

SIDE = 96  # pixels
CUTS = {  # of each claim's protocol: the student of C11 keeps its own 64 pixels
    "C6": {"nets": (LITE,), "sizes": (2, 5, 10, 20, 50, 100), "side": SIDE},
    "C7": {"nets": (LITE,), "side": SIDE},
    "C9": {"nets": (LITE,), "side": SIDE},
    "C11": {},
    "C16": {"nets": (LITE,), "side": SIDE},
}


def measure(folder: Path, seeds: Iterable[int], device: str, keep: Path) -> None:
    """Measure every claim for some seeds; each result is kept as a file of its own."""
    keep.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for id, cut in CUTS.items():
            file = keep / f"{id}-{seed}.json"
            if file.is_file():
                continue
            rows = find_protocol(id).measure(
                seed, targets=(_name(folder),), device=device, **cut
            )
            with atomic_path(file) as path:
                path.write_text(json.dumps(rows), encoding="utf-8")


def record(folder: Path, keep: Path) -> dict:
    """Join what was kept: {claim: its rows, one value a seed}, and the photographs."""
    parts = splits(LITE, _name(folder), SIDE)
    kept = {
        id: [json.loads((keep / f"{id}-{seed}.json").read_text("utf-8"))
             for seed in SEEDS]
        for id in CUTS
    }  # fmt: skip
    return {
        "photographs": {
            "classes": list(parts["test"].classes),
            **{part: len(pictures) for part, pictures in parts.items()},
        },
        "seeds": list(SEEDS),
        "claims": {
            id: {"rows": rounded(found), "hashes": current_hashes(find_protocol(id))}
            for id, found in kept.items()
        },
    }


def _name(folder: Path) -> str:
    return f"folder:{folder.resolve()}"


def main(argv: list[str] | None = None) -> int:
    """Command line: measure, and with --write keep the record."""
    parser = argparse.ArgumentParser(prog="course photographs", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder with train, val and test")
    parser.add_argument("--device", default="cpu", help="where to compute")
    parser.add_argument("--device-name", help="what to call it, and its torch")
    parser.add_argument("--seeds", type=int, nargs="*", choices=SEEDS, default=SEEDS)
    parser.add_argument("--keep", type=Path, default=Path("photographs"))
    parser.add_argument("--write", action="store_true", help="keep it for the lessons")
    options = parser.parse_args(argv)
    measure(options.folder, options.seeds, options.device, options.keep)
    if options.write:
        write_measured(
            "photographs",
            record(options.folder, options.keep),
            made_by="course photographs FOLDER --write",
            made_with={
                "device": options.device_name or options.device,
                "torch": torch.__version__.split("+")[0],
                "torchvision": torchvision.__version__.split("+")[0],
                "timm": timm.__version__,
            },
        )
    return 0
