"""The README's twelve lines held against the same task in five other tools.

    pip install fastai skorch lightning
    python -m tests.benchmarks.front_door FOLDER [--write]

FOLDER holds train and val. Each script of docs/front_door/, and the README's block, is
counted, and run in a folder of its own under the eye of `front_door_watch`: whole; killed
in the middle and started again; with copies of train's pictures in val; with a damaged
file. The tables are printed as Markdown; `--write` puts them into docs/front_door.md.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from PIL import Image

from tests.benchmarks.peers import markdown

ROOT = Path(__file__).parents[2]
PAGE, SCRIPTS = ROOT / "docs" / "front_door.md", ROOT / "docs" / "front_door"
OURS = "course_utils"
# How the model, the confusion matrix, and what is said of the data are called.
TOOLS = {
    OURS: ("model", "table", "data.report"),
    "fastai": ("learn.model", "report.confusion_matrix()", "''"),
    "skorch": ("net.module_", "shown.confusion_matrix", "''"),
    "lightning": ("model", "model.confusion.compute()", "''"),
    "timm": ("model", "shown.confusion_matrix", "''"),
    "torchvision": ("model", "shown.confusion_matrix", "''"),
}
KILLED_AFTER = 39  # steps of 7 or 8 an epoch: within an epoch of the whole net
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]  # RGB


def own_script() -> str:
    """The README's block, as it stands there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]


def source_of(tool: str) -> str:
    if tool == OURS:
        return own_script()
    return (SCRIPTS / f"with_{tool}.py").read_text(encoding="utf-8")


# -- what is to be written ---------------------------------------------------------------


def counted(tool: str) -> dict:
    """Lines and names of a script, told by its syntax tree."""
    text = source_of(tool)
    tree = ast.parse(text)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    code = code_lines(text)
    within = sum(len(code & span(node)) for node in imports)
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    called = {name for node in ast.walk(tree) for name in names_called(node)}
    return {
        "tool": tool,
        "lines below the imports": len(code) - within,
        "of imports": within,
        "names imported": "`*`" if "*" in text.split("import", 1)[1].split("\n")[0]
                          else sum(len(node.names) for node in imports),
        "names called": len(called - own - set(dir(builtins))),
        "functions to write": len(own),
    }  # fmt: skip


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that are neither empty nor a comment."""
    lines = enumerate(text.splitlines(), start=1)
    return {i for i, line in lines if line.strip() and not line.strip().startswith("#")}


def span(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, node.end_lineno + 1))


def names_called(node: ast.AST) -> list[str]:
    """Functions, methods and classes that a node calls, decorates with or inherits."""
    if isinstance(node, ast.Call):
        found = [node.func]
    elif isinstance(node, ast.ClassDef):
        found = node.bases
    else:
        found = getattr(node, "decorator_list", [])
    return [f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "")
            for f in found]  # fmt: skip


# -- what happens ------------------------------------------------------------------------


def prepare(place: Path, photos: Path) -> Path:
    """A folder with what the scripts ask for: pictures, one photo, timm's local weights."""
    weights = place / "test_resnet"
    weights.mkdir(parents=True)
    card = json.loads((ROOT / "data/weights/test_resnet.json").read_text("utf-8"))
    size, count = card["image_size"], len(card["classes"])
    config = {
        "input_size": [3, size, size], "mean": card["mean"], "std": card["std"],
        "interpolation": card["interpolation"], "crop_pct": 1.0, "num_classes": count,
        "first_conv": "conv1.0", "classifier": "fc",
    }  # fmt: skip
    told = {"architecture": "test_resnet", "num_classes": count}
    (weights / "config.json").write_text(json.dumps(told | {"pretrained_cfg": config}))
    shutil.copyfile(
        ROOT / "data/weights/test_resnet.safetensors", weights / "model.safetensors"
    )
    shutil.copytree(photos, place / "my_photos", copy_function=shutil.copyfile)
    first = min((place / "my_photos" / "val").rglob("*.jpg"))
    shutil.copyfile(first, place / "photo.jpg")
    return place


def add_copies(place: Path) -> None:
    """Pictures of one colour, the same file in train and in val."""
    for split in ("train", "val"):
        classes = sorted(p for p in (place / "my_photos" / split).iterdir())
        for i, colour in enumerate(COLOURS):
            name = f"{split}_{i}.png"
            Image.new("RGB", (300, 256), colour).save(classes[i % len(classes)] / name)


