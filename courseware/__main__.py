"""The command line: `course COMMAND`, the same as `python -m courseware COMMAND`."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "lab": ("lab", "start JupyterLab at lesson 00"),
    "doctor": ("doctor", "say what is on this machine and what is missing"),
    "fetch": ("fetch", "download ImageNet weights or data sets, once"),
    "progress": ("grading.progress", "show, export or reset your progress"),
}
FOR_AUTHORS = {  # all that writes notebooks or data/
    "build": ("build", "make the notebooks from their sources"),
    "claims": ("claims.measuring", "measure the course's claims, or confirm them"),
    "draw": ("making.draw", "draw the bundled pictures"),
    "pretrain": ("making.pretraining", "train the bundled weights"),
    "ladder": ("making.ladder", "train lesson 02's ladder of checkpoints"),
    "worth": ("making.worth", "measure what the bundled weights are worth"),
    "photographs": ("making.photographs", "measure claims on a folder of photographs"),
    "loss-weights": ("making.loss_weights", "train two tasks under several weights"),
    "top5": ("making.top5", "record what ImageNet weights see in the sample photos"),
    "survey": ("making.survey", "try inspection and surgery on every architecture"),
    "latency": ("making.latency", "time all of torchvision's models on this machine"),
}
_MODULES = {**COMMANDS, **FOR_AUTHORS}


def usage() -> str:
    """List the commands."""

    def listed(commands: dict[str, tuple[str, str]]) -> list[str]:
        return [f"  {name:13} {text}" for name, (_, text) in commands.items()]

    return "\n".join(
        [
            "course COMMAND [options]   (course COMMAND --help says more)",
            "",
            *listed(COMMANDS),
            "",
            "for authors:",
            *listed(FOR_AUTHORS),
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its errors are shown as one clear line."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0
    name, *rest = argv
    if name not in _MODULES:
        near = difflib.get_close_matches(name, _MODULES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        print(f"no command {name!r}.{hint}\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"courseware.{_MODULES[name][0]}")
        return module.main(rest) or 0
    except ModuleNotFoundError as error:
        print(
            f"course {name} needs {error.name}: pip install -e '.[author]' in the "
            "checkout of the course",
            file=sys.stderr,
        )
        return 1
    except (ValueError, RuntimeError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
