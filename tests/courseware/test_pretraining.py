"""Pretraining: a tiny run writes weights and a card; the shipped ones match theirs."""

import json
from dataclasses import replace

import pytest
import timm
import torch
from safetensors.torch import load_file

from course_utils.storage import data_dir, sha256_file
from course_utils.weights import load_backbone
from courseware.making import pretraining
from courseware.making.drawing.source_world import (
    ATTRIBUTES,
    GLYPHS,
    SHAPES,
    draw_batch,
)
from courseware.making.pretraining import RECIPES, AttributeHeads, pretrain, train

TINY = {"steps": 3, "batch_size": 8, "warmup": 1}
SHIPPED = sorted((data_dir() / "weights").glob("*.json"))
NAMED = pytest.mark.parametrize("card_path", SHIPPED, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    recipe = replace(RECIPES["test_resnet"], **TINY)
    return pretrain(recipe, folder=tmp_path_factory.mktemp("weights"))


def read_card(path):
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def test_a_run_writes_weights_that_load_strictly(tiny):
    model = timm.create_model("test_resnet", num_classes=len(SHAPES))
    model.load_state_dict(load_file(tiny), strict=True)
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, len(SHAPES))


def test_the_card_says_what_was_done(tiny):
    card = read_card(tiny)
    assert card["sha256"] == sha256_file(tiny)
    assert (card["steps"], card["images_seen"], card["seed"]) == (3, 24, 0)
    assert card["classes"] == list(SHAPES) and card["image_size"] == 64
    assert card["recipe"]["batch_size"] == 8 and "not ImageNet" in card["data"]


def test_the_written_file_loads_as_a_backbone(tiny, capsys):
    model = load_backbone("test_resnet", weights=tiny)
    assert not model.training and "imagenet" not in capsys.readouterr().out.lower()


def test_the_head_that_is_kept_is_the_shapes(tiny):
    model = timm.create_model("test_resnet", num_classes=0)
    heads = AttributeHeads(model.num_features)
    kept = pretraining._with_shape_head(model, heads).get_classifier()
    assert torch.equal(kept.weight, heads.heads["shape"].weight)


def test_the_same_recipe_trains_the_same_net_and_another_seed_does_not():
    recipe = replace(RECIPES["test_efficientnet"], **TINY)
    first, again, other = (
        train(r, progress=False)[0].state_dict()
        for r in (recipe, recipe, replace(recipe, seed=1))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_other_designs_train_too(name):
    model, figures = train(replace(RECIPES[name], **TINY), progress=False)
    assert model.get_classifier().out_features == len(SHAPES)
    assert 0 <= figures["source_shape_accuracy"] <= 1


def test_half_precision_files_hold_half_precision(tmp_path):
    recipe = replace(RECIPES["test_resnet"], **TINY, half_precision_file=True)
    state = load_file(pretrain(recipe, folder=tmp_path))
    assert state["fc.weight"].dtype == torch.float16
    assert state["bn1.num_batches_tracked"].dtype == torch.int64


def test_a_loss_that_is_not_finite_stops_the_run():
    recipe = replace(RECIPES["test_resnet"], **TINY, lr=float("nan"))
    with pytest.raises(ValueError, match="test_resnet: loss nan at step 2; lower lr"):
        train(recipe, progress=False)


def test_every_attribute_has_a_head_and_moves_the_features():
    heads = AttributeHeads(16, glyphs=True)
    assert set(heads.heads) == {*ATTRIBUTES, "glyph"}
    assert heads.heads["glyph"].out_features == len(GLYPHS)
    images, labels = draw_batch(16, seed=0, glyphs=0.5)
    features = torch.randn(16, 16, requires_grad=True)
    heads.loss(features, labels | pretraining.descriptors(images)).backward()
    assert features.grad.abs().min(1).values.gt(0).all()
    assert all(head.weight.grad.abs().sum() > 0 for head in heads.heads.values())


def test_colour_histograms_are_shares_of_whole_and_middle():
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    images[1, :, 16:48, 16:48] = 255
    shares = pretraining.colour_histograms(images)
    assert shares.shape == (2, 64, 2)
    assert shares.sum(1).allclose(torch.ones(2, 2))
    assert shares[1, 63].tolist() == [0.25, 1.0] and shares[0, 0].tolist() == [1.0, 1.0]


def test_edge_strengths_tell_directions_apart():
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[..., ::8] = 255  # upright lines: change along x alone
    found = pretraining.edge_strengths(stripes)
    assert found.shape == (1, 24) and found[0, 0] > found[0, 2]


def test_normalise_gives_the_expected_floats():
    white = pretraining.normalise(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8))
    pairs = zip(pretraining.MEAN, pretraining.STD, strict=True)
    expected = [(1 - m) / s for m, s in pairs]
    assert white[0, :, 0, 0].tolist() == pytest.approx(expected)


@pytest.fixture
def threads():
    """The number of threads is the process's: put it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_command_line_trains_with_other_steps(tmp_path, capsys, threads):
    pretraining.main(["test_resnet", "--steps", "3", "--folder", str(tmp_path)])
    assert torch.get_num_threads() == 1  # the other core draws
    assert capsys.readouterr().out.strip().endswith("test_resnet.safetensors")
    assert read_card(tmp_path / "test_resnet.safetensors")["steps"] == 3


def test_an_unknown_recipe_names_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        pretraining.main(["resnet18"])
    assert "no recipe for 'resnet18'; there are test_resnet" in capsys.readouterr().err


def test_command_line_refuses_a_net_without_a_recipe(capsys):
    with pytest.raises(SystemExit):
        pretraining.main(["resnet50"])
    assert "resnet50" in capsys.readouterr().err


def test_too_few_steps_are_an_error(threads):
    with pytest.raises(ValueError, match="2 steps are too few"):
        pretraining.main(["test_resnet", "--steps", "2"])


@NAMED
def test_shipped_weights_match_their_card(card_path):
    card, path = read_card(card_path), card_path.with_suffix(".safetensors")
    assert card["sha256"] == sha256_file(path)
    assert path.stat().st_size <= 25 * 2**20
    assert card["classes"] == list(SHAPES)
    assert card["images_seen"] == card["steps"] * card["recipe"]["batch_size"]


@NAMED
def test_shipped_weights_load_strictly(card_path):
    card = read_card(card_path)
    model = timm.create_model(
        card["model"], num_classes=len(card["classes"]), **card["create_kwargs"]
    )
    state = load_file(card_path.with_suffix(".safetensors"))
    assert all(v.isfinite().all() for v in state.values() if v.is_floating_point())
    model.load_state_dict(state, strict=True)


@NAMED
def test_shipped_weights_were_trained_by_the_recipe(card_path):
    card = read_card(card_path)
    recipe = RECIPES[card["model"]]
    assert card["steps"] == recipe.steps and card["seed"] == recipe.seed
    assert card["role"] == recipe.role


def test_every_recipe_ships_and_all_files_stay_small():
    assert {path.stem for path in SHIPPED} == set(RECIPES)
    files = [path.with_suffix(".safetensors") for path in SHIPPED]
    assert sum(path.stat().st_size for path in files) <= 40 * 2**20


@NAMED
def test_shipped_weights_know_shapes_better_than_chance(card_path):
    model = load_backbone(card_path.stem, weights="bundled")
    images, labels = draw_batch(300, seed=10**9)
    with torch.inference_mode():
        guess = model(model.weights_info.normalize(images / 255)).argmax(1)
    assert (guess == labels["shape"]).double().mean() > 2 / len(SHAPES)
