"""Download ImageNet weights and real datasets, once, whole or not at all.

Weights go where torchvision and timm look for them, so that both find them later.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
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
from course_utils.storage import atomic_path, sha256_file
from course_utils.weights import (
    find_weights,
    timm_config,
    timm_path,
    torchvision_path,
    torchvision_weights,
)

PATIENCE = 2.5  # seconds for a host to answer at all
TIMEOUT = 10  # seconds without a byte, once it does
_FILE = "model.safetensors"


def fetch(
    names: Sequence[str],
    *,
    mirror: str | None = None,
    progress: bool = True,
) -> dict[str, Path]:
    """Download ImageNet weights into the caches of torchvision and huggingface_hub.

    `names` are torchvision or timm models. What is cached already is left alone.
    `mirror` ("http://host:port", or COURSE_MIRROR) takes the place of both hosts. Every
    file is checked against its SHA-256 before it is put in its place. Returns where each
    file is.

    Raises `UnknownModel` before anything is downloaded, and `WeightsUnavailable` with
    the ways out; files that were complete by then are kept.
    """
    mirror = mirror or os.environ.get("COURSE_MIRROR") or None
    fetchers = {name: _fetcher(name) for name in names}
    return {name: get(mirror, progress) for name, get in fetchers.items()}


def _fetcher(name: str) -> Callable[[str | None, bool], Path]:
    """Return what fetches one model: it takes the mirror and whether to show bars."""
    library, model_name, tag = parse_name(name)
    by_library = {"torchvision": _fetch_torchvision, "timm": _fetch_timm}
    found = _cached(name)
    if found is None:
        get = by_library[library]
        return lambda mirror, progress: get(name, model_name, tag, mirror, progress)

    def already_there(mirror: str | None, progress: bool) -> Path:
        print(f"{name}: already here ({_megabytes(found.stat().st_size)}), {found}")
        return found

    return already_there


def _cached(name: str) -> Path | None:
    try:
        return find_weights(name, weights="imagenet").path
    except WeightsUnavailable:
        return None


def _fetch_torchvision(name, model_name, tag, mirror, progress) -> Path:
    member = torchvision_weights(model_name)[0]
    path = torchvision_path(member)
    url = member.url
    if mirror:
        url = mirror.rstrip("/") + urlsplit(url).path
    print(f"{name}: fetching {member.meta['_file_size']:.1f} MB")
    checksum = path.stem.rpartition("-")[2]  # torchvision's names end in its start
    with _explained(name, url, path):
        _download(url, path, checksum, progress)
    return path


def _fetch_timm(name, model_name, tag, mirror, progress) -> Path:
    config = timm_config(model_name, tag)
    if config is None or not config.hf_hub_id:
        raise WeightsUnavailable(f"timm has no ImageNet weights for {name!r}")
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
    """Turn what can go wrong in a download into one error with the ways out."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torch.hub takes no timeout of its own
    try:
        _check_reachable(url)
        yield
    except Exception as error:
        if not _is_expected(error):
            raise
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise WeightsUnavailable(
            f"could not fetch {name} from {url}: {reason}. Try again with a network; "
            "name another server with mirror= or COURSE_MIRROR; copy the file from a "
            f"machine that has it to {place}; or do without: "
            'weights="bundled" or weights="random".'
        ) from error
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
