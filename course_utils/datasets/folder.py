"""`folder:PATH`: a person's own images, sorted into folders by class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path

from course_utils.datasets.containers import SPLITS, DatasetReport
from course_utils.datasets.files import LabelledFiles, median_short_side, read_pools
from course_utils.datasets.images import EXTENSIONS
from course_utils.datasets.splits import Source
from course_utils.errors import DatasetError

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_CLUTTER = {"__macosx", "thumbs.db", "desktop.ini"}


def folder_source(
    path: str | Path, *, size: Callable[[int | None], int], on_error: str
) -> Source:
    """Read a folder that holds train, val and test, some of them, or classes at once.

    The name of the folder directly below is the class; images lie in it at any depth.
    Hidden files are passed over, other files that are no images are counted.

    Raises `DatasetError` for a missing or empty folder, a class without images, or
    fewer than two classes.
    """
    root = find_folder(path)
    report = DatasetReport(source=f"folder {root.name}")
    split_folders = _split_folders(root, report)
    classes = _classes(root, split_folders)
    listed = {
        split: _list_files(folder, classes, report)
        for split, folder in split_folders.items()
    }
    _check_filled(root, classes, listed, "image")
    every = [path for files in listed.values() for path in files.paths]
    image_size = size(median_short_side(every))
    pools = read_pools(
        listed, root=root, image_size=image_size, on_error=on_error, report=report
    )
    _check_filled(root, classes, pools, "readable image", report)
    _note_absent_classes(classes, pools, report)
    return Source(root.name, classes, pools, report, image_size)


def find_folder(path: str | Path) -> Path:
    """Return the folder; a relative one as seen from PWD, from here, from one above.

    Notebooks run in a folder of the project, and their paths are meant from its root.
    """
    if not str(path).strip():
        raise DatasetError('a folder needs a path, as in "folder:my_photos"')
    wanted = Path(path).expanduser()
    bases = [Path(os.environ.get("PWD", ".")), Path(), Path("..")]
    tried = list(dict.fromkeys((base / wanted).resolve() for base in bases))
    for candidate in tried:
        if candidate.is_dir():
            return candidate
    for candidate in tried:
        if candidate.is_file():
            raise DatasetError(
                f"{candidate} is a file: unpack it, and name the folder that holds "
                "one folder a class"
            )
    looked = ", ".join(str(candidate) for candidate in tried)
    raise DatasetError(
        f"no folder {str(path)!r} (looked for {looked}){_nearest(tried)}"
    )


def _nearest(tried: list[Path]) -> str:
    for missing in tried:
        if missing.parent.is_dir():
            there = [p.name for p in missing.parent.iterdir() if p.is_dir()]
            close = get_close_matches(missing.name, there, n=1)
            if close:
                return f"; did you mean {close[0]!r}?"
    return "; check the spelling, or give the whole path"


def _split_folders(root: Path, report: DatasetReport) -> dict[str, Path]:
    """Map splits to their folders; a folder of classes is all train."""
    folders = _subfolders(root)
    named = [f for f in folders if f.name.lower() in _SPLIT_NAMES and _subfolders(f)]
    if not named:
        return {"train": root}
    found: dict[str, Path] = {}
    for folder in named:
        split = _SPLIT_NAMES[folder.name.lower()]
        if split in found:
            raise DatasetError(
                f"{root} has two folders for {split}: {found[split].name} and "
                f"{folder.name}; keep one"
            )
        found[split] = folder
    _check_train(root, found)
    others = [f.name for f in folders if f not in named]
    if others:
        report.notes.append(f"folders beside the splits, ignored: {', '.join(others)}")
    return {split: found[split] for split in SPLITS if split in found}


def _check_train(root: Path, found: dict[str, Path]) -> None:
    if "train" not in found:
        there = " and ".join(folder.name for folder in found.values())
        raise DatasetError(
            f"{root} has {there}, but no train folder to learn from: add one, or name "
            f"a folder of classes, as in folder:{next(iter(found.values()))}"
        )


def _classes(root: Path, split_folders: dict[str, Path]) -> list[str]:
    """Return the class names of all splits in order, at least two."""
    names = {c.name for folder in split_folders.values() for c in _subfolders(folder)}
    if not names:
        raise DatasetError(_why_no_classes(root))
    if len(names) == 1:
        only = names.pop()
        raise DatasetError(
            f"{root} has only one class, {only!r}: a classifier needs at least two "
            "class folders side by side"
        )
    return sorted(names)


def _why_no_classes(root: Path) -> str:
    loose = sum(is_image(path) for path in root.iterdir())
    if loose:
        return (
            f"{root} holds {loose} images but no class folders: put the images of "
            "each class into a folder that bears the class's name"
        )
    return f"{root} is empty: expected one folder a class, with images inside"


def _list_files(
    folder: Path, classes: list[str], report: DatasetReport
) -> LabelledFiles:
    files = LabelledFiles([], [])
    report.ignored_files += sum(p.is_file() for p in folder.iterdir() if not _hidden(p))
    for label, name in enumerate(classes):
        for path in _walk(folder / name):
            if not is_image(path):
                report.ignored_files += 1
                continue
            files.paths.append(path)
            files.labels.append(label)
    return files


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder that are not hidden, in a fixed order."""
    for here, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(f for f in subfolders if not _hidden(Path(f)))
        yield from (Path(here, f) for f in sorted(files) if not _hidden(Path(f)))


def _check_filled(root: Path, classes, parts, what: str, report=None) -> None:
    """Refuse a class that has nothing to learn from."""
    for label, name in enumerate(classes):
        filled = [split for split, part in parts.items() if label in part.labels]
        if "train" in filled:
            continue
        where = f" in train (only in {', '.join(filled)})" if filled else ""
        broken = f"; broken: {report.broken[0][0]}" if report and report.broken else ""
        raise DatasetError(
            f"class {name!r} of {root} has no {what}{where}: add images or remove the "
            f"folder{broken}"
        )


def _note_absent_classes(classes, pools, report: DatasetReport) -> None:
    for split, pool in pools.items():
        absent = [name for i, name in enumerate(classes) if i not in set(pool.labels)]
        if absent:
            report.notes.append(
                f"classes without images in {split}: {', '.join(absent)}"
            )


def is_image(path: Path) -> bool:
    """Tell by its ending whether a file should be an image."""
    return path.suffix.lower() in EXTENSIONS and not _hidden(path)


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in _CLUTTER


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not _hidden(p))
