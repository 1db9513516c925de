import math

import pandas as pd
import pytest
from traitlets import TraitError

from course_utils.widgets import ZooExplorer
from course_utils.widgets.base import asset
from course_utils.zoo import best_weights, pareto_front, zoo_table
from course_utils.zoo.families import GROUPS
from course_utils.zoo.figure import COLOURS, MARKS, plot_zoo
from tests.course_utils.test_widgets import TagChecker


@pytest.fixture
def table():
    """Four sets of weights of three architectures; one without latency and top-1."""
    return pd.DataFrame(
        {
            "architecture": ["alexnet", "resnet50", "resnet50", "my_net"],
            "weights": ["IMAGENET1K_V1", "IMAGENET1K_V1", "IMAGENET1K_V2", "MINE"],
            "family": ["AlexNet", "ResNet", "ResNet", ""],
            "year": [2012, 2015, 2015, math.nan],
            "params": [61.1, 25.6, 25.6, 1.0],
            "gflops": [0.7, 4.1, 4.1, 0.1],
            "ms": [10.0, 30.0, 30.0, math.nan],
            "top1": [56.5, 76.1, 80.9, math.nan],
            "licence": ["", "", "", "CC BY-NC 4.0"],
        }
    )


@pytest.fixture
def zoo(table):
    return ZooExplorer(table)


def test_fronts_are_those_of_the_zoo_for_every_cost_that_the_table_has(zoo, table):
    assert list(zoo.costs) == ["params", "gflops", "ms"]  # no file_mb here
    for cost, fronts in zoo.fronts.items():
        assert fronts["all"] == pareto_front(table, cost=cost).index.tolist()
        best = best_weights(table)
        assert fronts["best"] == pareto_front(best, cost=cost).index.tolist()
    assert zoo.fronts["ms"] == {"all": [0, 2], "best": [0, 2]}


def test_rows_say_what_the_table_says_and_nothing_where_it_is_silent(zoo):
    assert len(zoo.rows) == 4
    row = zoo.rows[3]
    assert (row["top1"], row["ms"], row["year"], row["params"]) == (None, None, None, 1)
    assert row["licence"] == "CC BY-NC 4.0" and "top5" not in row
    assert 'get_model_weights("resnet50").IMAGENET1K_V2' in zoo.rows[2]["code"]
    assert list(zoo.families) == ["AlexNet", "ResNet"]
    assert zoo.families["ResNet"]["venue"] == "CVPR 2016"


def test_the_table_s_own_index_does_not_matter(table):
    turned = ZooExplorer(table.set_index("architecture", drop=False).iloc[::-1])
    assert turned.fronts["ms"]["all"] == [3, 1]
    assert [turned.rows[i]["architecture"] for i in (3, 1)] == ["alexnet", "resnet50"]


def test_the_whole_zoo_is_shown_where_no_table_is_given():
    zoo = ZooExplorer(gain="top5", cost="file_mb")
    assert len(zoo.rows) == 115 and len(zoo.best) == 80
    assert {facts["group"] for facts in zoo.families.values()} == set(GROUPS)
    assert zoo.gain_label == "ImageNet top-5 accuracy (%)"
    front = pareto_front(zoo_table(), cost="file_mb", gain="top5")
    assert zoo.fronts["file_mb"]["all"] == front.index.tolist()


def test_a_choice_in_python_takes_the_best_weights(zoo):
    zoo.selected = "resnet50"
    assert zoo.selected_weights == "IMAGENET1K_V2"
    zoo.set_state({"row": 1})  # the first weights, as a click would
    zoo.selected = "alexnet"
    assert zoo.selected_weights == "IMAGENET1K_V1"
    zoo.selected = "resnet50"
    assert zoo.selected_weights == "IMAGENET1K_V2"
    zoo.selected = "my_net"  # no top-1: the only weights that there are
    assert zoo.selected_weights == "MINE"
    zoo.selected = ""
    assert zoo.selected_weights == ""


