"""What lies in a folder of pictures, told from names alone: no file is opened."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from course_utils.datasets.images import image_endings

_CLUTTER = frozenset(
    ["__macosx", "__pycache__", "lost+found", "system volume information", "recycler",
     "#recycle", "#snapshot", "thumbs.db", "ehthumbs.db", "desktop.ini"]
)  # fmt: skip
_HEIF = {".heic", ".heif", ".hif"}
_HEIF_HINT = (
    ".heic is read after `pip install pillow-heif` and "
    "pillow_heif.register_heif_opener(), or converted to .jpg"
)


def is_clutter(name: str) -> bool:
    """Tell by its name whether a file or folder was made by a system, not a person."""
    return name.startswith((".", "@", "$")) or name.lower() in _CLUTTER


class Listing:
    """List folders and pictures of a data set, and remember what was passed over.

    Links are followed, as torchvision's ImageFolder does, but each folder is read once:
    a link to one that is read anyway, or that holds the data set, is passed over.
    """

    def __init__(self, root: Path):
        self._root = os.path.realpath(root)
        self._classes: list[str] = []
        self._endings = image_endings()
        self._others: dict[Path, str] = {}  # files that are no pictures, their endings
        self._passed: dict[Path, str] = {}  # why an entry was passed over
        self._links: set[Path] = set()
        self._entered: dict[str, Path] = {}  # what links led to, and which was first

    def subfolders(self, folder: Path) -> list[Path]:
        """Return the folders directly below, in order, without those of systems."""
        return self._entries(folder)[0]

    def expect(self, classes: Iterable[Path]) -> None:
        """Take note of the folders of the classes, before their pictures are listed."""
        for folder in classes:
            self._classes.append(os.path.realpath(folder))
            if folder.is_symlink():
                self._links.add(folder)

    def loose_pictures(self, folder: Path) -> int:
        """Count the pictures that lie directly in a folder; other files are noted."""
        return sum(map(self._is_picture, self._entries(folder)[1]))

    def pictures(self, folder: Path) -> Iterator[Path]:
        """Yield the pictures below a folder at any depth, in a fixed order."""
        folders, files = self._entries(folder)
        yield from filter(self._is_picture, files)
        for inner in folders:
            if not inner.is_symlink() or self._enters(inner):
                yield from self.pictures(inner)

    def has_pictures(self, folder: Path) -> bool:
        """Tell whether a picture lies below a folder."""
        return any(True for _ in Listing(folder).pictures(folder))

    def others_in(self, folders: Iterable[Path]) -> str:
        """List the files below some folders that are no pictures, such as "3 .txt"."""
        return _endings(
            ending
            for path, ending in self._others.items()
            if any(path.is_relative_to(folder) for folder in folders)
        )

    @property
    def ignored(self) -> Counter:
        """How many files were no pictures, by ending."""
        return Counter(self._others.values())

    def notes(self) -> list[str]:
        """Say what was passed over, and which links were followed."""
        found = []
        if self._others:
            found.append(f"ignored, not images: {_endings(self._others.values())}")
        if self._passed:
            found.append(f"passed over: {_counted(self._passed.values())}")
        if self._links:
            found.append(f"links followed: {len(self._links)}")
        return found

    def _entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Folders and files directly below, sorted; what is neither is never opened."""
        folders, files = [], []
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path, link = folder / entry.name, entry.is_symlink()
                if is_clutter(entry.name):
                    self._passed[path] = entry.name
                elif os.path.isdir(entry) if link else entry.is_dir():
                    folders.append(path)
                elif os.path.isfile(entry) or not os.path.exists(entry):
                    files.append(path)  # a broken link is reported when it is read
                    if link:
                        self._links.add(path)
                else:
                    self._passed[path] = "pipes, sockets or devices"
        return folders, files

    def _is_picture(self, path: Path) -> bool:
        ending = path.suffix.lower()
        if ending not in self._endings:
            self._others[path] = ending or "without an ending"
        return ending in self._endings

    def _enters(self, link: Path) -> bool:
        """Whether to follow a link to a folder: not twice, and not in a circle."""
        target = os.path.realpath(link)
        again = self._entered.setdefault(target, link) != link
        own = any(_within(target, c) or _within(c, target) for c in self._classes)
        if again or own or _within(self._root, target):
            self._passed[link] = "links to folders that are read anyway"
            return False
        self._links.add(link)
        return True


def _within(inner: str, outer: str) -> bool:
    return Path(inner).is_relative_to(outer)


def _endings(names: Iterable[str]) -> str:
    names = list(names)
    return _counted(names) + ("" if _HEIF.isdisjoint(names) else f" ({_HEIF_HINT})")


def _counted(names: Iterable[str], most: int = 6) -> str:
    found = Counter(names).most_common()
    listed = [f"{count} {name}" for name, count in found[:most]]
    return ", ".join(listed + (["…"] if len(found) > most else []))
