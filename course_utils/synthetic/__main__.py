"""Draw the target sets anew: `python -m course_utils.synthetic FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_utils.synthetic.bundle import write_bundled


def main() -> None:
    """Read the folder from the command line and fill it."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.synthetic",
        description="Draw flowers, cells and defects as contact sheets with labels.",
    )
    parser.add_argument(
        "folder", type=Path, help="where to; data/images holds the shipped sets"
    )
    write_bundled(parser.parse_args().folder)


if __name__ == "__main__":
    main()
