"""Learning curves on a folder of photographs: every way runs, what is done is kept."""

import json

import numpy as np
import pytest
from PIL import Image

from courseware.making import curves


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Six pictures of each of two colours, in train, val and test."""
    monkeypatch.setattr(curves, "SIDE", 32)
    monkeypatch.setattr(curves, "SIZES", (2,))
    monkeypatch.setattr(curves, "SEEDS", (0, 1))
    monkeypatch.setattr(curves, "VALIDATION", 2)
    monkeypatch.setattr(curves, "STEPS", 1)
    monkeypatch.setattr(curves, "EPOCHS", 1)
    monkeypatch.setattr(curves, "CAREFUL", (1e-4,))
    monkeypatch.setattr(curves, "SCRATCH", (1e-3,))
    drawn = np.random.default_rng(0)
    for part in ("train", "val", "test"):
        for label, colour in (("red", 0), ("blue", 2)):
            place = tmp_path / "photos" / part / label
            place.mkdir(parents=True)
            for i in range(6):
                pixels = drawn.integers(0, 60, (32, 32, 3), dtype=np.uint8)
                pixels[..., colour] += 150
                Image.fromarray(pixels).save(place / f"{i}.png")
    return tmp_path / "photos"


def test_every_way_is_scored_kept_and_joined(folder, tmp_path):
    keep = tmp_path / "keep"
    curves.measure(folder, (0, 1), "cpu", keep)
    found = curves.record(folder, "two cores", keep)
    assert found["device"] == "two cores" and found["photographs"]["test"] == 12
    ways = {k: v["2"] for k, v in found["curves"].items() if not k.startswith("rate")}
    assert all(0 <= score <= 1 for scores in ways.values() for score in scores)
    assert ways["majority"] == [0.5, 0.5] and len(ways) == 7
    assert min(ways["frozen"]) >= 0.9  # red or blue
    assert found["curves"]["rate held"]["2"] == [1e-4, 1e-4]


def test_what_is_done_is_not_done_again(folder, tmp_path, monkeypatch):
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "2-0.json").write_text(json.dumps({"frozen": 0.5}))
    asked = []
    monkeypatch.setattr(curves, "ways", lambda d: asked.append(d.seed) or {"frozen": 1})
    curves.measure(folder, (0, 1), "cpu", keep)
    assert asked == [1]
    assert curves.record(folder, "cpu", keep)["curves"] == {"frozen": {"2": [0.5, 1]}}
