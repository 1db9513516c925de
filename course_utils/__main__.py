"""The command line: `python -m course_utils COMMAND`."""

from __future__ import annotations

import difflib
import importlib
import sys

COMMANDS = {
    "lab": ("lab", "start JupyterLab at lesson 00"),
    "doctor": ("doctor", "say what is on this machine and what is missing"),
    "fetch": ("fetch", "download ImageNet weights or data sets, once"),
    "progress": ("grading.progress", "show, export or reset your progress"),
    "claims": ("claims.measuring", "measure the course's claims again"),
    "zoo": ("zoo.__main__", "show the model zoo, or time it on this machine"),
    "survey": ("survey", "try inspection and head surgery on every architecture"),
    "ladder": ("ladder", "train lesson 02's ladder of checkpoints again"),
    "pretrain": ("pretraining", "train the bundled weights again"),
}


def usage() -> str:
    """List the commands."""
    lines = [f"  {name:10} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["python -m course_utils COMMAND [options]", "", *lines])


def main(argv: list[str]) -> int:
    """Run a command; its errors are shown as one clear line."""
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0
    name, *rest = argv
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        print(f"no command {name!r}.{hint}\n\n{usage()}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"course_utils.{COMMANDS[name][0]}")
    try:
        return module.main(rest) or 0
    except (ValueError, RuntimeError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
