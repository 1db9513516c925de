"""Start JupyterLab at lesson 00, with the settings that the course needs.

The settings apply to this JupyterLab only: nothing is written into the environment or
the user's own configuration.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from course_utils.storage import atomic_path
from courseware.places import NOTEBOOKS, is_checkout, notebooks_root, project_root

SETTINGS = Path(__file__).parent / "jupyter"
ROOT = "--ServerApp.root_dir"
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
    """Run JupyterLab in the course's folder; further options are handed on to it.

    In a checkout that is the checkout. Where the course was installed without one, and
    where `--into` names a folder, the notebooks are unpacked there first. JupyterLab runs
    in this process, so that Ctrl-C and signals reach it on every system.
    """
    parser = argparse.ArgumentParser(
        prog="course lab",
        description="Start JupyterLab at lesson 00; other options go to JupyterLab.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="unpack the notebooks there first"
    )
    options, further = parser.parse_known_args(argv)
    if not any(option.startswith(ROOT) for option in further):
        further = [f"{ROOT}={_folder(options.into)}", *further]
    os.environ.update(lab_environment(os.environ, cwd=Path.cwd()))
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(further)
    return 0


def _folder(into: Path | None) -> Path:
    """The folder to work in, with the notebooks in it."""
    if into is not None:
        folder = into.expanduser().resolve()
        new = unpack(folder)
        print(f"{new} notebooks unpacked into {folder}; those that were there stay")
        return folder
    if is_checkout():
        return project_root()
    raise FileNotFoundError(
        "the course is installed without a folder of its own: name one for the "
        "notebooks, as in `course lab --into my_course`"
    )


def unpack(folder: Path) -> int:
    """Copy lessons and exercises into a folder; return how many were copied.

    A notebook that is there already is the learner's own, and stays as it is.
    """
    copied = 0
    for name in NOTEBOOKS:
        for source in sorted((notebooks_root() / name).glob("*.ipynb")):
            target = folder / name / source.name
            if not target.exists():
                with atomic_path(target) as temporary:
                    shutil.copyfile(source, temporary)
                copied += 1
    return copied


def _absolute(folder: str, cwd: Path) -> str:
    return str((cwd / Path(folder).expanduser()).resolve())
