import re

import pytest
import torch
from torch import nn
from traitlets import TraitError

from course_utils.architectures import build
from course_utils.errors import UnknownModel
from course_utils.heads import replace_head
from course_utils.layer_groups import UnfreezeSchedule, freeze, layer_groups
from course_utils.param_groups import param_groups
from course_utils.widgets import FreezePlanner
from tests.course_utils.test_widgets import VIEW, TagChecker

STAGES = ["stem", "layer1", "layer2", "fc"]
SIZES = [112, 148 + 8, 148, 15]


class Net(nn.Module):
    """Four stages of 112, 156, 148 and 15 parameters."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.layer1 = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.layer2 = nn.Conv2d(4, 4, 3)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(self.stem(x))).mean((2, 3)))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def planner(net):
    return FreezePlanner(net, epochs=5, schedule={1: ["fc"], 3: ["layer2"]}, lr=0.1)


def rates(groups):
    return {group["name"]: group["lr"] for group in groups}


# -- the schedule --------------------------------------------------------------------


def test_schedule_comes_back_as_it_was_given(planner):
    given = UnfreezeSchedule({2: ["layer1", "fc"], 5: ["stem"]})
    planner.schedule = given
    assert isinstance(planner.schedule, UnfreezeSchedule)
    assert planner.schedule == given
    assert planner.wakes == {"stem": 5, "layer1": 2, "layer2": 0, "fc": 2}


def test_a_stage_named_twice_wakes_at_the_earlier_epoch(planner):
    planner.schedule = {4: "fc", 2: ["fc", "stem"]}
    assert planner.schedule == UnfreezeSchedule({2: ["stem", "fc"]})


@pytest.mark.parametrize(
    ("epochs", "starts"), [(3, [1, 2, 3]), (4, [1, 2, 3, 4]), (10, [1, 3, 5, 7])]
)
def test_the_default_wakes_head_first_and_spreads_over_the_epochs(net, epochs, starts):
    schedule = FreezePlanner(net, epochs=epochs).schedule
    assert list(schedule) == starts
    woken = [name for names in schedule.values() for name in names]
    assert woken == STAGES[::-1][: len(starts)]


def test_the_gradual_plan_is_the_schedules_own(net):
    gradual = UnfreezeSchedule.gradual(net, every=2)
    assert FreezePlanner(net, epochs=8).schedule == gradual


def test_a_schedule_edited_in_place_changes_the_plan(planner):
    planner.schedule[4] = ["layer1", "stem"]
    assert planner.wakes == {"stem": 4, "layer1": 4, "layer2": 3, "fc": 1}
    del planner.schedule[3]
    assert planner.wakes["layer2"] == 0
    assert planner.counts["learning"] == [15, 15, 15, 15 + 156 + 112, 283]


def test_counts_follow_from_the_stages_own_parameters(planner, net):
    assert [stage["params"] for stage in planner.stages] == SIZES
    assert planner.counts["total"] == sum(p.numel() for p in net.parameters())
    assert planner.counts["learning"] == [15, 15, 163, 163, 163]
    learning = []
    for epoch in range(1, 6):
        planner.schedule.apply(net, epoch)
        learning.append(sum(p.numel() for p in net.parameters() if p.requires_grad))
    assert planner.counts["learning"] == learning


def test_what_the_browser_sends_is_what_python_reads(planner):
    planner.set_state({"wakes": {"stem": 0, "layer1": 2, "layer2": 0, "fc": 1}})
    assert planner.schedule == UnfreezeSchedule({1: ["fc"], 2: ["layer1"]})
    planner.set_state({"rates": {**planner.rates, "stem": 1e-5}})
    assert (planner.lrs["stem"], planner.ratio) == (1e-5, None)


def test_a_plan_in_which_all_sleep_has_no_schedule_and_says_so(planner):
    planner.set_state({"wakes": dict.fromkeys(STAGES, 0)})
    with pytest.raises(ValueError, match=r'set \.schedule = {1: \["fc"\]}'):
        planner.schedule  # noqa: B018
    assert planner.counts["learning"] == [0] * 5
    assert planner.code.startswith("# no stage wakes")
    planner.schedule = {1: "fc"}
    assert planner.counts["learning"] == [15] * 5


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({1: ["neck"]}, "no stage 'neck'; stages are stem, layer1, layer2, fc"),
        ({6: ["fc"]}, r"fc wakes in epoch 6, and the planner shows 5.*epochs=6"),
        ({0: ["fc"]}, "epochs count from 1, got 0"),
        ({}, "at least one entry"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_and_nothing_changes(
    planner, schedule, message
):
    before = planner.wakes
    with pytest.raises(ValueError, match=message):
        planner.schedule = schedule
    assert planner.wakes == before


def test_epochs_can_grow_and_shrink_to_the_last_that_wakes(planner):
    planner.epochs = 7
    assert len(planner.counts["learning"]) == 7
    planner.schedule = {1: ["fc"], 7: ["stem"]}
    with pytest.raises(ValueError, match="stem wakes in epoch 7: change .schedule"):
        planner.epochs = 6
    with pytest.raises(ValueError, match="at least 1, got 0"):
        FreezePlanner(Net(), epochs=0)


# -- the rates -----------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.1, 1 / 3])
def test_rates_by_ratio_are_those_of_param_groups(net, ratio):
    planner = FreezePlanner(net, lr=3e-3, ratio=ratio)
    expected = rates(param_groups(net, 3e-3, ratio=ratio))
    assert planner.lrs == pytest.approx(expected, rel=1e-5)
    assert planner.ratio == ratio


def test_ratio_sets_all_rates_from_the_heads(planner):
    planner.lrs = {"fc": 0.2, "stem": 7.0}
    assert planner.ratio is None
    planner.set_state({"ratio": 0.1})
    expected = {"stem": 2e-4, "layer1": 2e-3, "layer2": 0.02, "fc": 0.2}
    assert planner.lrs == expected
    assert planner.ratio == 0.1


def test_one_rate_set_by_hand_leaves_the_others(planner):
    before = planner.lrs
    planner.lrs["layer2"] = 0.5
    planner.lrs.update(stem=0.25)
    assert planner.lrs == {**before, "layer2": 0.5, "stem": 0.25}
    assert list(planner.lrs) == STAGES
    assert planner.ratio is None


@pytest.mark.parametrize("lr", [0, -1e-3, float("nan"), float("inf"), "1e-3", None])
def test_a_rate_that_cannot_be_is_refused(planner, net, lr):
    before = planner.lrs
    with pytest.raises(ValueError, match="learning rate of stem must be above 0"):
        planner.lrs = {"stem": lr}
    with pytest.raises(TraitError, match="learning rate of stem"):
        planner.rates = {**before, "stem": lr}
    with pytest.raises(
        (TypeError, ValueError), match="lr must be|of fc must be above 0"
    ):
        FreezePlanner(net, lr=lr)
    assert planner.lrs == before


def test_a_stage_or_ratio_that_cannot_be_is_refused(planner, net):
    with pytest.raises(ValueError, match="no stage 'neck'; stages are stem"):
        planner.lrs["neck"] = 0.1
    for ratio in (0, 1.5, -1):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            planner.ratio = ratio
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            FreezePlanner(net, ratio=ratio)


# -- groups --------------------------------------------------------------------------


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_groups_hold_every_parameter_once_with_the_rates_shown(
    planner, net, weight_decay
):
    freeze(net)  # frozen ones too
    planner.lrs = {"layer1": 0.03}
    groups = planner.groups(weight_decay=weight_decay)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, net.parameters()))
    for group in groups:
        stage = group["name"].split(",")[0]
        assert group["lr"] == planner.lrs[stage]
    assert {group["weight_decay"] for group in groups} == {0.0, weight_decay}
    assert len({group["name"] for group in groups}) == len(groups)
    torch.optim.AdamW(groups)


def test_reading_the_plan_leaves_the_module_alone(planner, net):
    flags = [p.requires_grad for p in net.parameters()]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    planner.groups()
    planner.schedule[2] = ["stem"]
    assert [p.requires_grad for p in net.parameters()] == flags
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_groups_of_a_name_ask_for_the_module():
    with pytest.raises(ValueError, match="Pass the module itself"):
        FreezePlanner("timm/test_resnet").groups()
    with pytest.raises(UnknownModel, match="resnet18"):
        FreezePlanner("resnet81")


def test_groups_hold_a_replaced_head_and_refuse_other_stages(planner, net):
    replace_head(net, num_classes=7)
    grouped = {id(p) for group in planner.groups() for p in group["params"]}
    assert grouped == set(map(id, net.parameters()))
    net.layer2 = nn.Identity()
    with pytest.raises(ValueError, match="make a new planner"):
        planner.groups()


# -- the code ------------------------------------------------------------------------


def test_the_code_makes_the_same_schedule_and_groups(planner, net):
    planner.schedule = {1: ["fc"], 2: ["layer1", "layer2"]}
    planner.ratio = 1 / 3
    made = {"model": net}
    exec(planner.code, made)
    assert made["schedule"] == planner.schedule
    for hand, ours in zip(made["groups"], planner.groups(), strict=True):
        assert [id(p) for p in hand.pop("params")] == [
            id(p) for p in ours.pop("params")
        ]
        assert {key: hand[key] for key in ours} == ours
    assert isinstance(made["optimizer"], torch.optim.AdamW)


@pytest.mark.parametrize("name", ["alexnet", "vit_b_32", "timm/test_convnext"])
def test_the_code_of_a_name_loads_it_and_its_stages_stay_valid(name):
    planner = FreezePlanner(name)
    assert "replace_head(model, num_classes=5)" in planner.code
    assert max(map(len, planner.code.splitlines())) <= 75
    lines = planner.code.split("\n\n")
    imports = lines[0].splitlines()
    assert imports == sorted(imports, key=lambda line: "course_utils" in line)
    model = build(name)
    replace_head(model, num_classes=5)
    assert [group.name for group in layer_groups(model)] == list(planner.lrs)
    made = {"model": model}
    exec("\n".join([*imports, *lines[2:]]), made)
    assert rates(made["groups"]) == planner.lrs


def test_long_lines_of_the_schedule_are_broken(net):
    planner = FreezePlanner("vit_b_32", epochs=1)
    planner.schedule = {1: list(planner.lrs)}
    assert max(map(len, planner.code.splitlines())) <= 75
    compile(planner.code, "code", "exec")


# -- what is shown -------------------------------------------------------------------


def test_presets_follow_the_epochs(planner):
    assert planner.presets["Head only"] == {"fc": 1}
    assert planner.presets["All at once"] == dict.fromkeys(STAGES, 1)
    planner.epochs = 8
    assert planner.presets["Gradual"] == {"fc": 1, "layer2": 3, "layer1": 5, "stem": 7}


def test_static_table_shows_stages_by_epochs_rates_and_counts(planner):
    page = planner.static_html()
    checker = TagChecker()
    checker.feed(page)
    assert not checker.open
    assert not checker.seen & {"script", "style", "svg", "canvas", "button"}
    rows = re.findall(r"<tr><th>(.*?)</th>(.*?)</tr>", page)
    assert [name for name, _ in rows] == [
        "stage", *STAGES[::-1], "parameters learning"
    ]  # fmt: skip
    cells = dict((name, re.findall("<td>(.*?)</td>", row)) for name, row in rows)
    assert cells["layer2"] == ["❄", "❄", "🔥", "●", "●", "0.1"]
    assert cells["stem"][:5] == ["❄"] * 5
    assert cells["parameters learning"][:5] == ["15", "15", "163", "163", "163"]


def test_static_text_has_a_line_for_each_stage(planner):
    title, head, *lines = planner.static_text().splitlines()
    assert title == "Net (431 parameters, 5 epochs)"
    assert head.split()[:2] == ["stage", "1"]
    assert lines[1].split() == ["layer2", "–", "–", "wakes", "learns", "learns", "0.1"]
    assert len(lines) == len(STAGES) + 1


def test_names_from_a_model_are_escaped_in_the_static_form(planner):
    planner.model_name = "<b>net</b>"
    assert "&lt;b&gt;net" in planner.static_html()


def test_planner_has_three_forms_keeps_keys_in_and_asks_nothing_of_the_network(planner):
    data, _ = planner._repr_mimebundle_()
    assert set(data) == {VIEW, "text/html", "text/plain"}
    urls = re.findall(r"https?://[^\s\"']+", planner._esm + planner._css)
    assert set(urls) == {"http://www.w3.org/2000/svg"}
    assert "event.stopPropagation()" in planner._esm
    assert "prefers-reduced-motion" in planner._css
