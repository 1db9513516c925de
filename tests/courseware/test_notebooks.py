"""What the committed notebooks must be; pytest runs their cells by nbval besides."""

import ast
import json
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from courseware.build import FOLDERS, code_cells, drifted
from courseware.course_map import LESSONS
from courseware.places import project_root

ROOT = project_root()
NOTEBOOKS = sorted(
    path for folder in FOLDERS for path in (ROOT / folder).glob("*.ipynb")
)
SOURCES = sorted((ROOT / "courseware").glob("*/[0-9][0-9]_*.py"))
SAVED = [path for path in NOTEBOOKS if path.parent.name != "exercises"]
WIDTH = 75  # longer lines are cut at 1000 px with the file browser open
OUTPUT_BYTES = 1_500_000
STRICT = "nbval-check-output"

ABSOLUTE = re.compile(r"(?<![\w.:/<\\-])(?:/(?:[\w.-]+/)+[\w.-]+|[A-Z]:\\+\w+\\+\w+)")
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
PICTURE = re.compile(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"]+\")")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"```.*?```", re.DOTALL)
DATA_URL = re.compile(r"data:[\w/+.-]+;base64,[\w+/=]+")
TEXTS = ("text/plain", "text/html", "text/markdown")


def label(path):
    return f"{path.parent.name}/{path.stem}"


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=label)


def read(path):
    return nbformat.read(path, as_version=4)


def texts_of(cell):
    """Yield what a code cell's outputs say in words, embedded pictures left out."""
    for output in cell.outputs:
        yield output.get("text", "")
        for kind in TEXTS:
            yield DATA_URL.sub("", output.get("data", {}).get(kind, ""))


def found_in_outputs(path, pattern):
    found = {}
    for index, cell in enumerate(code_cells(read(path))):
        hits = [hit for text in texts_of(cell) for hit in pattern.findall(text)]
        if hits:
            found[index] = hits
    return found


def markdown(path):
    cells = read(path).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_every_notebook_is_what_its_source_gives():
    pytest.importorskip("jupytext", reason="no jupytext, an author's tool")
    assert drifted() == [], "run `course build`"


def test_every_lesson_with_tasks_has_its_exercise_and_solution():
    names = [
        {path.name for path in (ROOT / folder).glob("*.ipynb")} for folder in FOLDERS
    ]
    assert names[0] == names[1] == names[2]
    assert names[0] <= {f"{lesson.name}.ipynb" for lesson in LESSONS}


@each(NOTEBOOKS)
def test_it_is_valid_and_names_its_kernel(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@each(SAVED)
def test_it_was_run_from_top_to_bottom(path):
    counts = [c.execution_count for c in code_cells(read(path)) if c.source.strip()]
    assert counts == list(range(1, len(counts) + 1))


@each(SAVED)
def test_no_output_is_an_error_or_a_warning(path):
    outputs = [out for cell in code_cells(read(path)) for out in cell.outputs]
    assert [out.evalue for out in outputs if out.output_type == "error"] == []
    assert [out.text for out in outputs if out.get("name") == "stderr"] == []


@each(SAVED)
def test_no_output_holds_a_path_or_an_address_of_one_machine(path):
    assert found_in_outputs(path, ABSOLUTE) == {}
    assert found_in_outputs(path, ADDRESS) == {}


@each(SAVED)
def test_outputs_are_small(path):
    outputs = [cell.outputs for cell in code_cells(read(path))]
    assert len(json.dumps(outputs)) < OUTPUT_BYTES


@each([path for path in NOTEBOOKS if path.parent.name == "notebooks"])
def test_a_lesson_has_cells_that_are_compared_strictly(path):
    tags = [tag for cell in read(path).cells for tag in cell.metadata.get("tags", [])]
    assert STRICT in tags


@each([path for path in NOTEBOOKS if path.parent.name == "exercises"])
def test_an_exercise_is_handed_out_unrun_and_without_answers(path):
    for cell in code_cells(read(path)):
        assert cell.outputs == [] and cell.execution_count is None
        assert "SOLUTION" not in cell.source


@each([path for path in NOTEBOOKS if path.parent.name == "solutions"])
def test_a_solution_has_passed_every_check(path):
    cells = code_cells(read(path))
    graded = [c for c in cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert graded
    for cell in graded:
        points = cell.metadata.nbgrader.points
        shown = [out.data["text/plain"] for out in cell.outputs if "data" in out]
        assert [float(text) for text in shown] == [points], cell.source


@each(NOTEBOOKS)
def test_code_fits_the_window(path):
    lines = [
        line for cell in code_cells(read(path)) for line in cell.source.splitlines()
    ]
    assert [line for line in lines if len(line) > WIDTH] == []


@each(NOTEBOOKS)
def test_pictures_have_an_alternative_text(path):
    assert PICTURE.findall(markdown(path)) == []
    assert found_in_outputs(path, PICTURE) == {}


@each(SAVED)
def test_saved_figures_have_an_alternative_text(path):
    bare = [
        cell.source
        for cell in code_cells(read(path))
        for output in cell.outputs
        if "image/png" in output.get("data", {})
        and not output.metadata.get("image/png", {}).get("alt")
    ]
    assert bare == []


@each(NOTEBOOKS)
def test_links_lead_somewhere(path):
    links = LINK.findall(FENCED.sub("", markdown(path)))
    local = [link for link in links if not re.match(r"\w+:", link)]
    there = [Path(path.parent, unquote(link)) for link in local]
    assert [str(place) for place in there if not place.exists()] == []


def loads_by_name(source):
    """Yield the calls of load_dataset that name their pictures in the code."""
    for node in ast.walk(ast.parse(source)):
        named = isinstance(node, ast.Call) and node.args
        if named and getattr(node.func, "id", "") == "load_dataset":
            if isinstance(node.args[0], ast.Constant):
                yield node


@each(SOURCES)
def test_pictures_named_in_the_code_say_whose_preprocessing_they_get(path):
    # By default they get that of the active weights: ImageNet ones, after a fetch, which
    # is wrong for the bundled net that stands in the same cell.
    calls = loads_by_name(path.read_text(encoding="utf-8"))
    default = [
        call.lineno
        for call in calls
        if {"transform", "like"}.isdisjoint(keyword.arg for keyword in call.keywords)
    ]
    assert default == [], "pass like=net, or transform=net.weights_info.transform"


def test_the_cheat_sheet_runs_as_it_stands(capsys, monkeypatch):
    (sheet,) = PYTHON.findall(markdown(ROOT / "notebooks" / "00_start_here.ipynb"))
    for ours, here in (
        ('"folder:my_photos"', '"flowers", per_class=4'),
        ("epochs=10", "epochs=1"),
    ):
        assert sheet.count(ours) == 1
        sheet = sheet.replace(ours, here)
    made = {}
    exec(compile(sheet, "cheat sheet", "exec"), made)
    assert made["data"].train[0][0].shape[-1] == made["info"].image_size
    assert len(made["history"]) == 1
    probe, end = capsys.readouterr().out.splitlines()[-2:]
    assert float(probe) > 1 / len(made["data"].classes)
    assert ast.literal_eval(end)["images"] == len(made["data"].test)