def add_damaged(place: Path) -> None:
    """Half of a photograph among the pictures to learn from."""
    first = min((place / "my_photos" / "train").rglob("*.jpg"))
    half = first.read_bytes()[: first.stat().st_size // 2]
    (first.parent / "damaged.jpg").write_bytes(half)


def run(tool: str, place: Path, *, kill_after: int | None = None) -> tuple[dict, str]:
    """Run a tool's script in a prepared folder: what was found (if it ended), its words."""
    script = place / f"with_{tool}.py"
    script.write_text(source_of(tool), encoding="utf-8")
    (place / "found.json").unlink(missing_ok=True)
    watch = [sys.executable, "-m", "tests.benchmarks.front_door_watch", str(script),
             json.dumps(TOOLS[tool]), str(kill_after or "")]  # fmt: skip
    settings = {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "PWD": str(place),
                "COURSE_WEIGHTS": "bundled", "COURSE_HOME": str(place)}  # fmt: skip
    done = subprocess.run(
        watch, cwd=place, env=os.environ | settings, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False,
    )  # fmt: skip
    found = place / "found.json"
    return json.loads(found.read_text("utf-8")) if found.is_file() else {}, done.stdout


def weights_in(place: Path) -> dict[str, torch.Tensor]:
    return torch.load(place / "weights.pt")


def same(a: Path, b: Path) -> bool:
    first, second = weights_in(a), weights_in(b)
    return all(torch.equal(value, second[name]) for name, value in first.items())


def resumed(tool: str, places: dict[str, Path], whole: dict) -> str:
    """Kill a run, start it again, and compare its end with that of a whole one."""
    run(tool, places["killed"], kill_after=KILLED_AFTER)
    found, words = run(tool, places["killed"])
    if not found:
        return f"fails: {last_line(words)}"
    steps = KILLED_AFTER + found["steps"]
    if same(places["whole"], places["killed"]):
        again = "from the beginning" if found["steps"] == whole["steps"] else "goes on"
        return f"{again}, the same weights"
    run(tool, places["again"])
    chance = "" if same(places["whole"], places["again"]) else " (as do two whole runs)"
    if found["steps"] >= whole["steps"]:
        return f"trains all over, {steps} steps in all, other weights{chance}"
    return f"goes on, {steps} steps in all, other weights{chance}"


def strangers(place: Path) -> str:
    """What lies beside the splits now."""
    there = {p.name for p in (place / "my_photos").iterdir()}
    return ", ".join(f"`{name}/`" for name in sorted(there - {"train", "val"}))


def last_line(words: str) -> str:
    return words.strip().splitlines()[-1][:80]


def damaged(tool: str, place: Path) -> str:
    found, words = run(tool, place)
    named = "named" if "damaged.jpg" in words else "not named"
    return f"{'left out' if found else 'the run ends'}, {named}"


def observed(tool: str, photos: Path, top: Path) -> dict:
    """All that is watched of one tool."""
    names = ("whole", "again", "killed", "copies", "damaged")
    places = {name: prepare(top / tool / name, photos) for name in names}
    add_copies(places["copies"])
    add_damaged(places["damaged"])
    whole, words = run(tool, places["whole"])
    if not whole:
        raise RuntimeError(f"{tool} does not run:\n{words}")
    copies, _ = run(tool, places["copies"])
    counts = pd.DataFrame(whole["confusion"])
    total = int(counts.to_numpy().sum())
    right = int(counts.to_numpy().trace())
    low, high = whole["share"]
    return {
        "tool": tool,
        "BatchNorm while frozen": whole["norms"],
        "the stem's rate, of the head's":
            f"{low:.3f}" if high < 1.001 * low else f"{low:.3f} to {high:.3f}",
        "scored on": f"{total} pictures, {min(whole['scored_unseen'], total)} unseen",
        f"of {len(COLOURS)} copies in train and val": f"{copies['copies']} in both",
        "a damaged file in train": damaged(tool, places["damaged"]),
        f"killed after {KILLED_AFTER} steps, started again": resumed(tool, places, whole),
        "right": f"{right} of {total}",
        "writes among the pictures": strangers(places["whole"]) or "nothing",
    }  # fmt: skip


# -- the page ----------------------------------------------------------------------------

PACKAGES = ("torch", "torchvision", "fastai", "skorch", "lightning", "timm")


def written_table() -> pd.DataFrame:
    return pd.DataFrame([counted(tool) for tool in TOOLS])


def happens_table(photos: Path, top: Path) -> pd.DataFrame:
    """One column a tool: there are more questions than tools."""
    rows = [observed(tool, photos, top) for tool in TOOLS]
    turned = pd.DataFrame(rows).set_index("tool").T
    return turned.rename_axis(index="", columns=None).reset_index()


def filled(text: str, tables: dict[str, str]) -> str:
    """Put each table between its marks in the page."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def ran_with(photos: Path) -> str:
    ran = ", ".join(f"{name} {version(name).partition('+')[0]}" for name in PACKAGES)
    count = {s: len([*(photos / s).rglob("*.jpg")]) for s in ("train", "val")}
    pictures = f"{count['train']} photographs in train and {count['val']} in val"
    return f"Run with {ran}, on {pictures}."


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path, help="a folder with train and val")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    options = parser.parse_args()
    photos = options.photos.resolve()
    with tempfile.TemporaryDirectory() as top:
        happens = happens_table(photos, Path(top))
    tables = {"written": markdown(written_table()),
              "happens": f"{markdown(happens)}\n\n{ran_with(photos)}"}  # fmt: skip
    text = filled(PAGE.read_text(encoding="utf-8"), tables)
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
