"""Files of checkpoints: written so that damage is noticed, read without running code."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.durable import durable_path, keep_as
from course_utils.errors import CheckpointError, DamagedCheckpoint
from course_utils.state_files import read_file

__all__ = ["previous_path"]

_MARK = b"sha256 of what stands before: "  # a zip may end with a comment
_COMMENT = len(_MARK) + 64  # bytes


def previous_path(path: str | Path) -> Path:
    """Return where the checkpoint before `path` is kept.

    >>> from course_utils.checkpoint_files import previous_path
    >>> previous_path("runs/last.pt").name
    'last.pt.previous'
    """
    path = Path(path)
    return path.with_name(path.name + ".previous")


def write_checkpoint(content: dict, path: Path) -> None:
    """Write a dictionary with a checksum, synced to disk; the file before is kept.

    NumPy's numbers become Python's. Raises `CheckpointError`, and leaves what was there,
    for a value that could not be read again and where nothing can be written.
    """
    _check_target(path)
    content = {k: v if k == "model" else _plain(v) for k, v in content.items()}
    _check_loadable(content, path)
    try:
        with durable_path(path) as temporary:
            with open(temporary, "wb") as file:
                torch.save(content, file)
            _add_checksum(temporary)
            if path.is_file():
                keep_as(path, previous_path(path))
    except (OSError, RuntimeError) as error:  # torch says neither "disk" nor "full"
        free = f"{shutil.disk_usage(_existing(path)).free / 1e6:,.0f} MB are free there"
        raise CheckpointError(
            f"{path} was not written: {error}. {free}: make room, or take another disk "
            "or folder. If there was a checkpoint, the one before is kept"
        ) from error


def read_checkpoint(path: Path) -> dict:
    """Read `path`; where it is damaged or gone, the one before it, with a printed word.

    Raises `CheckpointError`; `DamagedCheckpoint` where there is no whole one.
    """
    before = previous_path(path)
    try:
        if not path.is_file():
            raise DamagedCheckpoint(f"no checkpoint at {path}")
        return _read(path)
    except DamagedCheckpoint as error:
        if not before.is_file():
            raise
        print(f"{error}\nTaking the checkpoint before it, {before.name}.")
        return _read(before)


def _read(path: Path) -> dict:
    if path.suffix != ".safetensors" and not _is_whole(path):
        raise DamagedCheckpoint(
            f"{path.name} is damaged or cut short ({path.stat().st_size:,} bytes), or "
            "never was a checkpoint: save it again"
        )
    content = read_file(path)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise CheckpointError(
            f"{path} is not a checkpoint of save_checkpoint. Load bare weights with "
            "weights.load_backbone(name, weights=path)"
        )
    return content


def _existing(path: Path) -> Path:
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def _add_checksum(path: Path) -> None:
    """End a zip with a comment: the SHA-256 of all that stands before the digest."""
    with open(path, "r+b") as file:
        file.seek(-2, os.SEEK_END)  # where the comment's length stands
        file.write(_COMMENT.to_bytes(2, "little") + _MARK)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.write(digest.encode())


def _is_whole(path: Path) -> bool:
    """Whether a file is what `save_checkpoint` wrote, to the bit.

    Those of before there was a checksum are held against their zip's own.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _COMMENT))
        end = file.read()
        if end.startswith(_MARK):
            file.seek(0)
            return _sha256(file, size - 64) == end[len(_MARK) :].decode("latin-1")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged zip raises a dozen kinds
        return False


def _sha256(file: io.BufferedReader, size: int) -> str:
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, 1 << 20))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _check_target(path: Path) -> None:
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: name a file in it, such as run.pt")
    if path.suffix == ".safetensors":
        raise CheckpointError(
            f"{path}: safetensors holds tensors only, a checkpoint more. Name it .pt"
        )


# -- what a file can hold --------------------------------------------------------------


def _plain(value: Any) -> Any:
    """The same with NumPy's numbers as Python's, which alone can be read back."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {_plain(k): _plain(v) for k, v in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def _check_loadable(content: dict, path: Path) -> None:
    """Refuse, by its place, a value that `read_checkpoint` would not read."""
    if _comes_back(content):
        return
    where, value = _culprit(content)
    raise CheckpointError(
        f"{path} was not written: {where} is a {type(value).__name__}, which could not be "
        "loaded again. Only tensors, numbers, texts, and lists, tuples and dictionaries "
        "of them can: take str(…) or float(…) of it, or leave it out"
    )


def _comes_back(value: Any) -> bool:
    file = io.BytesIO()
    try:
        torch.save(_without_numbers(value, torch.empty(0)), file)
        torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    except Exception:  # whatever a foreign object's pickling raises
        return False
    return True


def _without_numbers(value: Any, empty: torch.Tensor) -> Any:
    """The same, each tensor an empty one: what decides is what stands around them."""
    kind = type(value)
    if kind in (torch.Tensor, nn.Parameter):
        return empty
    if kind in (dict, OrderedDict):
        return kind((k, _without_numbers(v, empty)) for k, v in value.items())
    if kind in (list, tuple):
        return kind(_without_numbers(v, empty) for v in value)
    return value


def _culprit(content: dict) -> tuple[str, Any]:
    """The place of a value that does not come back, such as history['time'][0]."""
    where, value = "", content
    while True:
        for key, child in _children(value):
            if not _comes_back(child):
                where, value = f"{where}[{key!r}]" if where else key, child
                break
        else:
            return where, value


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
