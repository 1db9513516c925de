"""The README's lines that fine-tune a folder, run as they stand; docs/front_door.md."""

import ast
import os
import warnings
from pathlib import Path

import matplotlib
import pytest
import torch
from PIL import Image

from course_utils.datasets import load_dataset
from course_utils.layer_groups import freeze
from course_utils.weights import load_backbone
from tests.benchmarks import front_door
from tests.benchmarks.front_door_watch import Watch

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "real" / "hymenoptera"
SHOWN = front_door.own_script()


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


# -- docs/front_door.md ------------------------------------------------------------------


def test_the_page_counts_the_scripts_as_they_are_now():
    page = front_door.PAGE.read_text(encoding="utf-8")
    assert front_door.markdown(front_door.written_table()) in page
    happens = page.partition("<!-- happens: begin -->")[2].splitlines()[1]
    assert happens.strip("| ").split(" | ") == list(front_door.TOOLS)
    scripts = {path.name for path in front_door.SCRIPTS.glob("*.py")}
    assert scripts == {f"with_{tool}.py" for tool in [*front_door.TOOLS][1:]}


def test_tables_stand_between_their_marks_and_nothing_else_changes():
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    filled = front_door.filled(text, {"x": "new"})
    assert filled == text.replace("old", "new")


@pytest.mark.parametrize("by_hand", [True, False])
def test_the_watch_sees_whether_frozen_batchnorm_moves(by_hand):
    model, watch = load_backbone("test_resnet", num_classes=2), Watch()
    for module in model.modules():
        module.register_forward_pre_hook(watch.before)
        module.register_forward_hook(watch.behind)
    if by_hand:
        for parameter in model.parameters():
            parameter.requires_grad = False
    else:
        freeze(model)
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 64, 64))
    assert watch.found()["norms"] == ("statistics move" if by_hand else "stands still")


def test_the_watch_tells_pictures_scored_from_pictures_that_decided():
    watch, pictures = Watch(), torch.rand(6, 3, 8, 8)
    watch.pictures(pictures[:2], learning=True)
    watch.pictures(pictures[2:4], learning=False)
    watch.steps += 1
    watch.pictures(pictures[2:], learning=False)
    assert watch.found()["scored_unseen"] == 2
