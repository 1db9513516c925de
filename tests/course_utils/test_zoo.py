import math
from enum import Enum
from types import SimpleNamespace

import pandas as pd
import pytest
import timm
import torch
from torch import nn
from torchvision import models

from course_utils.architectures import torchvision_names
from course_utils.zoo import (
    FAMILIES,
    best_under,
    best_weights,
    family_of,
    load_code,
    machine,
    measure_latency,
    pareto_front,
    stored_latency,
    zoo_table,
)
from course_utils.zoo.families import GROUPS
from course_utils.zoo.latency import build_at, native_size
from course_utils.zoo.table import weights_row


@pytest.fixture
def cars():
    """A little table with a tie, a beaten row, an equal pair and a gap."""
    return pd.DataFrame(
        {
            "architecture": list("abcdefg"),
            "params": [1.0, 2.0, 2.0, 3.0, 3.0, 4.0, math.nan],
            "gflops": [9.0, 1.0, 2.0, 3.0, 3.0, 1.0, 1.0],
            "top1": [50.0, 60.0, 55.0, 70.0, 70.0, 70.0, 99.0],
        }
    )


# -- table -----------------------------------------------------------------------------


def test_the_table_has_all_weight_sets_of_all_architectures():
    table = zoo_table()
    assert len(table) == 115 and table["architecture"].nunique() == 80
    assert table.groupby("architecture")["default"].sum().eq(1).all()
    assert (table["family"] != "").all()


def test_figures_are_torchvision_s_own():
    row = zoo_table().set_index(["architecture", "weights"]).loc["resnet50"]
    meta = models.ResNet50_Weights.IMAGENET1K_V2.meta
    found = row.loc["IMAGENET1K_V2"]
    assert found["params"] == meta["num_params"] / 1e6
    assert found["top1"] == meta["_metrics"]["ImageNet-1K"]["acc@1"] == 80.858
    assert found["top1_per_million_params"] == pytest.approx(80.858 / 25.557032)
    assert (found["crop_size"], found["resize_size"]) == (224, 232)
    assert (found["year"], found["family"]) == (2015, "ResNet")


def test_what_the_metadata_leaves_out_is_nan():
    table = zoo_table()
    gaps = table[table["top1"].isna()]
    assert gaps["weights"].tolist() == ["IMAGENET1K_FEATURES"]  # VGG 16, without a head
    assert gaps[["top5", "top1_per_million_params", "categories"]].isna().all(axis=None)
    numbers = table.drop(gaps.index).select_dtypes("number")
    assert numbers.notna().all(axis=None)


def test_weights_that_tell_nothing_are_a_row_of_nan():
    class Silent(Enum):
        V1 = DEFAULT = SimpleNamespace(meta={})
        meta = property(lambda self: self.value.meta)

        def transforms(self):
            return None

    row = weights_row("mine", Silent.V1)
    figures = ("params", "gflops", "file_mb", "top1", "top5", "crop_size", "categories")
    assert all(math.isnan(row[name]) for name in (*figures, "year"))
    assert (row["family"], row["licence"], row["recipe"]) == ("", "", "")


def test_a_licence_is_named_where_the_weights_name_one():
    named = zoo_table().query("licence != ''")
    assert len(named) == 12 and named["weights"].str.contains("SWAG").all()
    assert set(named["licence"]) == {"CC BY-NC 4.0"}


@pytest.mark.parametrize(
    ("name", "member"), [("resnet50", "IMAGENET1K_V1"), ("squeezenet1_1", "DEFAULT")]
)
def test_the_code_loads_the_weights_that_it_names(name, member, monkeypatch):
    asked = []
    monkeypatch.setattr(
        models, "get_model", lambda *a, **k: asked.append((a, k)) or nn.Identity()
    )
    names = {}
    exec(load_code(name, member), names)
    assert asked == [((name,), {"weights": names["weights"]})]
    assert names["weights"] is models.get_model_weights(name)[member]
    assert names["preprocess"].crop_size == [224]


def test_the_table_is_ours_to_change():
    table = zoo_table()
    table["top1"] = -1.0
    assert zoo_table().loc[0, "top1"] > 0


# -- families --------------------------------------------------------------------------


@pytest.mark.parametrize("name", torchvision_names())
def test_every_torchvision_architecture_has_a_family(name):
    assert family_of(name) in FAMILIES


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("resnext50_32x4d", "ResNeXt"), ("wide_resnet50_2", "Wide ResNet"),
        ("timm/convnext_tiny.fb_in1k", "ConvNeXt"), ("test_vit", "ViT"),
        ("swin_v2_t", "Swin v2"), ("swin_tiny_patch4_window7_224", "Swin"),
        ("tf_efficientnetv2_s", "EfficientNet v2"), ("efficientnet_b0", "EfficientNet"),
        ("deit3_base_patch16_224", "DeiT III"),
        ("deit_tiny_patch16_224", "DeiT"), ("test_resnet", "ResNet"),
        ("vit_base_patch16_224", "ViT"), ("vitamin_small_224", "ViTamin"),
        ("legacy_seresnet50", "SENet"), ("repvgg_a0", "RepVGG"),
    ],
)  # fmt: skip
def test_the_longest_prefix_wins(name, family):
    assert family_of(name).name == family


