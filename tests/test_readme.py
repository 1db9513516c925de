"""The lines of the README that fine-tune a folder: run as they stand there."""

import ast
import os
import warnings
from pathlib import Path

import matplotlib
import pytest
import torch
from PIL import Image

from course_utils.datasets import load_dataset
from tests.benchmarks.front_door import own_script

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "real" / "hymenoptera"
SHOWN = own_script()


def statements():
    """What stands below the imports."""
    body = ast.parse(SHOWN).body
    return [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]


def run_lines():
    """Run the block in the folder we are in; its variables."""
    torch.manual_seed(0)
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(SHOWN, "README.md", "exec"), found)
    return found


def drawn_folder(folder):
    """Drawn flowers as a person would keep them: a PNG each, a folder a class."""
    flowers = load_dataset("flowers", image_size=64, per_class=60)
    pairs = zip(flowers.train.images, flowers.train.labels.tolist(), strict=True)
    for number, (pixels, label) in enumerate(pairs):
        place = folder / flowers.classes[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:04d}.png")


@pytest.fixture(params=["photographs", "drawn flowers"])
def folder(request, tmp_path, monkeypatch):
    """We are where `my_photos` and `photo.jpg` lie."""
    if request.param == "drawn flowers":
        drawn_folder(tmp_path / "my_photos")
    elif PHOTOGRAPHS.is_dir():
        (tmp_path / "my_photos").symlink_to(PHOTOGRAPHS, target_is_directory=True)
    else:
        pytest.skip("real photographs are not here")
    pictures = sorted(p for p in (tmp_path / "my_photos").rglob("*.*") if p.is_file())
    Image.open(pictures[0]).convert("RGB").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", os.fspath(tmp_path))
    yield tmp_path
    plt.close("all")


def test_there_are_twelve_lines_each_a_statement():
    lines = SHOWN.splitlines()
    below = lines[statements()[0].lineno - 1 :]
    assert len(statements()) == len(below) == 12
    assert max(map(len, lines)) <= 88 and ";" not in SHOWN


def test_the_lines_fine_tune_a_folder_and_go_on_where_they_were(folder, capsys):
    found = run_lines()
    data, history = found["data"], found["history"]
    most = max(data.val.class_counts().values()) / len(data.val)
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    assert 4 < len(history) <= 12  # the whole net learnt, too
    assert history["val_accuracy"].max() > most + 0.15
    right = found["table"].to_numpy().trace() / len(data.test)
    assert right > max(data.test.class_counts().values()) / len(data.test)
    assert Path("run.pt").is_file()
    assert [ax.get_xlabel() for ax in plt.gcf().axes][:1] == ["Predicted label"]
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("probability", *data.classes))

    weights = found["model"].state_dict()
    again = run_lines()
    assert "epochs are done" in capsys.readouterr().out
    assert again["history"].equals(history)
    for name, value in again["model"].state_dict().items():
        assert torch.equal(value, weights[name]), name
