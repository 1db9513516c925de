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
    top, notes = _unpacked(root, listing, None), []
    if top != root:
        notes.append(f"classes lie in {top.relative_to(root)}")
    folders = listing.subfolders(top)
    named = [f for f in folders if split_of(f.name)]
    inner = {f: _unpacked(f, listing, split_of(f.name)) for f in named}
    holding = [folder for folder in named if listing.subfolders(inner[folder])]
    others = [f.name for f in folders if f not in named]
    filled = [name for name in others if listing.has_pictures(top / name)]
    if not _are_splits(top, named, holding, filled):
        _refuse_splits_within(top, folders, listing)
        if holding or len(named) > 1:
            names = ", ".join(folder.name for folder in named)
            notes.append(f"classes, though named like splits: {names} (see splits=)")
        return {"train": top}, notes
    found = _by_split(top, holding, inner, listing)
    if others:
        notes.append(f"folders beside the splits, ignored: {', '.join(others)}")
    if bare := [folder.name for folder in named if folder not in holding]:
        notes.append(f"no class folders within, so no labels: {', '.join(bare)}")
    if filled or not all(map(_plain, found.values())):
        read = ", ".join(f"{f.relative_to(root)} as {s}" for s, f in found.items())
        notes.append(f"splits by name: {read}. {_as_classes(root)}")
    return found, notes


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
    if not holding and not filled and len({split_of(f.name) for f in named}) > 1:
        raise _doubt(root, named, "pictures without class folders: if these are splits, "
                     "put each picture into a folder of its class's name")  # fmt: skip
    if len(holding) == 1 and filled and not _plain(holding[0]):
        if split_of(holding[0].name) == "train":
            raise _doubt(root, holding, f"is it a split beside {', '.join(filled)}?")
        return False
    return bool(holding)


def _by_split(root: Path, folders: list[Path], inner, listing) -> dict[str, Path]:
    """Folders of classes by split: one of each, train among them, with common classes."""
    by_split = {s: [f for f in folders if split_of(f.name) == s] for s in SPLITS}
    for split, several in by_split.items():
        if len(several) > 1:
            raise _doubt(root, several, f"two folders for {split}: keep one")
    if not by_split["train"]:
        raise _doubt(root, folders, "no train folder to learn from: add one, or name a "
                     f"folder of classes, as in folder:{folders[0]}")  # fmt: skip
    found = {split: inner[f] for split, folders in by_split.items() for f in folders}
    classes = {s: {c.name for c in listing.subfolders(f)} for s, f in found.items()}
    for split, names in classes.items():
        if not names & classes["train"] and not all(map(_plain, folders)):
            both = [f for s in ("train", split) for f in by_split[s]]
            raise _doubt(root, both, "named like splits, without a class in common: if "
                         "these are splits, give them the same class folders")  # fmt: skip
    return found


def _doubt(root: Path, folders: list[Path], why: str) -> DatasetError:
    names = " and ".join(folder.name for folder in folders)
    told = {split_of(folder.name): folder.name for folder in folders}
    return DatasetError(
        f"{names} in {root}: {why}; or say it with splits={told}. {_as_classes(root)}"
    )


def _as_classes(root: Path) -> str:
    return (
        "Where every folder is a class, say so: "
        f"load_dataset('folder:{root}', splits=False)"
    )


def _refuse_splits_within(root: Path, classes: list[Path], listing: Listing) -> None:
    """Refuse class folders that each hold splits: train and test would be mixed."""
    inner = [[f.name for f in listing.subfolders(folder)] for folder in classes]
    mixed = [len({split_of(name) for name in names} - {None}) > 1 for names in inner]
    if len(mixed) > 1 and all(mixed):
        raise DatasetError(
            f"each class folder of {root} holds splits ({', '.join(inner[0])}), whose "
            f"pictures would be mixed: turn the folders round, as in {inner[0][0]}/"
            f"{classes[0].name}. To split them anew, say splits=False"
        )


def _unpacked(folder: Path, listing: Listing, split: str | None) -> Path:
    """Go into folders that lie alone, as archives have them: seg_train/seg_train/cat."""
    while len(inner := listing.subfolders(folder)) == 1:
        named = split_of(inner[0].name)
        deeper = named == split if named else listing.subfolders(inner[0])
        if not deeper or listing.loose_pictures(folder):
            break
        folder = inner[0]
    return folder


def _as_told(root: Path, splits: Any) -> dict[str, Path]:
    named = splits if isinstance(splits, Mapping) else {}
    if "train" not in named or not {*SPLITS}.issuperset(named):
        raise DatasetError(
            "splits names folders, as in {'train': 'training_set', 'test': 'test_set'} "
            f"(train, and val and test where they are), or is False; got {splits!r}"
        )
    found = {split: root / str(named[split]) for split in SPLITS if split in named}
    for split, folder in found.items():
        if not folder.is_dir():
            raise DatasetError(f"splits: {split} is to be {folder}, which is no folder")
    return found