def test_a_family_that_is_not_listed_is_none():
    assert family_of("sequencer2d_s") is None
    assert family_of("my_net") is None


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_families_say_what_they_are(family):
    assert family.group in GROUPS and 2012 <= family.year <= 2026
    assert family.key_idea.endswith(".") and family.key_idea.count(". ") == 0
    assert family.paper and int(family.venue[-4:]) >= family.year
    assert family.url == "" or family.arxiv[:2] == str(family.year)[2:]


def test_no_name_or_prefix_is_taken_twice():
    prefixes = [prefix for family in FAMILIES for prefix in family.prefixes]
    assert len(set(prefixes)) == len(prefixes)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_most_of_timm_has_a_family():
    known = [name for name in timm.list_models() if family_of(name)]
    assert len(known) > 0.75 * len(timm.list_models())


# -- choice ----------------------------------------------------------------------------


def test_the_front_holds_what_no_row_beats(cars):
    front = pareto_front(cars, cost="params")
    assert front["architecture"].tolist() == ["a", "b", "d", "e"]


def test_another_cost_gives_another_front(cars):
    assert pareto_front(cars, cost="gflops")["architecture"].tolist() == ["g"]
    rest = cars.drop(6)
    assert pareto_front(rest, cost="gflops")["architecture"].tolist() == ["f"]


def test_the_front_of_the_zoo_agrees_with_the_definition():
    table = zoo_table().dropna(subset=["top1"])
    front = pareto_front(table, cost="params")
    for row in table.itertuples():
        better = (table["params"] <= row.params) & (table["top1"] >= row.top1)
        better &= (table["params"] < row.params) | (table["top1"] > row.top1)
        assert (row.Index in front.index) == (not better.any())


def test_the_best_under_a_budget(cars):
    assert best_under(cars, params=2.5)["architecture"] == "b"
    assert best_under(cars, params=4, gflops=1)["architecture"] == "f"
    assert best_under(cars, params=9)["architecture"] in "de"  # cheapest of equals


def test_the_figure_that_is_named_as_cheapest_is_a_budget_that_does():
    with pytest.raises(ValueError, match="has params") as refused:
        best_under(zoo_table(), params=0.5)
    enough = float(str(refused.value).rpartition(" ")[2])
    assert best_under(zoo_table(), params=enough)["params"] <= enough


def test_a_budget_that_nothing_meets_says_what_would(cars):
    with pytest.raises(
        ValueError, match=r"params <= 0.5; the cheapest, a, has params 1"
    ):
        best_under(cars, params=0.5)
    with pytest.raises(ValueError, match=r"the cheapest, b, has params 2, gflops 1$"):
        best_under(cars, params=1.9, gflops=0.9)
    with pytest.raises(ValueError, match="no row has figures for params"):
        best_under(cars[6:], params=9)


def test_the_best_weights_are_one_row_for_each_architecture():
    table = zoo_table()
    best = best_weights(table)
    assert best["architecture"].tolist() == list(torchvision_names())
    assert best["top1"].tolist() == table.groupby("architecture")["top1"].max().tolist()


def test_bad_questions_are_named(cars):
    with pytest.raises(ValueError, match="no column 'speed'; there are architecture"):
        pareto_front(cars, cost="speed")
    with pytest.raises(ValueError, match="no column 'top9'"):
        best_weights(cars, gain="top9")
    with pytest.raises(ValueError, match="at least one budget"):
        best_under(cars)
    with pytest.raises(TypeError, match="table must be a DataFrame, got None"):
        best_under(None, params=1)
    with pytest.raises(ValueError, match="column 'name' holds no numbers"):
        pareto_front(cars.assign(name="x"), cost="name")


@pytest.mark.parametrize("budget", [float("nan"), "10", None, True])
def test_a_budget_is_a_number(cars, budget):
    with pytest.raises(ValueError, match="params must be (a number|finite)"):
        best_under(cars, params=budget)


def test_a_budget_in_another_unit_is_refused():
    with pytest.raises(ValueError, match=r"<= 1e\+06 leaves .*Parameters \(millions\)"):
        best_under(zoo_table(), params=1e6)
    generous = best_under(zoo_table(), params=float("inf"))
    assert generous["top1"] == best_under(zoo_table(), params=1000)["top1"]


