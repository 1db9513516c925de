"""One list of requirements, and it is true: what is imported is declared, what is
declared is locked."""

import ast
import importlib.metadata
import re
import sys
from functools import cache
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from courseware.places import project_root
from tests.courseware.requirements import (
    LEARNERS,
    closure,
    declared,
    floor_lines,
    floors,
    locked,
    project,
)

ROOT = project_root()
PACKAGES = ("course_utils", "courseware")
NO_PACKAGES = {"courseware/lessons", "courseware/exercises", "courseware/jupyter"}
EXTRAS = project()["project"]["optional-dependencies"]
AUTHORS = ("courseware/build.py", "courseware/making/")  # what only authors run


def modules(folder):
    return sorted(
        path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")
    )


def imports(path):
    """The top-level names that a file imports from outside Python and the course."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        found |= {name.partition(".")[0] for name in names}
    return sorted(found - sys.stdlib_module_names - {*PACKAGES})


@cache
def distributions():
    """Which distributions an import name comes from."""
    return importlib.metadata.packages_distributions()


def undeclared(paths, *extras):
    """The files' imports of what neither the library nor these extras require."""
    known = {canonicalize_name(r.name) for r in declared()}
    known |= {canonicalize_name(r.name) for r in declared(*extras)} if extras else set()
    found = distributions()
    return [
        f"{path}: {name}"
        for path in paths
        for name in imports(path)
        if not known & {canonicalize_name(dist) for dist in found.get(name, [name])}
    ]


# -- one list ---------------------------------------------------------------------------


def test_requirements_txt_only_names_extras_of_the_project():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line and not line.startswith("#")]
    named = re.fullmatch(r"-e \.\[(.+)\]", line)[1].split(",")
    assert tuple(named) == LEARNERS and set(named) <= EXTRAS.keys()


def test_the_library_imports_only_what_it_requires():
    # Several processes ask for the extra `scale`, and only they do.
    assert undeclared(modules("course_utils")) == [
        f"{Path('course_utils/training/processes.py')}: accelerate"
    ]
    assert undeclared(modules("course_utils"), "scale") == []


def test_what_a_learner_runs_imports_only_what_a_learner_installs():
    theirs = [path for path in modules("courseware") if not path.startswith(AUTHORS)]
    assert undeclared(theirs, "lab") == []


def test_what_an_author_runs_imports_only_what_an_author_installs():
    ours = [path for path in modules("courseware") if path.startswith(AUTHORS)]
    assert ours and undeclared(ours, "lab", "test", "author") == []


def test_an_undeclared_import_is_found():
    assert undeclared(["courseware/build.py"]) == [
        f"courseware/build.py: {name}" for name in ("jupytext", "nbclient", "nbformat")
    ]


def test_every_package_is_listed():
    folders = {
        Path(path).parent.as_posix() for name in PACKAGES for path in modules(name)
    }
    tables = project()["tool"]["setuptools"]
    moved = tables["package-dir"]
    here = {name.replace(".", "/") for name in tables["packages"] if name not in moved}
    assert here == folders - NO_PACKAGES
    assert all((ROOT / folder).is_dir() for folder in moved.values())


# -- versions ---------------------------------------------------------------------------


def test_every_requirement_has_a_floor_and_what_is_installed_is_not_below_it():
    below = []
    for name, floor in floors(*EXTRAS).items():
        try:
            installed = Version(importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:  # an author's tool
            assert name not in floors(*LEARNERS)
            continue
        if installed < floor:
            below.append(f"{name} {installed} < {floor}")
    assert below == []


def test_floors_are_what_pip_installs_exactly():
    assert {"torch==2.11", "pytest==8.3"} <= set(floor_lines(*LEARNERS))
    assert not [line for line in floor_lines(*EXTRAS) if "course" in line]


def test_the_lock_pins_all_that_the_course_brings():
    assert closure(declared() + declared(*LEARNERS)) - locked().keys() == set()


def test_the_lock_keeps_to_what_is_required():
    pins = locked()
    for requirement in declared() + declared(*EXTRAS):
        name = canonicalize_name(requirement.name)
        if name != project()["project"]["name"]:
            assert requirement.specifier.contains(pins[name]), requirement


def test_the_lock_names_no_place():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|file:|\s/\w", text)


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    table = project()["project"]
    assert f"\nversion: {table['version']}\n" in text
    assert f"\nlicense: {table['license']}\n" in text
