import re

import pytest
import torch
from torch import nn
from traitlets import TraitError

from course_utils.errors import UnknownModel
from course_utils.inspection import inspect_model
from course_utils.layer_groups import layer_groups
from course_utils.widgets import ArchitectureExplorer
from course_utils.widgets.architecture_code import code_for, prefix_length
from course_utils.widgets.architecture_explorer import describe
from course_utils.widgets.architecture_static import compact
from course_utils.widgets.architecture_tree import extent, flat_tree, together
from tests.course_utils.test_widgets import VIEW, TagChecker

STAGES = ["stem", "middle", "attend", "fc"]


class Block(nn.Module):
    """Two convolutions, each with its norm and activation."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(*unit(4, 8, stride=2))
        self.same = nn.Sequential(*unit(8, 8, stride=1))

    def forward(self, x):
        return self.same(self.down(x))


def unit(before, after, *, stride):
    conv = nn.Conv2d(before, after, 3, stride, 1)
    return conv, nn.BatchNorm2d(after), nn.ReLU()


class Mixed(nn.Module):
    """Eleven layers in four stages, of which one holds attention."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4))
        self.middle = Block()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.middle(self.stem(x)).flatten(2).transpose(1, 2)
        x, _ = self.attend(x, x, x)
        return self.fc(x.mean(1))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Mixed()


@pytest.fixture
def explorer(net):
    return ArchitectureExplorer(net, input_size=(3, 32, 32))


def flags(net):
    return {g.name: [p.requires_grad for p in g.parameters] for g in layer_groups(net)}


def norms(net):
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


# -- the tree ------------------------------------------------------------------------


def test_tree_holds_every_layer_once_below_its_stage_and_modules(net):
    report = inspect_model(net, input_size=(3, 32, 32))
    nodes = flat_tree(report)
    assert [n["stage"] for n in nodes if n["depth"] == 0] == STAGES
    ids = [n["id"] for n in nodes]
    assert len(set(ids)) == len(ids)
    paths = [node["path"] for node in nodes]
    assert all(path in paths for path in report.layers["path"])
    at = {node["id"]: (node["depth"], node["type"]) for node in nodes}
    assert at["stage:middle"] == (0, "Block")
    assert at["middle.same"] == (1, "Sequential")
    assert at["middle.same.0"] == (2, "Conv2d")


def test_a_module_split_over_two_stages_stands_in_both_with_ids_of_their_own():
    nodes = flat_tree(inspect_model("alexnet"))
    assert len({node["id"] for node in nodes}) == len(nodes)
    stages = {n["stage"] for n in nodes if n["path"] == "features"}
    assert len(stages) > 1


def test_sums_of_the_tree_are_the_reports(net):
    report = inspect_model(net, input_size=(3, 32, 32))
    nodes = flat_tree(report)
    for depth, parts in ((0, nodes), (1, [n for n in nodes if n["stage"] == "middle"])):
        top = [n for n in parts if n["depth"] == depth]
        whole = report.num_params if depth == 0 else parts[0]["params"]
        assert sum(n["params"] for n in top) == whole
    assert sum(n["macs"] for n in nodes if n["depth"] == 0) == report.macs


def test_layers_inside_attention_count_as_attention(explorer):
    stages = {stage["name"]: stage for stage in explorer.models[0]["stages"]}
    assert set(stages["attend"]["mix"]["params"]) == {"attention"}
    assert stages["attend"]["kind"] == "attention"
    assert set(stages["middle"]["mix"]["params"]) == {"conv", "norm"}
    assert stages["middle"]["kind"] == "conv"


def test_a_stage_of_several_modules_does_not_take_the_first_ones_type():
    nodes = flat_tree(inspect_model("resnet18"))
    stem = next(node for node in nodes if node["id"] == "stage:conv1")
    assert (stem["type"], stem["settings"]) == ("4 layers", "")
    layer = next(node for node in nodes if node["id"] == "conv1")
    assert (layer["type"], layer["depth"]) == ("Conv2d", 1)
    assert "kernel_size=(7, 7)" in layer["settings"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((64, 56, 56), (56, 64)),
        ((56, 56, 96), (56, 96)),
        ((7, 7, 7), (7, 7)),
        ((197, 768), (14, 768)),
        ((1000,), (1, 1000)),
        (None, (1, 1)),
    ],
)
def test_extent_reads_maps_tokens_and_vectors(shape, expected):
    assert extent(shape) == expected