def test_a_choice_in_the_browser_keeps_its_weights(zoo):
    zoo.set_state({"row": 1})
    assert (zoo.selected, zoo.selected_weights) == ("resnet50", "IMAGENET1K_V1")
    zoo.set_state({"row": -1})
    assert (zoo.selected, zoo.selected_weights) == ("", "")


def test_whoever_asks_is_told_of_each_choice_until_he_has_enough(zoo):
    heard = []
    end = zoo.on_select(heard.append)
    zoo.selected = "alexnet"
    zoo.selected = ""
    zoo.selected = "resnet50"
    end()
    zoo.selected = "alexnet"
    assert heard == ["alexnet", "resnet50"]


def test_the_choice_opens_in_the_architecture_explorer():
    zoo = ZooExplorer()
    with pytest.raises(ValueError, match="no model is chosen"):
        zoo.explore()
    zoo.selected = "squeezenet1_1"
    assert zoo.explore().models[0]["name"] == "squeezenet1_1"


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("cost", "euros", "no cost 'euros'; there are params, gflops, ms"),
        ("row", 4, "no row 4; there are 0 to 3"),
        ("selected", "resnet5", "no architecture 'resnet5'"),
        (
            "family",
            "Swin",
            "no family or group 'Swin'.*AlexNet, ResNet, Early networks",
        ),
    ],
)
def test_what_the_table_lacks_is_refused_by_name(zoo, trait, value, message):
    with pytest.raises(TraitError, match=message):
        setattr(zoo, trait, value)


def test_families_and_groups_can_be_asked_for(zoo):
    for family in ("ResNet", "Residual", ""):
        zoo.family = family
        assert zoo.family == family


def test_a_table_that_cannot_be_shown_is_refused(table):
    with pytest.raises(ValueError, match="needs the column 'weights'"):
        ZooExplorer(table.drop(columns="weights"))
    with pytest.raises(ValueError, match="needs the column 'top5'"):
        ZooExplorer(table, gain="top5")
    with pytest.raises(
        ValueError, match=r"no cost 'file_mb' .*\['params', 'gflops', 'ms'"
    ):
        ZooExplorer(table, cost="file_mb")
    with pytest.raises(ValueError, match="no row of this table has a top1"):
        ZooExplorer(table[3:])


def test_the_static_form_is_a_picture_and_the_front_as_a_table(zoo):
    zoo.cost = "gflops"
    page = zoo.static_html()
    checker = TagChecker()
    checker.feed(page)
    assert not checker.open
    assert not checker.seen & {"script", "style", "svg", "canvas", "button"}
    assert page.count("<tr>") == 1 + 2
    assert "Multiply-adds for one image (GFLOPs)</th>" in page
    assert 'alt="ImageNet top-1 accuracy (%) against Multiply-adds' in page
    assert "<td>80.9</td>" in page and "76.1" not in page


def test_large_figures_are_written_out():
    table = zoo_table(latency=True)
    assert table["ms"].max() > 10_000
    rows = table.assign(top1=table["ms"])  # the slowest are the front
    text = ZooExplorer(rows, cost="ms").static_text()
    assert "e+" not in text


def test_the_static_text_has_a_line_for_each_model_of_the_front(zoo):
    title, _, *lines = zoo.static_text().splitlines()
    assert title == "Pareto front of 4 sets of weights"
    assert [line.split()[0] for line in lines] == ["resnet50"]


def test_the_picture_has_a_title_labels_with_units_and_words(table):
    figure = plot_zoo(table, cost="ms")
    (axes,) = figure.axes
    assert (
        axes.get_title() and axes.get_xlabel() == "Latency of one image (ms), log scale"
    )
    assert axes.get_ylabel() == "ImageNet top-1 accuracy (%)"
    assert "from alexnet (10, 56.5) to resnet50 (30, 80.9)" in figure.alt
    assert len(COLOURS) == len(MARKS) == len(GROUPS)


def test_the_browser_knows_a_mark_for_each_group():
    marks = asset("zoo_explorer.js").split("const MARKS = {")[1].split("};")[0]
    assert [group for group in GROUPS if f'"{group}"' not in marks] == []
