"""Seeds and random generators, device, threads, and a report of the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch

from course_utils.arguments import Count, Natural, checked

PACKAGES = ("torch", "torchvision", "timm", "jupyterlab", "ipywidgets", "anywidget")


@checked
def seed_everything(seed: Natural = 0) -> torch.Generator:
    """Seed Python, NumPy and torch; return a torch generator with the same seed.

    >>> import torch
    >>> from course_utils.runtime import seed_everything
    >>> generator = seed_everything(3)
    >>> first = torch.rand(2)
    >>> generator = seed_everything(3)
    >>> torch.equal(first, torch.rand(2)), generator.initial_seed()
    (True, 3)
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def generators_state() -> dict:
    """Return the states of Python's, NumPy's and torch's global generators.

    It holds tensors and plain values only, so that a checkpoint can keep it.

    >>> from course_utils.runtime import generators_state
    >>> sorted(generators_state())
    ['cuda', 'numpy', 'python', 'torch']
    """
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(keys.copy()), *rest),
        "torch": torch.get_rng_state(),
        # not asked for where CUDA is not in use: that alone would start it
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def restore_generators(state: dict) -> None:
    """Put global generators back to what `generators_state` returned.

    Those of CUDA devices only where there are as many as then.

    >>> import torch
    >>> from course_utils.runtime import generators_state, restore_generators
    >>> state = generators_state()
    >>> first = torch.rand(2)
    >>> restore_generators(state)
    >>> torch.equal(first, torch.rand(2))
    True
    """
    kind, keys, *rest = state["numpy"]
    random.setstate(state["python"])
    np.random.set_state((kind, keys.numpy(), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


@contextmanager
def generators_kept() -> Iterator[None]:
    """Give all global generators back as they were, also after an error.

    >>> import torch
    >>> from course_utils.runtime import generators_kept, seed_everything
    >>> generator = seed_everything(0)
    >>> with generators_kept():
    ...     first = torch.rand(2)
    >>> torch.equal(first, torch.rand(2))
    True
    """
    state = generators_state()
    try:
        yield
    finally:
        restore_generators(state)


def preferred_device() -> torch.device:
    """Return the accelerator that torch finds (CUDA, MPS, XPU), else the CPU.

    >>> from course_utils.runtime import preferred_device
    >>> preferred_device().type in ("cuda", "mps", "xpu", "cpu")
    True
    """
    if torch.accelerator.is_available():
        return torch.accelerator.current_accelerator()
    return torch.device("cpu")


@checked
def set_threads(n: Count) -> None:
    """Let torch use n processor threads within an operation.

    >>> import torch
    >>> from course_utils.runtime import set_threads
    >>> before = torch.get_num_threads()
    >>> set_threads(1)
    >>> torch.get_num_threads()
    1
    >>> set_threads(before)
    """
    torch.set_num_threads(n)


def show_progress(wanted: bool | None = None) -> bool:
    """Tell whether to show bars: as asked, else at a terminal or in a live notebook only.

    `COURSE_PROGRESS=0` shows none.

    >>> from course_utils.runtime import show_progress
    >>> show_progress(True), show_progress(False)
    (True, False)
    """
    if wanted is not None:
        return wanted
    if os.environ.get("COURSE_PROGRESS") == "0":
        return False
    return "ipykernel" in sys.modules or sys.stderr.isatty()


def environment_report() -> pd.DataFrame:
    """Tabulate versions, device and threads: one row each, one column `here`.

    >>> from course_utils.runtime import environment_report
    >>> report = environment_report()
    >>> list(report.columns), list(report.index)[:3]
    (['here'], ['Python', 'system', 'torch'])
    """
    rows = [
        ("Python", platform.python_version()),
        ("system", f"{platform.system()} {platform.machine()}"),
        *((name, _version(name)) for name in PACKAGES),
        ("device", str(preferred_device())),
        ("threads", f"{torch.get_num_threads()} of {os.cpu_count()}"),
    ]
    return pd.DataFrame(rows, columns=["what", "here"]).set_index("what")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed: pip install -r requirements.txt"
