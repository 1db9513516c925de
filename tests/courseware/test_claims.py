"""The stored claims: fresh hashes, gates met, and one rotating seed measured again."""

from dataclasses import replace

import pytest

from course_utils import measured
from course_utils.measured import read_measured, write_measured
from course_utils.metrics import mean_interval
from course_utils.storage import course_home
from courseware.claims import PROTOCOLS, Claim, load_claim, measuring
from courseware.claims.measuring import compare, confirm, measure, rotating_seed
from courseware.claims.protocol import Bar


@pytest.mark.parametrize("id", PROTOCOLS)
def test_figures_belong_to_these_weights_data_and_code(id):
    assert load_claim(id).is_current, f"run `course claims --confirm {id}`"


NETS = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit")
BARS = {"flowers": 15, "cells": 5, "defects": 5, "digits": 5}  # points


@pytest.mark.parametrize(
    ("net", "data"),
    [(net, data) for net in NETS for data in BARS],
)
def test_pretraining_gains_what_c1_asks(net, data):
    assert load_claim("C1").interval(f"{net}/{data}/gain").mean >= BARS[data]


@pytest.mark.parametrize("id", PROTOCOLS)
def test_a_sentence_fits_a_narrow_notebook(id):
    lines = load_claim(id).sentence().splitlines()
    assert max(map(len, lines)) <= 75 and lines[0].startswith(f"{id}: ")


@pytest.mark.parametrize("id", PROTOCOLS)
def test_nothing_is_less_than_zero_by_nothing(id):
    assert "-0.0 ±" not in load_claim(id).table.to_string()


@pytest.mark.parametrize("id", [id for id, p in PROTOCOLS.items() if p.gate])
def test_gates_are_met(id):
    claim = load_claim(id)
    assert claim.is_met, claim.table.to_string()


@pytest.mark.parametrize(
    "id",
    [
        pytest.param(id, marks=[pytest.mark.slow] if protocol.costly else [])
        for id, protocol in PROTOCOLS.items()
    ],
)
def test_one_seed_measured_again_agrees(id, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    seed, protocol = rotating_seed(), PROTOCOLS[id]
    shares = compare(protocol, seed, measure(protocol, seed, **protocol.recheck))
    assert max(shares.values()) <= 1, max(shares, key=shares.get)


def test_tables_hold_every_figure():
    table = load_claim("C1").table
    assert len(table) == 20 and list(table)[-2:] == ["gain (points)", "verdict"]


def test_unknown_claim_names_the_known_ones():
    with pytest.raises(ValueError, match="no claim 'C99'.*C1"):
        load_claim("C99")


# -- verdicts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bar", "values", "verdict"),
    [
        (Bar("*", low=5), [6.0, 7.0, 8.0], "open"),  # 7 ± 2.5
        (Bar("*", low=4), [6.0, 7.0, 8.0], "established"),
        (Bar("*", low=10), [6.0, 7.0, 8.0], "contradicted"),
        (Bar("*", high=10), [6.0, 7.0, 8.0], "established"),
        (Bar("*", high=4), [6.0, 7.0, 8.0], "contradicted"),
        (Bar("*", low=-10, high=10), [6.0, 7.0, 8.0], "established"),
        (Bar("*", low=-10, high=8), [6.0, 7.0, 8.0], "open"),
        (Bar("*", low=0, high=0), [0.0, 0.0, 0.0], "established"),
        (Bar("*", low=0), [0.0, 0.0, 0.0], "open"),  # exactly nothing is no gain
    ],
)
def test_the_interval_alone_decides(bar, values, verdict):
    assert bar.verdict(mean_interval(values)) == verdict


@pytest.mark.parametrize("id", PROTOCOLS)
def test_every_bar_is_met_by_some_row_and_no_row_by_a_later_one(id):
    protocol, rows = PROTOCOLS[id], load_claim(id).rows
    used = {protocol.bar_of(key) for key in rows} - {None}
    assert used == set(protocol.bars)


