"""The wheel is the whole course: installed anywhere it needs no checkout, no network."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from courseware.places import NOTEBOOKS, project_root
from tests.courseware.environments import new_environment, pip, tail

pytestmark = pytest.mark.slow

ROOT = project_root()
AUTHORS = "the wheel is built with the author's tools: pip install -e '.[author]'"
KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "OMP_NUM_THREADS")  # of the environment


def tracked_files():
    git = shutil.which("git")
    found = git and subprocess.run(
        [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if not found or found.returncode:
        pytest.skip("the wheel is made of tracked files: this is no git checkout")
    return [name for name in found.stdout.split("\0") if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from what is in git and without a network."""
    if not all(map(find_spec, ("pip", "setuptools", "wheel"))):
        pytest.skip(AUTHORS)
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked_files():
        target = folder / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    where = ["--wheel-dir", folder, folder / "checkout"]
    built = pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", *where)
    assert built.returncode == 0, tail(built)
    shutil.rmtree(folder / "checkout")
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A new environment with the wheel in it, somewhere else; other packages are lent."""
    folder = tmp_path_factory.mktemp("elsewhere")
    environment, home, cwd = (folder / name for name in ("venv", "home", "cwd"))
    home.mkdir()
    cwd.mkdir()
    python = new_environment(environment)
    ended = pip("--python", python, "install", "--no-index", "--no-deps", wheel)
    assert ended.returncode == 0, tail(ended)
    base = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=base))
    # Read as plain folders: a finder of an editable install in them is not started.
    lent = [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    (packages / "lent.pth").write_text("\n".join(lent))
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    for name in ("HOME", "USERPROFILE", "COURSE_HOME"):
        env[name] = str(home)

    def run(*command):
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300
        )

    def course(*arguments):
        return run(shutil.which("course", path=python.parent), *arguments)

    def evaluate(code):
        """Run code; return the value of its last line, an expression."""
        *lines, last = code.strip().splitlines()
        code = "\n".join([*lines, f"import json; print('\\n' + json.dumps({last}))"])
        found = run(python, "-c", code)
        assert found.returncode == 0, tail(found)
        return json.loads(found.stdout.splitlines()[-1])

    return SimpleNamespace(
        packages=packages, cwd=cwd, course=course, evaluate=evaluate, run=run
    )


# -- what travels -----------------------------------------------------------------------


def test_data_and_notebooks_travel(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in tracked_files():
        top, _, rest = name.partition("/")
        if top == "data":
            assert f"course_utils/data/{rest}" in inside
        elif top in NOTEBOOKS:
            assert f"courseware/files/{top}/{rest}" in inside


def test_nothing_that_holds_answers_travels(wheel):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            assert parts[0] in ("course_utils", "courseware") or "dist-info" in parts[0]
            assert not {"solutions", "tests", "answers"} & {*parts}, name
            assert not re.match(r"courseware/(lessons|exercises)/", name), name
            if name.endswith(".ipynb"):
                assert b"SOLUTION" not in archive.read(name), name


# -- what works, without a checkout -----------------------------------------------------


def test_the_installed_packages_are_the_ones_that_are_used(installed):
    found = installed.evaluate(
        "import course_utils, courseware\n[course_utils.__file__, courseware.__file__]"
    )
    for path in found:
        assert Path(path).is_relative_to(installed.packages)


def test_bundled_weights_and_data_are_loaded(installed):
    found = installed.evaluate("""
import torch
from course_utils.datasets import load_dataset
from course_utils.weights import load_backbone
model = load_backbone("test_resnet")
data = load_dataset("flowers")
images, _ = next(iter(torch.utils.data.DataLoader(data.train, batch_size=2)))
[model.weights_info.kind, len(data.classes), list(model(images).shape)]
""")
    kind, classes, shape = found
    assert kind == "bundled" and classes == 5 and shape[0] == 2


def test_a_folder_of_pictures_is_loaded(installed):
    for name, red in {"cats": 0, "dogs": 255}.items():
        for index in range(6):
            path = installed.cwd / "photos" / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (80, 70), (red, 40 * index, 0)).save(path)
    found = installed.evaluate("""
from course_utils.datasets import load_dataset
data = load_dataset("folder:photos", image_size=32)
[data.classes, sum(map(len, (data.train, data.val, data.test)))]
""")
    assert found == [["cats", "dogs"], 12]


def test_a_check_gives_points(installed):
    found = installed.evaluate("""
from courseware.grading import check
score = check("00.0", (32, 3, 64, 64))
[float(score), score.points]
""")
    assert found[0] == found[1] > 0


def test_the_quizzes_travel(installed):
    found = installed.evaluate("""
from courseware.quizzes import Quiz, quiz_ids
[quiz_ids(), len(Quiz("04").questions)]
""")
    assert found[0][0] == "00" and found[1] == 3


def test_stored_measurements_are_read(installed):
    found = installed.evaluate("""
from course_utils.measured import read_measured
from courseware.claims.stored import load_claim
[read_measured("latency").made_by, len(read_measured("latency").table())]
""")
    assert found[0] and found[1] > 10


def test_notebooks_are_unpacked_into_a_folder(installed):
    unpacked = installed.evaluate("""
from pathlib import Path
from courseware.lab import unpack
unpack(Path("mine"))
""")
    ours = {f"{folder}/{path.name}" for folder in NOTEBOOKS
            for path in (ROOT / folder).glob("*.ipynb")}  # fmt: skip
    mine = installed.cwd / "mine"
    assert unpacked == len(ours)
    assert {p.relative_to(mine).as_posix() for p in mine.rglob("*.ipynb")} == ours


# -- the command ------------------------------------------------------------------------


def test_the_command_lists_its_verbs(installed):
    found = installed.course("--help")
    assert found.returncode == 0 and "\n  lab " in found.stdout


def test_the_doctor_finds_all_that_travels(installed):
    found = installed.course("doctor")
    assert found.returncode == 0, found.stderr
    assert "test_resnet" in found.stdout and "flowers" in found.stdout
    assert "restore" not in found.stdout  # its word for what is missing


def test_lab_asks_for_a_folder(installed):
    found = installed.course("lab")
    assert found.returncode == 1
    assert "course lab --into" in found.stderr and found.stderr.count("\n") == 1
