"""Start JupyterLab at lesson 00, with the settings that the course needs.

The settings apply to this JupyterLab only: nothing is written into the environment or
the user's own configuration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from course_utils.storage import project_root

SETTINGS = Path(__file__).parent / "jupyter"
FOLDERS = ("COURSE_HOME", "TORCH_HOME", "HF_HOME")


def lab_environment(environ: Mapping[str, str], *, cwd: Path) -> dict[str, str]:
    """Return the environment for JupyterLab: our settings first, folders made absolute.

    A relative `COURSE_DATA=folder:PATH`, `COURSE_HOME`, `TORCH_HOME` or `HF_HOME` means
    the folder seen from `cwd`, where the command was given: kernels run elsewhere.
    """
    env = dict(environ)
    others = env.get("JUPYTER_CONFIG_PATH")
    paths = [str(SETTINGS), *([others] if others else [])]
    env["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)
    data = env.get("COURSE_DATA", "")
    if data.startswith("folder:"):
        env["COURSE_DATA"] = "folder:" + _absolute(data.removeprefix("folder:"), cwd)
    for name in FOLDERS:
        if env.get(name):
            env[name] = _absolute(env[name], cwd)
    return env


def main(argv: list[str] | None = None) -> int:
    """Run JupyterLab in the project's folder; further options are handed on to it.

    It runs in this process, so that Ctrl-C and signals reach it on every system.
    """
    if not (project_root() / "notebooks").is_dir():
        print(
            "the notebooks are not beside the installed package: run "
            "`pip install -r requirements.txt` in the folder of the course",
            file=sys.stderr,
        )
        return 1
    os.environ.update(lab_environment(os.environ, cwd=Path.cwd()))
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(argv or [])
    return 0


def _absolute(folder: str, cwd: Path) -> str:
    return str((cwd / Path(folder).expanduser()).resolve())