def test_together_joins_what_layers_say():
    assert together(["", "all", "all"]) == "all"
    assert together(["no", "all"]) == "partly"
    assert together(["", ""]) == ""


# -- freezing ------------------------------------------------------------------------


def test_frozen_changes_counts_memory_and_code(explorer):
    before = explorer.training
    explorer.set_state({"frozen": ["middle", "stem", "attend"]})
    assert explorer.frozen == STAGES[:3]
    now = explorer.training
    assert (before["trainable"], now["trainable"]) == (1365, 45)
    assert now["now"]["gradients"] == 4 * 45 < before["now"]["gradients"]
    assert now["now"]["weights"] == before["now"]["weights"]
    assert now["now"]["activations"] < before["now"]["activations"]
    assert now["full"] == [before["now"]]
    assert 'freeze(model, until="fc")' in explorer.code


def test_optimizer_and_batch_size_change_their_part_of_the_memory(explorer):
    sgd = explorer.training["now"]
    explorer.optimizer = "adam"
    adam = explorer.training["now"]
    assert adam["optimizer"] == 2 * sgd["optimizer"] == 2 * 4 * 1365
    explorer.batch_size = 64
    assert explorer.training["now"]["activations"] > 1.9 * adam["activations"]


def test_a_module_that_comes_frozen_is_shown_frozen(net):
    net.stem.requires_grad_(False)
    net.middle.down.requires_grad_(False)  # a part of a stage
    explorer = ArchitectureExplorer(net, input_size=(3, 32, 32))
    assert explorer.frozen == ["stem"]
    learn = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert explorer.training["trainable"] == learn


def test_toggles_leave_the_module_alone_until_apply(net, explorer):
    before = {k: v.clone() for k, v in net.state_dict().items()}
    explorer.frozen = ["stem"]
    assert all(p.requires_grad for p in net.parameters())
    assert explorer.apply() is net
    assert flags(net)["stem"] == [False] * 4 and all(flags(net)["middle"])
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    net.train()(torch.rand(2, 3, 32, 32))
    assert [norm.training for norm in norms(net)] == [False, True, True]


@pytest.mark.parametrize(
    "frozen", [[], ["stem", "middle"], ["middle"], ["stem", "attend"], STAGES]
)
def test_apply_and_the_shown_code_freeze_the_same(net, explorer, frozen):
    explorer.frozen = frozen
    expected = {stage: stage in frozen for stage in STAGES}
    explorer.apply()
    assert {k: not any(v) for k, v in flags(net).items()} == expected
    fresh = Mixed()
    exec(explorer.code, {"model": fresh})
    assert flags(fresh) == flags(net)


def test_apply_can_thaw_what_it_froze(net, explorer):
    explorer.frozen = ["stem", "middle"]
    explorer.apply()
    explorer.frozen = ["middle"]
    explorer.apply().train()(torch.rand(2, 3, 32, 32))
    assert all(flags(net)["stem"]) and not any(flags(net)["middle"])
    assert norms(net)[0].training


def test_apply_without_a_module_says_what_to_pass():
    with pytest.raises(ValueError, match="Pass the model itself"):
        ArchitectureExplorer("timm/test_resnet").apply()


def test_unknown_stage_layer_and_model_are_named_with_what_there_is(explorer):
    with pytest.raises(TraitError, match=r"no stage 'neck'; stages are stem, middle"):
        explorer.frozen = ["neck"]
    with pytest.raises(TraitError, match=r"no layer 'middle\.9'"):
        explorer.selected = "middle.9"
    with pytest.raises(UnknownModel, match="resnet18"):
        ArchitectureExplorer("resnet81")


# -- the code ------------------------------------------------------------------------


