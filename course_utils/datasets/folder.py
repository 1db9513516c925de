"""`folder:PATH`: a person's own images, sorted into folders by class."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from course_utils.datasets.containers import DatasetReport
from course_utils.datasets.files import LabelledFiles, median_short_side, read_pools
from course_utils.datasets.layout import find_splits, similar_names
from course_utils.datasets.listing import Listing
from course_utils.datasets.splits import Native, Source
from course_utils.errors import DatasetError


def folder_source(
    path: str | Path,
    *,
    size: Callable[[Native], int],
    on_error: str,
    splits: Mapping[str, str] | bool | None = None,
) -> Source:
    """Read a folder that holds train, val and test, some of them, or classes at once.

    The name of the folder directly below is the class; images lie in it at any depth.
    `splits` is what `load_dataset` says. What is no image, and what systems made, is
    counted in the report's notes.

    Raises `DatasetError` for a missing or empty folder, a class without images, fewer
    than two classes, and folders that may be splits or classes.
    """
    root = find_folder(path)
    report = DatasetReport(source=f"folder {root.name}")
    try:
        classes, listed = _listed(root, splits, report)
    except OSError as error:
        raise DatasetError(
            f"{error.filename} cannot be read ({error.strerror}): give yourself the right "
            "to read it, or take another folder"
        ) from error
    every = [path for files in listed.values() for path in files.paths]
    image_size = size(partial(median_short_side, every))
    pools = read_pools(
        listed, root=root, image_size=image_size, on_error=on_error, report=report
    )
    broken = f"; broken: {report.broken[0][0]}" if report.broken else ""
    _check_filled(
        root, classes, pools, "readable image", dict.fromkeys(classes, broken)
    )
    _note_absent_classes(classes, pools, report)
    return Source(root.name, classes, pools, report, image_size)


def _listed(root: Path, splits: Any, report: DatasetReport):
    """Class names, and the image files of each split."""
    listing = Listing(root)
    folders, notes = find_splits(root, listing, splits)
    classes = _classes(root, folders, listing)
    listing.expect(f / name for f in folders.values() for name in classes)
    listed = {s: _list_files(f, classes, listing) for s, f in folders.items()}
    filled = {
        classes[label] for files in listed.values() for label in set(files.labels)
    }
    empty = {n: [f / n for f in folders.values()] for n in classes if n not in filled}
    there = {name: listing.others_in(below) for name, below in empty.items()}
    why = {n: f"; what lies there is no image: {o}" for n, o in there.items() if o}
    _check_filled(root, classes, listed, "image", why)
    if loose := sum(map(listing.loose_pictures, folders.values())):
        notes.append(f"images outside class folders, ignored: {loose}")
    if "test" in folders and "val" not in folders:
        notes.append("no folder for val: it is made from part of train")
    for group in similar_names(classes):
        names = " and ".join(map(repr, group))
        notes.append(f"classes whose names may mean one: {names}")
    report.notes += notes + listing.notes()
    report.ignored = listing.ignored
    return classes, listed


def find_folder(path: str | Path) -> Path:
    """Return the folder; a relative one as seen from PWD, from here, from one above.

    Notebooks run in a folder of the project, and their paths are meant from its root.
    """
    if not str(path).strip() or "\0" in str(path):
        raise DatasetError('a folder needs a path, as in "folder:my_photos"')
    try:
        wanted = Path(path).expanduser()
    except RuntimeError as error:
        raise DatasetError(f"no folder {str(path)!r}: {error}") from None
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


def _classes(root: Path, folders: dict[str, Path], listing: Listing) -> list[str]:
    """Return the class names of all splits in order, at least two."""
    names = {c.name for folder in folders.values() for c in listing.subfolders(folder)}
    if not names:
        raise DatasetError(_why_no_classes(root, listing))
    if len(names) == 1:
        only = names.pop()
        raise DatasetError(
            f"{root} has only one class, {only!r}: a classifier needs at least two "
            "class folders side by side"
        )
    return sorted(names)


def _why_no_classes(root: Path, listing: Listing) -> str:
    loose = listing.loose_pictures(root)
    if loose:
        return (
            f"{root} holds {loose} images but no class folders: put the images of "
            "each class into a folder that bears the class's name"
        )
    return f"{root} is empty: expected one folder a class, with images inside"


def _list_files(folder: Path, classes: list[str], listing: Listing) -> LabelledFiles:
    files = LabelledFiles([], [])
    for label, name in enumerate(classes):
        if (folder / name).is_dir():
            found = list(listing.pictures(folder / name))
            files.paths += found
            files.labels += [label] * len(found)
    return files


def _check_filled(root: Path, classes, parts, what: str, why: dict) -> None:
    """Refuse a class that has nothing to learn from; `why` says more by class."""
    for label, name in enumerate(classes):
        filled = [split for split, part in parts.items() if label in part.labels]
        if "train" in filled:
            continue
        where = f" in train (only in {', '.join(filled)})" if filled else ""
        like = [" and ".join(map(repr, g)) for g in similar_names(classes) if name in g]
        raise DatasetError(
            f"class {name!r} of {root} has no {what}{where}: add images or remove the "
            f"folder{why.get(name, '')}{''.join(f'. Are {g} one class?' for g in like)}"
        )


def _note_absent_classes(classes, pools, report: DatasetReport) -> None:
    for split, pool in pools.items():
        absent = [name for i, name in enumerate(classes) if i not in set(pool.labels)]
        if absent:
            report.notes.append(
                f"classes without images in {split}: {', '.join(absent)}"
            )
