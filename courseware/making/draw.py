"""Draw the target sets anew: `course draw FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path

from courseware.making.drawing.bundle import write_bundled


def main(argv: list[str] | None = None) -> int:
    """Read the folder from the command line and fill it."""
    parser = argparse.ArgumentParser(
        prog="course draw",
        description="Draw flowers, cells and defects as contact sheets with labels.",
    )
    parser.add_argument(
        "folder", type=Path, help="where to; data/images holds the shipped sets"
    )
    write_bundled(parser.parse_args(argv).folder)
    return 0
