"""Read a file of weights without running code; say what it is if it is none."""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load
from torch.serialization import safe_globals

from course_utils.errors import CheckpointError, DamagedCheckpoint

FILES = (
    ".safetensors",
    ".pth",
    ".pt",
    ".bin",
    ".ckpt",
    ".th",
    ".tar",
    ".pkl",
    ".model",
)
# What training scripts save beside the weights, and which only holds values: arguments,
# and NumPy's numbers under the names of its versions 1 and 2.
_SCALAR = np.float64(0).__reduce__()[0]
_HARMLESS = [
    Namespace,
    np.dtype,
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *(type(np.dtype(kind)) for kind in "?bhilqBHILQefd"),
]
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def read_file(path: Path) -> object:
    """Read what torch.save or safetensors wrote to the CPU; pickled code is refused.

    Which of the two wrote it is told by the contents. Raises `CheckpointError`;
    `DamagedCheckpoint` where the file is cut short, or is something else (it says what).

    >>> import torch
    >>> from course_utils.state_files import read_file
    >>> torch.save({"epoch": 3, "model": torch.nn.Linear(8, 5).state_dict()}, "mine.pth")
    >>> sorted(read_file("mine.pth"))
    ['epoch', 'model']
    >>> torch.save(torch.nn.Linear(8, 5), "pickled.pth")
    >>> read_file("pickled.pth")
    Traceback (most recent call last):
        ...
    course_utils.errors.CheckpointError: pickled.pth holds pickled code
    (torch.nn.modules.linear.Linear), which could run anything on your machine. ...
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if problem := _no_weights(data):
        raise DamagedCheckpoint(f"{path.name} {problem}")
    try:
        if _is_safetensors(data):
            return load(data)
        with warnings.catch_warnings(), safe_globals(_HARMLESS):
            warnings.simplefilter("ignore")  # on the protocol of foreign pickles
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported operand" in str(error):  # which no pickle holds
            raise DamagedCheckpoint(f"{path.name} {_damaged(data)}") from error
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"pickled code ({named[1]})" if named else "pickled code"
        raise CheckpointError(
            f"{path.name} holds {what}, which could run anything on your "
            "machine. Ask for a state_dict saved as safetensors, or by "
            "torch.save(model.state_dict(), path)."
        ) from error
    except Exception as error:  # a damaged pickle raises a dozen kinds
        raise DamagedCheckpoint(f"{path.name} {_damaged(data)}") from error


def _no_weights(data: bytes) -> str:
    """Say what a file is that cannot hold weights, and what to do; "" if it may."""
    start = data[:1024].lstrip().lower()
    if data.count(0) == len(data):
        what = f"holds nothing but {len(data):,} zero bytes" if data else "is empty"
        return f"{what}, so it is {_damaged(data).removeprefix('is ')}"
    if start.startswith(b"version https://git-lfs"):
        return (
            "is a pointer of git-lfs, not the weights: run `git lfs pull` where it comes "
            "from, or download the file itself."
        )
    if start.startswith(_PAGES):
        return (
            "is a web page, not weights: the link led to a page about the file, or to a "
            "login. Download the file itself."
        )
    if data.startswith(b"PK"):
        return _no_torch_zip(data)
    if not _is_safetensors(data) and not _is_pickle(data):
        return (
            "is no file of weights: neither torch.save nor safetensors wrote it, or it "
            f"{_damaged(data)}"
        )
    return ""


def _is_safetensors(data: bytes) -> bool:
    return data[8:9] == b"{" and not data.startswith(b"PK")


def _is_pickle(data: bytes) -> bool:
    tar = data[257:262] == b"ustar"  # as torch wrote before 0.1.10
    return tar or (data.startswith(b"\x80") and data[1:2] in b"\x02\x03\x04\x05")


def _damaged(data: bytes) -> str:
    return f"is damaged or cut short ({len(data):,} bytes): fetch or save it again."


def _no_torch_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names, changed = archive.namelist(), archive.testzip()
    except Exception:  # a damaged zip raises a dozen kinds
        return _damaged(data)
    if changed:  # torch.load would not notice, and give other numbers
        return f"{_damaged(data)} It is {changed} in it that has changed."
    ours = any(name.endswith("data.pkl") for name in names)
    if not ours or any(name.endswith("constants.pkl") for name in names):
        return (
            "is an archive of something else (torch.jit, torch.export, NumPy, …), not "
            "weights: ask for a state_dict saved as safetensors, or by torch.save."
        )
    return ""
