"""A folder of pictures by `load_dataset` and `make_loader`, against torchvision's way.

    python -m tests.benchmarks.folder_loading FOLDER [--size 224] [--epochs 3]
        [--workers 0 2] [--repeats 3] [--unkept]

Both arms give every picture of the folder in each epoch, decoded, in RGB, as the same
normalised square, in shuffled batches of 64, with the same number of workers. Ours holds
the time of `load_dataset` (hashes, copies, splits); torchvision's is ImageFolder with its
v2 transforms. `later` compares the epochs alone. `--unkept` makes ours read files in each
epoch, as it does where pixels would take more than a gigabyte.

The last line is the first pass alone: `load_dataset` against PIL opening, decoding (with
the same draft) and resizing the same files in as many threads, and doing nothing else.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import pandas as pd
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from course_utils.datasets import files, images, load_dataset
from course_utils.datasets.layout import split_of
from course_utils.training import make_loader
from course_utils.weights import load_backbone

BATCH = 64


def timed(call: Callable) -> tuple[float, object]:
    """Seconds that a call takes, and what it gives."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def an_epoch(loaders: Iterable[DataLoader]) -> int:
    """Go through all batches; return how many pictures came."""
    return sum(len(labels) for loader in loaders for _, labels in loader)


def ours(folder: Path, size: int, workers: int) -> list[DataLoader]:
    """The splits that have pictures."""
    data = load_dataset(folder, image_size=size, transform=transform(size))
    parts = [part for part in (data.train, data.val, data.test) if len(part)]
    options = {"batch_size": BATCH, "shuffle": True, "workers": workers}
    return [make_loader(part, **options) for part in parts]


def theirs(folder: Path, size: int, workers: int) -> list[DataLoader]:
    """An ImageFolder for each split of the folder, or one for all of it."""
    splits = [part for part in sorted(folder.iterdir()) if split_of(part.name)]
    square = [v2.Resize(size), v2.CenterCrop(size), transform(size)]
    sets = [ImageFolder(part, v2.Compose(square)) for part in splits or [folder]]
    options = {"num_workers": workers, "persistent_workers": workers > 0}
    return [DataLoader(part, BATCH, shuffle=True, **options) for part in sets]


def transform(size: int) -> Callable:
    """What a net's weights want, from pictures of this size."""
    with redirect_stdout(StringIO()):
        info = load_backbone("test_resnet", weights="bundled").weights_info
    return info.transform_for(size)


def run(arm: Callable, folder: Path, size: int, workers: int, epochs: int) -> dict:
    """Seconds before the epochs and in them, and pictures a second over both."""
    before, loaders = timed(lambda: arm(folder, size, workers))
    seconds, counts = zip(*[timed(lambda: an_epoch(loaders)) for _ in range(epochs)],
                          strict=True)  # fmt: skip
    return {
        "before s": before, "epoch s": sum(seconds) / epochs,
        "pictures/s": sum(counts) / (before + sum(seconds)),
    }  # fmt: skip


def compare(folder: Path, size: int, workers: int, epochs: int, repeats: int) -> dict:
    """A row: medians of both arms, which take turns, and how many times ours is as fast."""
    runs: dict[str, list] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        for arm in (ours, theirs):
            runs[arm.__name__].append(run(arm, folder, size, workers, epochs))
    one, other = (pd.DataFrame(found).median() for found in runs.values())
    return {
        "workers": workers, **one.add_prefix("ours "), **other.add_prefix("theirs "),
        "times": one["pictures/s"] / other["pictures/s"],
        "later": other["epoch s"] / one["epoch s"],
    }  # fmt: skip


def first_pass(folder: Path, size: int) -> dict:
    """The time of `load_dataset`, and that of a decoder that does nothing else."""
    paths = [p for p in folder.rglob("*") if p.suffix.lower() in images.image_endings()]

    threads = images.reading_threads()

    def decode(share: list[Path]) -> None:
        for path in share:
            with Image.open(path) as image:
                image.draft(None, (2 * size, 2 * size))
                image.load()
                rgb = image if image.mode == "RGB" else image.convert("RGB")
                images.fit_square(rgb, size)

    with ThreadPoolExecutor(threads) as pool:
        shares = [paths[first::threads] for first in range(threads)]
        bare, _ = timed(lambda: list(pool.map(decode, shares)))
    options = {"image_size": size, "transform": transform(size)}
    whole, _ = timed(lambda: load_dataset(folder, **options))
    seconds = {"load s": whole, "decoder s": bare}
    return {"pictures": len(paths), **seconds, "of limit": bare / whole}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--unkept", action="store_true")
    options = parser.parse_args()
    where = options.folder, options.size
    keep = files.fits_in_memory if not options.unkept else lambda *_: False
    with mock.patch.object(files, "fits_in_memory", keep):
        often = options.epochs, options.repeats
        rows = [compare(*where, workers, *often) for workers in options.workers]
        print(pd.DataFrame(rows).set_index("workers").round(2).to_string())
        passes = pd.DataFrame([first_pass(*where) for _ in range(5)]).median()
        print(", ".join(f"{key} {value:.2f}" for key, value in passes.items()))


if __name__ == "__main__":
    main()
