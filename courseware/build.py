"""Make notebooks/, exercises/ and solutions/ from the text sources.

    course build                    # cells from the sources, outputs kept
    course build --execute          # and run lessons and solutions
    course build --check            # fail where a notebook has drifted
    course build --execute 04       # only what belongs to lesson 04

A lesson gives one notebook. An exercise gives two: the solution as written, and the
student's copy, in which what stands between `### BEGIN SOLUTION` and `### END SOLUTION`
is replaced by a stub. Two builds are identical: cell ids are made of a cell's grade id
or its place.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from course_utils.storage import atomic_path
from courseware.course_map import markdown_map
from courseware.places import project_root

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_SOLUTION = re.compile(rf"^([ ]*){BEGIN}\n(.*?)^[ ]*{END}$", re.DOTALL | re.MULTILINE)
_ASSIGNMENT = re.compile(r"^(\w+) = .*$", re.MULTILINE)
_MAP = re.compile(r"(<!-- map: begin.*?-->\n).*?(<!-- map: end -->)", re.DOTALL)
FOLDERS = ("notebooks", "exercises", "solutions")
CELL_TIMEOUT = 300  # seconds
_LABELS = {
    "title": re.compile(r"""(?:title=|set_title\(|suptitle\()\s*f?["']([^"']+)["']"""),
    "across": re.compile(r"""(?:xlabel=|set_xlabel\()\s*f?["']([^"']+)["']"""),
    "up": re.compile(r"""(?:ylabel=|set_ylabel\()\s*f?["']([^"']+)["']"""),
}
OVERRIDES = {  # a person's own choices and caches, which must not reach saved outputs
    "COURSE_BACKBONE", "COURSE_DATA", "COURSE_WEIGHTS", "HF_HUB_CACHE",
}  # fmt: skip


def products(names: list[str] | None = None) -> dict[Path, NotebookNode]:
    """Build all notebooks (or those whose number or name is given), without outputs."""
    root = project_root()
    built: dict[Path, NotebookNode] = {}
    for source in sorted((root / "courseware").glob("*/[0-9][0-9]_*.py")):
        if names and not any(source.stem.startswith(name) for name in names):
            continue
        notebook = read_source(source)
        file = f"{source.stem}.ipynb"
        if source.parent.name == "lessons":
            built[root / "notebooks" / file] = notebook
        else:
            built[root / "solutions" / file] = without_markers(notebook)
            built[root / "exercises" / file] = student_copy(notebook)
    if names and not built:
        raise ValueError(f"no source named {', '.join(names)}")
    return built


def read_source(path: Path) -> NotebookNode:
    """Read a py:percent source as a notebook with stable cell ids."""
    import jupytext  # an author's tool; the rest of this module needs none

    notebook = jupytext.read(path, fmt="py:percent")
    notebook.metadata = NotebookNode(
        kernelspec=notebook.metadata["kernelspec"],
        language_info=NotebookNode(name="python"),
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.metadata.pop("lines_to_next_cell", None)
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        key = grade_id or f"{path.parent.name}/{path.stem}/{index}"
        cell.id = hashlib.sha256(key.encode()).hexdigest()[:12]
    return notebook


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """Replace solutions by stubs: `raise NotImplementedError`, or `name = ...`."""
    return _with_sources(notebook, lambda source: _SOLUTION.sub(_stub, source))


def without_markers(notebook: NotebookNode) -> NotebookNode:
    """Drop the marker lines of the solutions."""
    return _with_sources(notebook, lambda source: _SOLUTION.sub(_kept, source))


def _stub(found: re.Match) -> str:
    indent, body = found[1], found[2]
    if indent:
        return f"{indent}# YOUR CODE HERE\n{indent}raise NotImplementedError"
    return "\n".join(f"{name} = ..." for name in _ASSIGNMENT.findall(body))


def _kept(found: re.Match) -> str:
    return found[2].rstrip("\n")


def _with_sources(notebook: NotebookNode, change) -> NotebookNode:
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        cell.source = change(cell.source)
    return copy


# -- writing, executing, checking -----------------------------------------------------


def keep_outputs(path: Path, notebook: NotebookNode) -> None:
    """Take over saved outputs if the code is as it was; in place."""
    if not path.is_file():
        return
    saved = code_cells(nbformat.read(path, as_version=4))
    fresh = code_cells(notebook)
    if [cell.source for cell in saved] != [cell.source for cell in fresh]:
        return
    for old, new in zip(saved, fresh, strict=True):
        new.outputs, new.execution_count = old.outputs, old.execution_count


def execute(path: Path, notebook: NotebookNode) -> None:
    """Run a notebook in its folder, as JupyterLab does, and keep its outputs; in place.

    It sees the weights that came with the install, and a home of its own. Widgets are
    kept in their static form.
    """
    path.parent.mkdir(exist_ok=True)
    env = {name: os.environ[name] for name in os.environ.keys() - OVERRIDES}
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    with tempfile.TemporaryDirectory() as home:
        homes = dict.fromkeys(("COURSE_HOME", "HF_HOME", "TORCH_HOME"), home)
        client.execute(env={**env, **homes, "COURSE_PROGRESS": "0"})
    for cell in code_cells(notebook):
        cell.outputs = [_portable(output) for output in cell.outputs]
        describe_pictures(cell)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = NotebookNode(name="python")


def describe_pictures(cell: NotebookNode) -> None:
    """Give each saved picture the alt text that nbconvert reads; in place.

    It is made of the titles and axis labels in the cell's own code.
    """
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            about = output.metadata.setdefault("image/png", {})
            about["alt"] = _picture_words(cell.source)


def _picture_words(source: str) -> str:
    found = {part: _LABELS[part].findall(source) for part in _LABELS}
    titles = [re.sub(r"\s*\{[^}]*\}", " …", title) for title in found["title"]]
    words = ". ".join(dict.fromkeys(titles)) or "Pictures from this cell"
    axes = [f"{axis}: {', '.join(dict.fromkeys(found[axis]))}"
            for axis in ("across", "up") if found[axis]]  # fmt: skip
    return "; ".join([words, *axes])


def _portable(output: NotebookNode) -> NotebookNode:
    """Drop what holds on this machine only: live views, and the project's place."""
    output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    root = f"{project_root()}{os.sep}"
    return nbformat.from_dict(_replaced(output, root))


def _replaced(value, root: str):
    if isinstance(value, str):
        return value.replace(root, "")
    if isinstance(value, dict):
        return {name: _replaced(item, root) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, root) for item in value]
    return value


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """List the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook whole."""
    nbformat.validate(notebook)
    with atomic_path(path) as temporary:
        text = nbformat.writes(notebook)
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def cells_of(notebook: NotebookNode) -> list[tuple]:
    """Return what the source decides: type, id, text and metadata of each cell."""
    return [
        (cell.cell_type, cell.id, cell.source, dict(cell.metadata))
        for cell in notebook.cells
    ]


def drifted(names: list[str] | None = None) -> list[str]:
    """List the committed notebooks that differ from their sources, or have none."""
    root, found = project_root(), []
    built = products(names)
    for path, notebook in built.items():
        name = path.relative_to(root).as_posix()
        if not path.is_file():
            found.append(f"{name} is missing")
        elif cells_of(nbformat.read(path, as_version=4)) != cells_of(notebook):
            found.append(f"{name} differs from its source")
    if not names and readme() != _text(root / "README.md"):
        found.append("README.md shows another map than course_map")
    if not names:
        there = {p for folder in FOLDERS for p in (root / folder).glob("*.ipynb")}
        extra = sorted(there - built.keys())
        found += [f"{p.relative_to(root).as_posix()} has no source" for p in extra]
    return found


def readme() -> str:
    """Return README.md with the map of the lessons as it is now."""
    text = _text(project_root() / "README.md")
    return _MAP.sub(lambda found: f"{found[1]}{markdown_map()}\n{found[2]}", text)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="course build")
    parser.add_argument("names", nargs="*", help="numbers or names, such as 04")
    parser.add_argument("--execute", action="store_true", help="run and save outputs")
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args(argv)
    if options.check:
        found = drifted(options.names)
        print("\n".join(found) or "as built")
        return 1 if found else 0
    for path, notebook in products(options.names).items():
        if options.execute and path.parent.name != "exercises":
            execute(path, notebook)
        else:
            keep_outputs(path, notebook)
        write(path, notebook)
        print(path.relative_to(project_root()).as_posix())
    if text := readme():
        with atomic_path(project_root() / "README.md") as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return 0
