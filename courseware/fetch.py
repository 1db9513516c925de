"""Download what the lessons can use, once: `course fetch`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from course_utils.datasets import fetch_dataset
from course_utils.fetch import fetch

FETCH_LIST = (
    "test_resnet.r160_in1k",
    "test_efficientnet.r160_in1k",
    "test_convnext.r160_in1k",
    "test_vit.r160_in1k",
    "squeezenet1_0",
    "resnet18",
    "efficientnet_b0",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: `course fetch [NAMES …] [--data SETS …] [--mirror URL]`."""
    parser = argparse.ArgumentParser(prog="course fetch", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"default: {', '.join(FETCH_LIST)}")
    parser.add_argument("--data", nargs="+", default=[], help="datasets to download")
    parser.add_argument("--mirror", help="host to download from, http://host:port")
    options = parser.parse_args(argv)
    if options.names or not options.data:
        fetch(options.names or FETCH_LIST, mirror=options.mirror)
    for name in options.data:
        print(f"{name}: in {fetch_dataset(name)}")
    return 0
