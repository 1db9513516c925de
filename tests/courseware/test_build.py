"""The builder: one text source, notebooks that are the same each time."""

import nbformat
import pytest

from courseware import build
from courseware.course_map import markdown_map

pytest.importorskip("jupytext", reason="no jupytext, an author's tool")

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

"""
LESSON = """\
# %% [markdown]
# # A lesson

# %% tags=["nbval-check-output"]
import os
from pathlib import Path

print(Path.cwd() / "x.txt", os.environ.get("COURSE_DATA"))

# %%
1 + 1
"""
SOLUTION = '{"grade": false, "grade_id": "double", "locked": false, "solution": true}'
EXERCISE = f"""\
# %% [markdown]
# # An exercise

# %% nbgrader={SOLUTION}
def double(x):
    \"\"\"Return twice x.\"\"\"
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %%
### BEGIN SOLUTION
letter = "b"
### END SOLUTION
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one lesson and one exercise."""
    for kind, text in (("lessons", LESSON), ("exercises", EXERCISE)):
        folder = tmp_path / "courseware" / kind
        folder.mkdir(parents=True)
        (folder / "04_tiny.py").write_text(HEADER + text, encoding="utf-8")
    monkeypatch.setattr(build, "project_root", lambda: tmp_path.resolve())
    return tmp_path.resolve()


def code(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def test_a_lesson_gives_one_notebook_and_an_exercise_two(project):
    assert build.main([]) == 0
    made = {path.relative_to(project).as_posix() for path in project.rglob("*.ipynb")}
    folders = ("notebooks", "exercises", "solutions")
    assert made == {f"{folder}/04_tiny.ipynb" for folder in folders}


def test_two_builds_are_byte_identical(project):
    build.main([])
    first = {path: path.read_bytes() for path in project.rglob("*.ipynb")}
    build.main([])
    assert {path: path.read_bytes() for path in project.rglob("*.ipynb")} == first


def test_the_students_copy_has_stubs_and_no_answer(project):
    build.main([])
    function, value = code(project / "exercises" / "04_tiny.ipynb")
    assert function.source.endswith(
        '"""Return twice x."""\n    # YOUR CODE HERE\n    raise NotImplementedError'
    )
    assert value.source == "letter = ..."


def test_the_solution_has_the_answer_and_no_markers(project):
    build.main([])
    function, value = code(project / "solutions" / "04_tiny.ipynb")
    assert function.source.endswith('"""Return twice x."""\n    return 2 * x')
    assert value.source == 'letter = "b"'


def test_cell_metadata_and_tags_are_kept(project):
    build.main([])
    assert code(project / "exercises" / "04_tiny.ipynb")[0].metadata.nbgrader == {
        "grade": False, "grade_id": "double", "locked": False, "solution": True,
    }  # fmt: skip
    lesson = code(project / "notebooks" / "04_tiny.ipynb")
    assert lesson[0].metadata.tags == ["nbval-check-output"]
    assert lesson[1].metadata == {}


def test_a_graded_cell_keeps_its_id_when_cells_come_before_it(project):
    build.main([])
    before = code(project / "exercises" / "04_tiny.ipynb")[0].id
    source = project / "courseware" / "exercises" / "04_tiny.py"
    source.write_text(HEADER + "# %%\nimport os\n\n" + EXERCISE, encoding="utf-8")
    build.main([])
    assert code(project / "exercises" / "04_tiny.ipynb")[1].id == before


def test_execution_saves_portable_outputs(project, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "folder:mine")
    build.main(["--execute"])
    first, second = code(project / "notebooks" / "04_tiny.ipynb")
    where = "/".join(("notebooks", "x.txt"))
    assert first.outputs[0].text.replace("\\", "/") == f"{where} None\n"
    assert second.outputs[0].data["text/plain"] == "2"
    assert [first.execution_count, second.execution_count] == [1, 2]
    assert "execution" not in first.metadata
    exercise = code(project / "exercises" / "04_tiny.ipynb")
    assert all(not cell.outputs and cell.execution_count is None for cell in exercise)


def test_a_rebuild_keeps_outputs_until_code_changes(project):
    build.main(["--execute"])
    source = project / "courseware" / "lessons" / "04_tiny.py"
    path = project / "notebooks" / "04_tiny.ipynb"
    source.write_text(source.read_text().replace("A lesson", "A better lesson"))
    build.main([])
    assert "better" in nbformat.read(path, as_version=4).cells[0].source
    assert code(path)[1].outputs[0].data["text/plain"] == "2"
    source.write_text(source.read_text().replace("1 + 1", "1 + 2"))
    build.main([])
    assert [cell.outputs for cell in code(path)] == [[], []]


def test_check_names_each_notebook_that_drifted(project, capsys):
    build.main([])
    assert build.main(["--check"]) == 0
    path = project / "notebooks" / "04_tiny.ipynb"
    path.write_text(path.read_text().replace("A lesson", "My lesson"))
    (project / "exercises" / "04_tiny.ipynb").unlink()
    (project / "solutions" / "05_extra.ipynb").write_text("{}")
    capsys.readouterr()
    assert build.main(["--check"]) == 1
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "exercises/04_tiny.ipynb is missing",
        "notebooks/04_tiny.ipynb differs from its source",
        "solutions/05_extra.ipynb has no source",
    ]


def test_an_unknown_name_is_refused(project):
    with pytest.raises(ValueError, match="no source named 99"):
        build.main(["99"])


def test_saved_pictures_are_described_by_their_titles_and_axes():
    cell = nbformat.v4.new_code_cell(
        'ax.set(title="Loss by epoch", xlabel="epoch", ylabel="loss (nats)")',
        outputs=[nbformat.v4.new_output("display_data", data={"image/png": "…"})],
    )
    build.describe_pictures(cell)
    alt = cell.outputs[0].metadata["image/png"]["alt"]
    assert alt == "Loss by epoch; across: epoch; up: loss (nats)"


README = "# A\n\n<!-- map: begin (from x) -->\nold\n<!-- map: end -->\n\nB\n"


def test_the_map_of_the_lessons_is_written_into_readme(project):
    build.main([])
    (project / "README.md").write_text(README, encoding="utf-8")
    assert "README.md shows another map than course_map" in build.drifted()
    build.main([])
    assert build.drifted() == []
    text = (project / "README.md").read_text(encoding="utf-8")
    assert text == README.replace("old", markdown_map())
