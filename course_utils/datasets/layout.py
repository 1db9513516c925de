"""Which folders are splits and which are classes: told by names and by what they hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from course_utils.datasets.containers import SPLITS
from course_utils.datasets.listing import Listing
from course_utils.errors import DatasetError

_WORDS = {
    "train": ("train", "training", "trn", "trainval"),
    "val": ("val", "valid", "validation", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "holdout"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
_THINGS = "(?:set|data|dataset|images?|imgs?|pictures?|photos?|files|folder|split)?"
_PART = re.compile(f"{_THINGS}({'|'.join(_SPLIT_OF)}){_THINGS}")
_COPY = re.compile(r"^copy of |[\s_-]*\b(copy|kopie|copie)\b|\(\d+\)$")


def split_of(name: str) -> str | None:
    """Return the split that a folder's name speaks of: "seg_train", "valid", "TestSet".

    One of the name's words, at most joined with one like "set" or "images", decides;
    names that speak of two splits speak of none (but "train_val" is train).
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    found = [_PART.fullmatch(word.lower()) for word in words]
    splits = {_SPLIT_OF[match[1]] for match in found if match}
    if splits == {"train", "val"}:
        return "train"
    return splits.pop() if len(splits) == 1 else None


def find_splits(
    root: Path, listing: Listing, splits: Mapping[str, str] | bool | None
) -> tuple[dict[str, Path], list[str]]:
    """Map splits to the folders that hold their classes; a folder of classes is train.

    `splits` says it outright: names of folders by split, or False where each folder is a
    class. Without it, names and contents decide. The notes say what was decided.

    Raises `DatasetError`, which names both readings, where it might be either.
    """
    if splits is False:
        return {"train": root}, []
    if splits is not None:
        return _as_told(root, splits), []
    top, notes = _unpacked(root, listing)
    named = [f for f in listing.subfolders(top) if split_of(f.name)]
    inner = {folder: _inside(folder, listing) for folder in named}
    holding = [folder for folder in named if listing.subfolders(inner[folder])]
    others = [f for f in listing.subfolders(top) if f not in named]
    filled = [f.name for f in others if listing.has_pictures(f)]
    if not _are_splits(root, named, holding, filled):
        _refuse_splits_within(root, listing, [*named, *others])
        return {"train": top}, notes + _as_classes(named, holding)
    found = _by_split(root, holding)
    if set(map(_plain, holding)) != {True}:
        _check_same_classes(root, {s: inner[f] for s, f in found.items()}, listing)
    if others:
        names = ", ".join(folder.name for folder in others)
        notes.append(f"folders beside the splits, ignored: {names}")
    if bare := [folder.name for folder in named if folder not in holding]:
        notes.append(
            f"{', '.join(bare)}: no class folders within, so no labels: ignored"
        )
    if filled or not all(map(_plain, inner.values())):
        read = ", ".join(
            f"{inner[f].relative_to(root)} as {s}" for s, f in found.items()
        )
        notes.append(f"splits by name: {read}. {_as_classes_hint(root)}")
    return {s: inner[found[s]] for s in SPLITS if s in found}, notes


