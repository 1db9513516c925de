"""Download pretrained weights and real datasets, once, whole or not at all.

Weights go where torchvision and timm look for them, so that both find them later.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import getproxies

import huggingface_hub
from huggingface_hub import constants as hub
from torch.hub import download_url_to_file

from course_utils.architectures import parse_name
from course_utils.errors import WeightsUnavailable
from course_utils.meta_tensors import build_on_meta
from course_utils.storage import atomic_path, sha256_file
from course_utils.weights import (
    released_info,
    timm_config,
    timm_path,
    torchvision_path,
    torchvision_weights,
)

PATIENCE = 2.5  # seconds for a host to answer at all
TIMEOUT = 10  # seconds without a byte, once it does
_FILE = "model.safetensors"


class _Failed(WeightsUnavailable):
    """One model did not arrive: which, why, and where its file belongs."""

    def __init__(self, name: str, url: str, place: Path, reason: str, offline: bool):
        super().__init__(f"{name}: {reason}, from {url}; its file belongs in {place}")
        self.name, self.offline = name, offline


def fetch(
    names: str | Sequence[str],
    *,
    mirror: str | None = None,
    progress: bool = True,
) -> dict[str, Path]:
    """Download pretrained weights into the caches of torchvision and huggingface_hub.

    `names` are torchvision or timm models, with a tag or without: one, or several. What
    is cached already is left alone. How much there is to download is said first.
    `mirror` ("http://host:port", or COURSE_MIRROR) takes the place of both hosts. Every
    file is checked against its SHA-256 before it is put in its place. Returns where each
    file is.

    Raises `UnknownModel` before anything is downloaded. Where a model does not arrive it
    goes on with the others, and raises `WeightsUnavailable` at the end, with what to do.

    >>> from course_utils.fetch import fetch
    >>> fetch(["resnet18", "resnet1"])  # nothing is downloaded before all names are known
    Traceback (most recent call last):
        ...
    course_utils.errors.UnknownModel: no torchvision or timm model is named 'resnet1'. ...
    """
    several = isinstance(names, Iterable) and not isinstance(names, str)
    names = list(names) if several else [names]
    mirror = mirror or os.environ.get("COURSE_MIRROR") or None
    found = {name: _cached(name) for name in names}
    for name, path in found.items():
        if path is not None:
            size = _megabytes(path.stat().st_size)
            print(f"{name}: already here ({size}), {path}")
    missing = [name for name, path in found.items() if path is None]
    if len(missing) > 1:
        total = _megabytes(sum(map(expected_size, missing)))
        print(f"{len(missing)} files to fetch, about {total} in all")
    failures = []
    for name in missing:
        try:
            found[name] = _fetch_one(name, mirror, progress)
        except _Failed as failure:
            failures.append(failure)
        else:
            print(f"{name}: in {found[name]}")
    if failures:
        raise WeightsUnavailable(_report(failures)) from failures[0]
    return found


def expected_size(name: str) -> int:
    """Return about how many bytes a model's file of weights has; no network is asked.

    >>> from course_utils.fetch import expected_size
    >>> f"{expected_size('resnet18') / 1e6:.0f} MB"
    '47 MB'
    """
    library, model_name, tag = parse_name(name)
    if library == "torchvision":
        return int(torchvision_weights(model_name, tag)[0].meta["_file_size"] * 2**20)
    tensors = build_on_meta(f"timm/{model_name}").state_dict().values()
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _cached(name: str) -> Path | None:
    info = released_info(*parse_name(name))
    return info and info.path


def _fetch_one(name: str, mirror: str | None, progress: bool) -> Path:
    library, model_name, tag = parse_name(name)
    get = {"torchvision": _fetch_torchvision, "timm": _fetch_timm}[library]
    return get(name, model_name, tag, mirror, progress)


def _report(failures: Sequence[_Failed]) -> str:
    names = ", ".join(failure.name for failure in failures)
    if any(failure.offline for failure in failures):
        do = "This machine reached no server: connect it to a network and try again"
    else:
        do = "Try again, later if need be"
    details = "\n".join(f"  {failure}" for failure in failures)
    return (
        f"could not fetch {names}. {do}; what has arrived is kept. All lessons run "
        f'without: weights="bundled", or weights="random".\nDetails:\n{details}\n'
        "  Another server is named by mirror= or COURSE_MIRROR; a file that another "
        "machine has can be copied to its place."
    )


def _fetch_torchvision(name, model_name, tag, mirror, progress) -> Path:
    member = torchvision_weights(model_name, tag)[0]
    path = torchvision_path(member)
    url = member.url
    if mirror:
        url = mirror.rstrip("/") + urlsplit(url).path
    print(f"{name}: fetching {_megabytes(expected_size(name))}")
    checksum = path.stem.rpartition("-")[2]  # torchvision's names end in its start
    with _explained(name, url, path.parent):
        _download(url, path, checksum, progress)
    return path


def _fetch_timm(name, model_name, tag, mirror, progress) -> Path:
    config = timm_config(model_name, tag)
    if not config.hf_hub_id:
        why = "it is not on the hub: download it and load it by weights=path"
        raise _Failed(name, config.url or "nowhere", Path(), why, False)
    url = huggingface_hub.hf_hub_url(config.hf_hub_id, _FILE, endpoint=mirror)
    folder = f"models--{config.hf_hub_id.replace('/', '--')}"
    place = Path(hub.HF_HUB_CACHE) / folder
    with _explained(name, url, place):
        commit, checksum, size = _ask_hub(url)
        print(f"{name}: fetching {_megabytes(size)}")
        _download(url, place / "snapshots" / commit / _FILE, checksum, progress)
        with atomic_path(place / "refs" / "main") as temporary:
            temporary.write_text(commit, encoding="utf-8")
    return timm_path(config)


def _ask_hub(url: str) -> tuple[str, str, int]:
    """Return the commit, SHA-256 and size in bytes of a file on the hub."""
    # Not hf_hub_download: it retries a refused connection for 23 s, keeps incomplete
    # files, and does not compare checksums.
    found = huggingface_hub.get_hf_file_metadata(url, timeout=TIMEOUT)
    if not found.commit_hash or len(found.etag or "") != 64:
        raise RuntimeError("the server does not say the file's commit and SHA-256")
    return found.commit_hash, found.etag, found.size


def _download(url: str, path: Path, checksum: str, progress: bool) -> None:
    """Stream a file into its place once it is whole and its SHA-256 begins so."""
    with atomic_path(path) as temporary:
        download_url_to_file(url, str(temporary), None, progress)
        found = sha256_file(temporary)
        if not found.startswith(checksum):
            size = temporary.stat().st_size
            raise RuntimeError(
                f"it arrived cut short or changed: {size:,} bytes with SHA-256 "
                f"{found[:8]}…, not {checksum[:8]}…"
            )


@contextmanager
def _explained(name: str, url: str, place: Path) -> Iterator[None]:
    """Turn what can go wrong in a download into one kind of error."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torch.hub takes no timeout of its own
    reached = False
    try:
        _check_reachable(url)
        reached = True
        yield
    except Exception as error:
        if not _is_expected(error):
            raise
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise _Failed(name, url, place, reason, not reached) from error
    finally:
        socket.setdefaulttimeout(before)


def _check_reachable(url: str) -> None:
    """Raise `OSError` where a host does not answer soon; asking for its address counts.

    Where packets are lost, not refused, a lookup and a connection would else wait for long.
    A proxy connects by itself, so then nothing can be told here.
    """
    parts = urlsplit(url)
    if hub.HF_HUB_OFFLINE or parts.scheme in getproxies():
        return
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    said: SimpleQueue[OSError | None] = SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname, port), timeout=PATIENCE).close()
            said.put(None)
        except OSError as error:
            said.put(error)

    Thread(target=connect, daemon=True).start()  # a lookup cannot be interrupted
    try:
        error = said.get(timeout=PATIENCE)
    except Empty:
        error = TimeoutError(f"{parts.hostname} does not answer")
    if error is not None:
        raise error


def _is_expected(error: Exception) -> bool:
    """Tell a failed transfer (or full disk) from a mistake in this program."""
    if isinstance(error, OSError | RuntimeError | HTTPException):
        return True
    # huggingface_hub's HTTP library (requests, httpx) differs between its versions.
    return type(error).__module__.split(".")[0].startswith(("requests", "httpx"))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
