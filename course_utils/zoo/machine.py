"""The machine that a time was taken on, as far as its system tells."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import torch

CPUINFO = Path("/proc/cpuinfo")


@cache
def cpu_name() -> str:
    """Return the processor's model, such as "AMD EPYC 7763 64-Core Processor"."""
    if CPUINFO.is_file():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10)
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """Return the name of the processor or the GPU behind a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name()


def machine_card(*, threads: int) -> dict[str, Any]:
    """Return what a table of times must say: processor, cores, torch, threads."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "torch": torch.__version__.split("+")[0],
        "threads": threads,
    }


def describe_machine(card: dict[str, Any]) -> str:
    """Return a machine's card as a phrase for captions."""
    threads = card["threads"]
    return (
        f"{card['cpu']}, {threads} thread{'s' if threads != 1 else ''}, "
        f"torch {card['torch']}"
    )