def test_code_loads_replaces_the_head_and_freezes():
    stages = ["conv1", "layer1", "fc"]
    code = code_for("resnet18", stages, ["conv1"])
    assert 'models.get_model("resnet18", weights="DEFAULT")' in code
    assert "replace_head(model, num_classes=5)" in code
    assert code.endswith('freeze(model, until="layer1")')
    timm = code_for("timm/test_vit", ["stem", "head"], [])
    assert 'timm.create_model("test_vit", pretrained=True)' in timm
    assert "freeze" not in timm


def test_code_names_stages_that_are_not_the_first_ones():
    code = code_for(None, STAGES, ["middle", "fc"])
    assert 'freeze(model, stages=["middle", "fc"])' in code
    assert code_for(None, STAGES, []).startswith("# nothing is frozen")


def test_code_fits_a_notebook_cell_with_many_long_names():
    stages = [f"encoder.encoder_layer_{i}" for i in range(12)]
    code = code_for(None, stages, stages[1:])
    assert max(map(len, code.splitlines())) <= 75
    compile(code, "code", "exec")


def test_prefix_counts_frozen_stages_from_the_stem():
    assert prefix_length(STAGES, []) == 0
    assert prefix_length(STAGES, STAGES[:2]) == 2
    assert prefix_length(STAGES, STAGES) == 4
    assert prefix_length(STAGES, ["middle"]) is None


# -- two models, and what is known of them -------------------------------------------


def test_two_models_keep_their_own_numbers(net, explorer):
    both = ArchitectureExplorer(net, compare="timm/test_resnet", input_size=(3, 32, 32))
    assert [m["params"] for m in both.models] == [1365, both.models[1]["params"]]
    assert len(both.training["full"]) == 2
    both.set_state({"shown": 7})
    assert both.shown == 1
    assert both.static_html().count("<strong>") == 2


def test_a_report_is_taken_as_it_is(net):
    report = inspect_model(net, input_size=(3, 32, 32))
    explorer = ArchitectureExplorer(report)
    assert explorer.models == [describe(report)]
    assert explorer.models[0]["facts"] == {}


def test_family_year_idea_and_accuracy_come_from_the_zoo():
    found = ArchitectureExplorer("resnet18").models[0]["facts"]
    assert found["year"] == 2015
    assert 60 < found["top1"] < 80
    assert found["idea"] and found["family"]


# -- the static form -----------------------------------------------------------------


def test_static_form_shows_stages_and_folds_the_layers(explorer):
    explorer.frozen = ["stem"]
    page = explorer.static_html()
    checker = TagChecker()
    checker.feed(page)
    assert not checker.open
    assert not checker.seen & {"script", "style", "svg", "canvas", "button"}
    before, layers = page.split("<details>", 1)
    assert before.count("<tr>") == 1 + len(STAGES)
    assert (before.count("❄ frozen"), before.count("🔥 learns")) == (1, 3)
    assert "BatchNorm2d" in layers and "BatchNorm2d" not in before


def test_static_text_has_a_line_for_each_stage(explorer):
    title, head, *lines = explorer.static_text().splitlines()
    assert title.startswith("Mixed (1.36 k parameters")
    assert "trainable" in head
    assert [line.split()[0] for line in lines] == STAGES


def test_explorer_has_three_forms_and_asks_nothing_of_the_network(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert set(data) == {VIEW, "text/html", "text/plain"}
    urls = re.findall(r"https?://[^\s\"']+", explorer._esm + explorer._css)
    assert set(urls) == {"http://www.w3.org/2000/svg"}


def test_names_from_a_model_are_escaped_in_the_static_form(explorer):
    model = dict(explorer.models[0], name="<b>net</b>")
    explorer.models = [model]
    assert "&lt;b&gt;net" in explorer.static_html()


def test_compact_keeps_three_figures():
    texts = [compact(n) for n in (7, 9_540, 11_689_512, 523_000_000, 1.81e9)]
    assert texts == ["7", "9.54 k", "11.7 M", "523 M", "1.81 G"]
