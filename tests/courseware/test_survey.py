"""Inspection, surgery and stages for every architecture of torchvision, and of timm."""

import pytest
import timm
import torch
from torchvision import models

from course_utils.architectures import build, torchvision_names
from course_utils.heads import replace_head
from course_utils.inspection import inspect_model
from course_utils.layer_groups import layer_groups
from course_utils.measured import read_measured
from course_utils.meta_tensors import build_on_meta
from courseware.making import survey as surveys

ONE_A_MODULE = [
    f"timm/{timm.list_models(module=module)[0]}"
    for module in timm.list_modules()
    if timm.list_models(module=module)
]
SMALL = [  # one small model a family, with real tensors
    "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "mobilenet_v3_small",
    "regnet_y_400mf", "googlenet", "timm/test_resnet", "timm/test_efficientnet",
    "timm/test_convnext", "timm/test_vit", "timm/test_nfnet", "timm/test_byobnet",
    "timm/test_mambaout", "timm/edgenext_xx_small", "timm/mobilevit_xxs",
    "timm/levit_128s", "timm/deit_tiny_distilled_patch16_224", "timm/mixer_s32_224",
]  # fmt: skip


@pytest.mark.parametrize("name", torchvision_names())
def test_torchvision_costs_are_those_of_the_metadata(name):
    weights = models.get_model_weights(name).DEFAULT
    side = weights.transforms().crop_size[0]
    # GoogLeNet's weights come without its auxiliary classifiers.
    model = build_on_meta(name, aux_logits=False) if name == "googlenet" else name
    report = inspect_model(model, input_size=(3, side, side))
    assert report.macs == pytest.approx(weights.meta["_ops"] * 1e9, rel=0.02)
    assert report.num_params == weights.meta["num_params"]


@pytest.mark.parametrize("name", [*torchvision_names(), *ONE_A_MODULE])
def test_heads_and_stages_of_every_family_hold(name):
    assert surveys.survey(name)["failure"] == ""


@pytest.mark.parametrize("name", SMALL)
def test_the_same_on_real_tensors(name):
    model = build(name)
    report = inspect_model(model)
    assert report.num_params == sum(p.numel() for p in model.parameters())
    meta = [group.name for group in layer_groups(build_on_meta(name))]
    assert report.stage_names == meta
    replace_head(model, 3, dropout=0.1).eval()
    with torch.inference_mode():
        logits = model(torch.zeros(1, *report.input_size))
    logits = logits if torch.is_tensor(logits) else logits[0]
    assert logits.shape == (1, 3)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_answer_the_same_question(name):
    model = replace_head(build_on_meta(name), 7).train()
    with torch.device("meta"):
        outputs = model(torch.empty(2, 3, 299, 299))
    assert {tuple(out.shape) for out in outputs} == {(2, 7)}


def test_a_failure_becomes_a_row_that_names_its_cause(monkeypatch):
    def refuse(name):
        raise ValueError("stages are not in order of use")

    monkeypatch.setattr(surveys, "survey", refuse)
    assert surveys.try_survey("resnet18") == {
        "architecture": "resnet18", "failure": "stages are not in order of use",
    }  # fmt: skip


def test_the_check_of_stages_can_fail():
    report = inspect_model("resnet18")
    report.groups.reverse()
    with pytest.raises(ValueError, match="not in order of use"):
        surveys.check_stages(report)
    report.groups.reverse()
    del report.groups[2]
    with pytest.raises(ValueError, match="in no stage"):
        surveys.check_stages(report)


def test_the_stored_table_holds_every_architecture_and_at_most_three_failures():
    table = read_measured("architectures").table()
    assert len(table) >= 80 + 1371
    assert table["architecture"].is_unique
    failed = table[table["failure"] != ""]
    assert len(failed) <= 3, failed


def test_the_command_stores_a_table(empty_measured, monkeypatch, capsys):
    names = ["squeezenet1_1", "timm/test_resnet"]
    monkeypatch.setattr(surveys, "all_names", lambda: names)
    assert surveys.main(["--processes", "1"]) == 0
    measured = read_measured("architectures")
    assert measured.table()["architecture"].tolist() == names
    assert measured.table()["heads"].tolist() == ["classifier.1", "fc"]
    assert measured.made_with.keys() == {"torch", "torchvision", "timm"}
    assert "2 architectures, 0 failed" in capsys.readouterr().out


def test_the_command_shows_what_is_asked_for_and_stores_nothing(empty_measured, capsys):
    assert surveys.main(["squeezenet1_1", "--processes", "1"]) == 0
    assert "classifier.1" in capsys.readouterr().out
    assert not empty_measured.exists()
