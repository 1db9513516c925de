"""New environments, for the wheel and for the lowest versions."""

import os
import subprocess
import sys
import venv
from pathlib import Path


def without(*names):
    """This process's environment without some variables."""
    return {name: os.environ[name] for name in os.environ.keys() - {*names}}


def new_environment(folder):
    """Make an environment without pip; return its Python."""
    builder = venv.EnvBuilder(symlinks=os.name != "nt")
    builder.create(folder)
    return Path(builder.ensure_directories(folder).env_exe)


def pip(*arguments, timeout=300):
    """Run this environment's pip (`--python` names another one) and return how it ended.

    What lies on PYTHONPATH counts for pip as installed, so it is taken off.
    """
    return subprocess.run(
        [sys.executable, "-m", "pip", *map(str, arguments)],
        env=without("PYTHONPATH"),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def tail(ended):
    """The end of what a process said."""
    return (ended.stdout + ended.stderr)[-4000:]
