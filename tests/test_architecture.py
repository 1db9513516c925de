"""Two houses, one arrow: what may import what, and how large the library may grow."""

import ast
import statistics
from pathlib import Path

import pytest

import course_utils
import courseware

LIBRARY, COURSE = (Path(p.__path__[0]) for p in (course_utils, courseware))
# Each may import what stands in rows above it, or to its left in its own row.
ROWS = [
    "errors arguments storage durable measured runtime modes rgb",
    "metrics plots lr_schedules",
    "architectures meta_tensors tracing memory",
    "activations heads state_files checkpoint_files",
    "layer_groups inspection param_groups",
    "run_state checkpoints training lr_finder",
    "weights datasets fetch",
    "feature_cache fast_inference reading features cut probe predictions",
    "distillation multitask zoo loss_weight_runs study",
    "widgets",
]
ORDER = [name for row in ROWS for name in row.split()]
NEITHER = {"__init__", "__main__", "grading"}  # the last only says where the checks are


def sources(folder):
    """All modules of a package; text sources of notebooks are not modules."""
    return [p for p in sorted(folder.rglob("*.py")) if p.stem.isidentifier()]


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Dotted names that a module imports, also within its functions; whole."""
    package = path.relative_to(LIBRARY.parent).parent.parts
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def home(dotted):
    """The module of the library's top level that a dotted name belongs to, or None."""
    house, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if house == "course_utils" else None


def top_level(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def test_the_library_knows_nothing_of_the_course():
    back = [
        f"{path.relative_to(LIBRARY.parent)} imports {name}"
        for path in sources(LIBRARY)
        for name in imported(path)
        if name.partition(".")[0] in ("courseware", "tests")
    ]
    assert back == []


def test_every_module_of_the_library_has_its_place_in_the_order():
    found = {top_level(path) for path in sources(LIBRARY)}
    assert found - NEITHER == set(ORDER)


@pytest.mark.parametrize("path", sources(LIBRARY), ids=lambda p: p.stem)
def test_imports_point_one_way(path):
    own = top_level(path)
    if own in NEITHER:
        return
    later = ORDER[ORDER.index(own) + 1 :]
    up = [name for name in imported(path) if home(name) in later]
    assert up == [], f"{own} stands before what it imports"


def test_the_course_uses_no_private_name_of_the_library_and_none_of_another_module():
    private = [
        f"{path.relative_to(LIBRARY.parent)} imports {name}"
        for path in (*sources(LIBRARY), *sources(COURSE))
        for name in imported(path)
        if name.partition(".")[0] in ("course_utils", "courseware")
        if name.rpartition(".")[2].startswith("_")
    ]
    assert private == []


def lines_of_docstrings(path):
    """Numbers of the lines that docstrings take, from 1."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                yield from range(node.body[0].lineno, node.body[0].end_lineno + 1)


def code_lines(path):
    """How many lines are neither blank nor of a docstring."""
    lines = path.read_text(encoding="utf-8").splitlines()
    written = {number for number, line in enumerate(lines, start=1) if line.strip()}
    return len(written - set(lines_of_docstrings(path)))


def function_lengths(paths):
    """Lines of each function, less its docstring."""
    for path in paths:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                docstring = ast.get_docstring(node, clean=False) is not None
                start = node.body[0].end_lineno if docstring else node.lineno - 1
                yield node.end_lineno - start


def test_the_library_stays_small():
    library = [p for p in sources(LIBRARY) if top_level(p) != "widgets"]
    # Of these about a third is what it refuses, reads or repairs: files, folders, nets and
    # arguments as people have them (tests/bad_input, CHANGELOG.md). Examples are free.
    assert sum(map(code_lines, library)) < 10_800
    assert [p.name for p in sources(LIBRARY) if code_lines(p) > 350] == []


def test_its_functions_stay_short():
    found = sorted(function_lengths(sources(LIBRARY)))
    assert statistics.median(found) <= 6
    assert found[int(0.99 * len(found))] < 35