def test_a_sentence_counts_the_rows():
    protocol = replace(PROTOCOLS["C8"], bars=(Bar("*/gain", low=0),))
    rows = {"a/x/gain": [2, 2.1, 1.9], "a/y/gain": [1, -1, 0], "a/x/other": [1, 1, 1]}
    assert Claim(protocol, rows, {}).counted() == "Of 2 rows: 1 established, 1 open."


def test_a_gate_asks_for_the_means():
    protocol = replace(PROTOCOLS["C8"], bars=(Bar("*/gain", low=0),), gate="a/*")
    assert Claim(protocol, {"a/x/gain": [3, -1, 1], "b/x/gain": [-1, -1]}, {}).is_met
    assert not Claim(protocol, {"a/x/gain": [3, -4, 0]}, {}).is_met


# -- seed by seed -----------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))


def test_a_run_that_was_cut_short_goes_on_with_the_next_seed(figures, home, capsys):
    asked, rows = [], load_claim("C12").rows

    def one(seed):
        asked.append(seed)
        if asked == [0, 1, 2]:
            raise KeyboardInterrupt
        return {key: values[seed] for key, values in rows.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "measure", lambda protocol, seed: one(seed))
        with pytest.raises(KeyboardInterrupt):
            measuring.run(["C12"])
        assert not load_claim("C12").is_current
        measuring.run(["C12"])
    assert asked == [0, 1, 2, 2, 3, 4]
    assert load_claim("C12").is_current and load_claim("C12").rows == rows
    assert not [*(course_home() / "claims").glob("C12-*")]  # they are in the claim now


def test_two_processes_share_the_seeds(figures, home, capsys):
    measuring.run(["C12"], seeds=(3, 4))
    assert "seeds [0, 1, 2] are still to be measured" in capsys.readouterr().out
    assert not load_claim("C12").is_current
    measuring.run(["C12"], seeds=(0, 1, 2))
    assert load_claim("C12").is_current


# -- confirming ----------------------------------------------------------------------------


@pytest.fixture
def figures(tmp_path, monkeypatch):
    """A copy of the stored claims, in which C12 was signed for other code."""
    kept = read_measured("claims")
    monkeypatch.setattr(measured, "data_dir", lambda: tmp_path)
    kept.content["C12"] |= {"hashes": {"code": "another"}, "confirmed": []}
    write_measured("claims", kept.content, made_by=kept.made_by)
    return kept.content


def test_a_stale_claim_whose_seed_agrees_is_signed_again_and_it_is_noted(figures):
    assert not load_claim("C12").is_current
    assert confirm(["C12"], seed=3) == []
    claim = load_claim("C12")
    assert claim.is_current
    assert [note["seed"] for note in claim.confirmed] == [3]
    assert claim.confirmed[0]["worst"] <= 1


def test_a_stale_claim_whose_seed_differs_stays_stale(figures, capsys):
    figures["C12"]["rows"]["small/T=8"][2] += 0.1
    write_measured("claims", figures, made_by="x")
    assert measuring.main(["C12", "--confirm", "--seed", "2"]) == 1
    assert not load_claim("C12").is_current
    assert "C12: small/T=8 differs by" in capsys.readouterr().out


def test_a_claim_that_is_current_is_not_measured(monkeypatch, capsys):
    monkeypatch.setattr(measuring, "measure", None)
    assert confirm(["C1"]) == []
    assert "nothing that it depends on has changed" in capsys.readouterr().out


def test_what_ends_by_chance_agrees_where_it_stays_bad():
    protocol, rows = PROTOCOLS["C5"], load_claim("C5").rows
    cost = "test_resnet/cost of Adam"
    assert compare(protocol, 0, {cost: 0.1})[cost] == 1
    assert compare(protocol, 0, {cost: -0.1})[cost] > 1
    assert compare(protocol, 0, {cost: rows[cost][0]})[cost] == 0
    assert compare(protocol, 0, {"test_resnet/Adam": 5.0}) == {}