# -- latency ---------------------------------------------------------------------------


class _Watched(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.seen = []

    def forward(self, x):
        state = self.training, torch.is_grad_enabled(), torch.get_num_threads()
        self.seen.append((tuple(x.shape), *state))
        return self.norm(self.conv(x))


def test_passes_are_warmed_up_in_eval_mode_without_gradients():
    model, threads = _Watched().train(), torch.get_num_threads()
    found = measure_latency(
        model, batch_size=2, image_size=16, repeats=3, warmup=2, threads=1
    )
    assert model.seen == [((2, 3, 16, 16), False, False, 1)] * 5
    assert model.training and torch.get_num_threads() == threads
    assert int(model.norm.num_batches_tracked) == 0
    assert 0 < found.low_ms <= found.median_ms <= found.high_ms
    assert found.images_per_second == pytest.approx(2000 / found.median_ms)
    assert "batch of 2, 16 px, cpu, 1 thread, " in str(found)


def test_a_model_is_given_back_in_its_mode_after_an_error():
    model, threads = _Watched().train(), torch.get_num_threads()
    with pytest.raises(RuntimeError):
        measure_latency(model, image_size=2, threads=threads + 1)  # a kernel of 3 x 3
    assert model.training and torch.get_num_threads() == threads


def test_when_the_time_is_up_three_passes_are_enough():
    found = measure_latency(_Watched(), image_size=8, repeats=50, max_seconds=0)
    assert found.repeats == 3


def test_a_name_is_measured_at_its_own_size():
    found = measure_latency("timm/test_resnet", repeats=1, warmup=0)
    assert found.image_size == 160
    assert native_size("inception_v3") == 299


def test_a_vit_is_built_for_the_size_that_it_is_asked_for():
    with torch.device("meta"):
        assert build_at("vit_b_16", 384).image_size == 384
        assert not build_at("googlenet", None).transform_input


@pytest.mark.parametrize("name", ["repeats", "batch_size", "warmup", "threads",
                                  "image_size"])  # fmt: skip
@pytest.mark.parametrize("bad", [0, -1, 2.5, float("nan"), "4"])
def test_counts_that_make_no_sense_are_refused(name, bad):
    if (name, bad) != ("warmup", 0):
        with pytest.raises(
            ValueError, match=f"{name} must be a whole number .* {bad!r}"
        ):
            measure_latency(_Watched(), **{name: bad})


def test_other_bad_options_of_a_measurement_are_named():
    with pytest.raises(ValueError, match="max_seconds must be a number of at least 0"):
        measure_latency(_Watched(), max_seconds=float("nan"))
    with pytest.raises(ValueError, match="device must be such as 'cpu' or 'cuda'"):
        measure_latency(_Watched(), device="laptop")
    with pytest.raises(
        TypeError,
        match="model must be a (torch.nn.)?Module",
    ):
        measure_latency(None)


@pytest.mark.parametrize("net", [
    nn.AvgPool2d(2), nn.Conv2d(1, 4, 3), nn.Conv2d(3, 4, 3).double()
])  # fmt: skip
def test_nets_without_parameters_of_one_channel_and_of_other_types_are_timed(net):
    found = measure_latency(net, image_size=16, repeats=1, warmup=0)
    assert found.image_size == 16 and found.median_ms > 0


def test_stored_latencies_cover_the_zoo_and_name_the_machine():
    stored = stored_latency()
    assert set(stored["architecture"]) == set(torchvision_names())
    assert (stored["low_ms"] <= stored["median_ms"]).all()
    assert (stored["median_ms"] <= stored["high_ms"]).all()
    assert "1 thread, torch" in stored.attrs["machine"]
    joined = zoo_table(latency=True)
    assert joined["ms"].notna().all() and len(joined) == 115
    assert joined.attrs["machine"] == stored.attrs["machine"]


# -- the machine -----------------------------------------------------------------------


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A system without /proc/cpuinfo; the name is asked for anew."""
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    machine.cpu_name.cache_clear()
    yield tmp_path / "cpuinfo"
    machine.cpu_name.cache_clear()


def test_linux_names_the_processor_in_a_file(nowhere):
    nowhere.write_text("processor\t: 0\nmodel name\t: AMD EPYC 7763 \n")
    assert machine.cpu_name() == "AMD EPYC 7763"


@pytest.mark.parametrize(
    ("code", "said", "expected"), [(0, "Apple M2\n", "Apple M2"), (1, "", "arm")]
)
def test_a_mac_is_asked_for_its_processor(nowhere, monkeypatch, code, said, expected):
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine.platform, "processor", lambda: "arm")
    asked = SimpleNamespace(returncode=code, stdout=said)
    monkeypatch.setattr(machine.subprocess, "run", lambda *_, **__: asked)
    assert machine.cpu_name() == expected