def similar_names(names: Iterable[str]) -> list[list[str]]:
    """Group names that one class may have by mistake: "Cat" and "cat", "cat - Copy"."""
    groups: dict[str, list[str]] = {}
    for name in names:
        folded = _COPY.sub("", unicodedata.normalize("NFKC", name).casefold().strip())
        groups.setdefault(re.sub(r"[\W_]+", "", folded) or name, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _plain(folder: Path) -> bool:
    return folder.name.lower() in _SPLIT_OF


def _are_splits(root: Path, named, holding, filled: list[str]) -> bool:
    """Decide between splits and classes; an error where nothing tells."""
    splits = {split_of(folder.name) for folder in named}
    if not holding:
        if len(splits) > 1 and not filled:
            raise _doubt(
                root,
                named,
                "hold pictures but no class folders. If they are splits, put the "
                "pictures of each into folders that bear their class's name",
            )
        return False
    if len(holding) == 1 and filled and not _plain(holding[0]):
        if split_of(holding[0].name) == "train":
            raise _doubt(root, holding, f"lies beside {', '.join(filled)}")
        return False
    return True


def _by_split(root: Path, folders: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        split = split_of(folder.name)
        if split in found:
            raise DatasetError(
                f"{root} has two folders for {split}: {found[split].name} and "
                f"{folder.name}; keep one, or name them in splits={{'train': …, "
                f"{split!r}: …}}. {_as_classes_hint(root)}"
            )
        found[split] = folder
    if "train" not in found:
        there = " and ".join(folder.name for folder in folders)
        raise DatasetError(
            f"{root} has {there}, but no train folder to learn from: add one, or name "
            f"a folder of classes, as in folder:{folders[0]}. {_as_classes_hint(root)}"
        )
    return found


def _check_same_classes(root: Path, found: dict[str, Path], listing: Listing) -> None:
    """Refuse folders that sound like splits and have no class in common."""
    classes = {s: {c.name for c in listing.subfolders(f)} for s, f in found.items()}
    for split, names in classes.items():
        if not names & classes["train"]:
            raise _doubt(
                root,
                [found["train"], found[split]],
                "sound like splits, but share no class folder. If they are splits, give "
                "them the same class folders",
            )


def _doubt(root: Path, folders: list[Path], why: str) -> DatasetError:
    told = ", ".join(f"{split_of(f.name)!r}: {f.name!r}" for f in folders)
    return DatasetError(
        f"{' and '.join(f.name for f in folders)} of {root}: {why}; or say so with "
        f"splits={{{told}}}. {_as_classes_hint(root)}"
    )


def _as_classes_hint(root: Path) -> str:
    return (
        "Where every folder is a class, say so: "
        f"load_dataset('folder:{root}', splits=False)"
    )


def _as_classes(named: list[Path], holding: list[Path]) -> list[str]:
    if len(named) < 2 and not holding:
        return []
    names = ", ".join(folder.name for folder in named)
    return [
        f"read as classes, though named like splits: {names}; splits= says otherwise"
    ]


def _refuse_splits_within(root: Path, listing: Listing, classes: list[Path]) -> None:
    """Refuse class folders that hold splits: train and test would be one."""
    if len(classes) < 2:
        return
    for folder in classes:
        inner = [f.name for f in listing.subfolders(folder)]
        if len({split_of(name) for name in inner} - {None}) < 2:
            return
    raise DatasetError(
        f"each class folder of {root} holds splits ({', '.join(inner)}), whose pictures "
        f"would be mixed: turn the folders round, as in {inner[0]}/{classes[0].name}. "
        "To split them anew, say splits=False"
    )


def _unpacked(root: Path, listing: Listing) -> tuple[Path, list[str]]:
    """Go into a folder that lies alone, as archives have them."""
    top = root
    while len(inner := listing.subfolders(top)) == 1:
        if split_of(inner[0].name) or listing.loose_pictures(top):
            break
        if not listing.subfolders(inner[0]):
            break
        top = inner[0]
    return top, [] if top == root else [f"classes lie in {top.relative_to(root)}"]


def _inside(folder: Path, listing: Listing) -> Path:
    """The same below a split: seg_train/seg_train/cats, or train/images/cats."""
    while len(inner := listing.subfolders(folder)) == 1:
        again = split_of(inner[0].name) == split_of(folder.name)
        if (
            listing.loose_pictures(folder)
            or not again
            and not listing.subfolders(inner[0])
        ):
            break
        folder = inner[0]
    return folder


def _as_told(root: Path, splits: Any) -> dict[str, Path]:
    if (
        not isinstance(splits, Mapping)
        or "train" not in splits
        or set(splits) - {*SPLITS}
    ):
        raise DatasetError(
            "splits names folders, as in {'train': 'training_set', 'test': 'test_set'} "
            f"(train, and val and test where they are), or is False; got {splits!r}"
        )
    found = {split: root / splits[split] for split in SPLITS if split in splits}
    for split, folder in found.items():
        if not folder.is_dir():
            raise DatasetError(f"splits: {split} is to be {folder}, which is no folder")
    return found
