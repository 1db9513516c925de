"""Cases of docs/peers.md: what ours does where other tools fail, and the page itself."""

from collections import Counter

import pytest
import torch
from torch import nn

from course_utils.architectures import torchvision_names
from course_utils.heads import check_head, find_heads, replace_head
from course_utils.layer_groups import UnfreezeSchedule, freeze, layer_groups, unfreeze
from course_utils.meta_tensors import build_on_meta
from course_utils.param_groups import param_groups
from tests.benchmarks import peers

# One net for each way in which fastai's rule fails, and its outcome; the last is cut right.
CUTS = {
    "shufflenet_v2_x0_5": "silently wrong: keeps conv1",
    "densenet121": "silently wrong: keeps nothing",
    "vit_b_32": peers.RAISES,
    "mnasnet0_5": peers.RAISES,
    "mobilenet_v2": peers.RAISES,
    "googlenet": "the body does not run",
    "inception_v3": "the body does not run",
    "maxvit_t": "the body does not run",
    "resnet18": peers.RIGHT,
}
FAILING = [name for name, outcome in CUTS.items() if outcome != peers.RIGHT]
SAME = ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "resnet18"]
DIFFERENT = ["test_resnet", "convnext_tiny", "maxvit_tiny_tf_224"]


@pytest.fixture(scope="module")
def page():
    return peers.PAGE.read_text(encoding="utf-8")


def _on_page(table, page):
    return [row for row in peers.markdown(table).splitlines() if row not in page]


# -- where fastai's cut fails ------------------------------------------------------------


@pytest.mark.parametrize("name", CUTS)
def test_fastai_s_rule_does_what_the_page_says(name):
    assert peers.cut_row(name)["fastai's rule"] == CUTS[name]


@pytest.mark.parametrize("name", FAILING)
def test_a_new_head_fits_where_the_cut_fails(name):
    check_head(replace_head(build_on_meta(name), 7), 7)


@pytest.mark.parametrize("name", FAILING)
def test_the_stages_hold_each_parameter_once_and_end_in_the_head(name):
    model = build_on_meta(name)
    groups = layer_groups(model)
    grouped = [id(p) for group in groups for p in group.parameters]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    heads = find_heads(model).values()
    last = {id(p) for p in groups[-1].parameters}
    assert last == {id(p) for head in heads for p in head.parameters()}


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "densenet121"])
def test_the_body_is_more_than_what_the_silent_cut_keeps(name):
    model = build_on_meta(name)
    children = list(model.children())
    kept = nn.Sequential(*children[: peers.fastai_cut(model)]).parameters()
    body = [p for group in layer_groups(model)[:-1] for p in group.parameters]
    assert sum(p.numel() for p in kept) < 0.01 * sum(p.numel() for p in body)


def test_a_wrong_cut_is_not_called_right():
    model = build_on_meta("resnet18")
    assert peers.judge(model, lambda m: -2) == peers.RIGHT
    assert peers.judge(model, lambda m: -3) == (
        "silently wrong: keeps conv1, bn1, relu, maxpool, layer1, layer2, layer3"
    )


# -- where Lightning's callback fails ----------------------------------------------------


def test_parameters_of_equal_values_all_learn():
    model = peers.twins()
    optimizer = torch.optim.SGD(param_groups(model, 0.1, ratio=0.5))
    schedule = UnfreezeSchedule.gradual(model)
    before = [p.detach().clone() for p in model.parameters()]
    for epoch in range(1, 4):
        schedule.apply(model, epoch)
        optimizer.zero_grad()
        model(torch.ones(2, 3, 16, 16)).square().mean().backward()
        optimizer.step()
    pairs = zip(model.parameters(), before, strict=True)
    assert not any(torch.equal(now, old) for now, old in pairs)


def test_lookup_by_value_loses_the_first_of_two_equal_layers():
    row = peers.equal_row("two equal convolutions")
    assert (row["ours"], row["Lightning"]) == (row["tensors"], row["tensors"] - 2)
    assert row["lost, first of them"] == "0.weight, 0.bias"


@pytest.mark.parametrize("built", [True, False])
def test_freezing_and_waking_leave_track_running_stats_as_built(built):
    norm = nn.BatchNorm2d(4, track_running_stats=built)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.Flatten(), nn.Linear(4, 2))
    freeze(model)
    assert norm.track_running_stats is built
    unfreeze(model)
    assert norm.track_running_stats is built


def test_a_picture_s_features_do_not_depend_on_the_batch_where_batchnorm_is_frozen():
    ours, theirs = (peers.norm_row(how) for how in ("ours", "train_bn=False"))
    said = ("track_running_stats", "statistics moved", "depends on the batch",
            "as in eval mode")  # fmt: skip
    assert [ours[key] for key in said] == [True, False, False, True]
    assert [theirs[key] for key in said] == [False, False, True, False]


# -- timm's layer decay ------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SAME, *DIFFERENT])
def test_scales_are_timm_s_or_the_page_says_why_not(name, page):
    row = peers.scale_row(name)
    assert peers.agree(row["same scale"]) == (name in SAME)
    assert bool(row["where they differ"]) == (name in DIFFERENT)
    assert peers.row_text(row.values()) in page


def test_a_torch_scheduler_keeps_our_ratio_and_loses_timm_s(page):
    table = peers.schedule_table()
    assert not _on_page(table, page)
    ratios = table.set_index(["scheduler", "groups"])["ratio"]
    for name in ("StepLR", "CosineAnnealingLR", "OneCycleLR, a max_lr a group"):
        assert ratios[f"torch {name}", "ours"] == f"{peers.DECAY**7:.3f}"
        assert ratios[f"torch {name}", "timm"] == "1.000"


def test_options_never_freeze_a_parameter_of_ours(page):
    table = peers.options_table()
    assert not _on_page(table, page)
    frozen = table[table["tool"] == "ours"]["frozen by it"]
    assert set(frozen) == {0, "has none"}
    assert (table[table["tool"] == "timm"]["frozen by it"] != 0).sum() == 1


# -- the page ----------------------------------------------------------------------------


def test_the_page_holds_what_the_run_of_the_callback_s_part_gives(page):
    for section in peers.lightning_sections():
        assert section.markdown() in page


@pytest.mark.parametrize("name", FAILING)
def test_the_page_holds_each_net_where_the_cut_fails(name, page):
    assert peers.row_text(peers.cut_row(name).values()) in page


def test_the_page_s_counts_are_those_of_its_rows(page):
    cells = _cells(page, "Cut: counts")
    by_rule = {outcome: int(count) for outcome, count, *_ in cells}
    total = len(torchvision_names())
    assert sum(by_rule.values()) == total
    assert [int(ours) for *_, ours in cells] == [total, 0, 0, 0]
    failing = _cells(page, "Cut: the nets where the rule fails")
    found = Counter(peers.kind(outcome) for _, outcome, *_ in failing)
    assert found == {key: n for key, n in by_rule.items() if key != peers.RIGHT}


def _cells(page, title):
    """Cells of a section's table, a list a row, without the two lines of its head."""
    section = page.partition(f"### {title}\n")[2].partition("\n#")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [row.strip("| ").split(" | ") for row in rows[2:]]


def test_the_page_says_what_made_it_and_holds_no_other_section(page):
    assert peers.COMMAND in page
    tools = [line[3:] for line in page.splitlines() if line.startswith("## ")]
    assert tools == list(peers.PARTS)


def test_a_cell_of_a_table_stays_in_its_row():
    table = peers.pd.DataFrame([{"a": 1, "b": "x"}])
    assert peers.markdown(table) == "| a | b |\n| --- | --- |\n| 1 | x |"
