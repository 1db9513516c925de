"""Claims on a folder of photographs: every way runs, what is done is kept and joined."""

import json

import numpy as np
import pytest
from PIL import Image

from courseware.claims import load_photographs
from courseware.claims.topics import learning_curves
from courseware.making import photographs

SMALL = {"C6": {"nets": ("test_resnet",), "sizes": (2,), "side": 32}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Six pictures of each of two colours, in train, val and test."""
    monkeypatch.setattr(photographs, "CUTS", SMALL)
    monkeypatch.setattr(photographs, "SEEDS", (0, 1))
    monkeypatch.setattr(learning_curves, "STEPS", 1)
    monkeypatch.setattr(learning_curves, "EPOCHS", 1)
    monkeypatch.setitem(learning_curves.CAREFUL, "test_resnet", (1e-3,))
    monkeypatch.setitem(learning_curves.SCRATCH, "test_resnet", (1e-3,))
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
    photographs.measure(folder, (0, 1), "cpu", keep)
    found = photographs.record(folder, keep)
    assert found["photographs"]["test"] == 12 and found["seeds"] == [0, 1]
    rows = found["claims"]["C6"]["rows"]
    of = "test_resnet/photographs/2 a class"
    assert rows[f"{of}/majority"] == [0.5, 0.5]
    assert min(rows[f"{of}/frozen"]) >= 0.9  # red or blue
    assert rows[f"{of}/rate careful"] == [1e-3, 1e-3]


def test_what_is_done_is_not_done_again(folder, tmp_path):
    keep = tmp_path / "keep"
    keep.mkdir()
    for seed in (0, 1):
        (keep / f"C6-{seed}.json").write_text(json.dumps({"frozen": 0.5 + seed}))
    photographs.measure(folder, (0, 1), "cpu", keep)
    rows = photographs.record(folder, keep)["claims"]["C6"]["rows"]
    assert rows == {"frozen": [0.5, 1.5]}


@pytest.mark.parametrize("id", photographs.CUTS)
def test_what_was_recorded_is_told_like_a_claim(id):
    claim = load_photographs(id)
    assert claim.verdicts and set(map(len, claim.rows.values())) == {5}
    assert all("photographs" in key for key in claim.rows)


def test_a_claim_that_was_not_recorded_names_those_that_were():
    with pytest.raises(ValueError, match="C12 was not recorded.*C6"):
        load_photographs("C12")
