import re
from html.parser import HTMLParser
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from torchvision.transforms import v2
from traitlets import TraitError

from course_utils import widgets
from course_utils.rgb import to_rgb
from course_utils.widgets import (
    FeatureMapViewer,
    FetchButton,
    FlowSwitcher,
    PictureSwitcher,
    Question,
    Quiz,
)
from course_utils.widgets import fetch as fetch_widget
from course_utils.widgets.base import png_data_url
from course_utils.widgets.feature_maps import scale_maps
from course_utils.widgets.markup import inline_code

VIEW = "application/vnd.jupyter.widget-view+json"
STAGES = [("stem", 100), ("layer1", 1_000), ("fc", 20)]


def test_every_widget_is_found_by_its_name():
    for name in widgets.__all__:
        assert getattr(widgets, name).__name__ == name
    assert {*widgets.__all__} <= {*dir(widgets)}
    with pytest.raises(AttributeError, match="no attribute 'Quizz'"):
        _ = widgets.Quizz


def questions():
    return [
        Question("2 + 2?", ["3", "4"], answer=1, why=["Count <b>.", "Right: four."]),
        Question("`eval()`?", ["a", "b", "c"], answer=0, why=["Yes.", "no", "no"]),
    ]


class TinyNet(nn.Module):
    """Two maps of 4 and 6 channels, then a head of 3 classes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.fc = nn.Linear(6, 3)
        mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
        preset = [v2.ToImage(), v2.Resize(16), v2.CenterCrop(16)]
        preset += [v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)]
        self.weights_info = SimpleNamespace(
            mean=mean, std=std, transform=v2.Compose(preset), image_size=16
        )

    def forward(self, x):
        return self.fc(self.second(self.first(x)).mean((2, 3)))


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.fixture
def viewer(image):
    torch.manual_seed(0)
    layers = {"early": "first", "late": "second"}
    return FeatureMapViewer(TinyNet().eval(), image, layers=layers)


@pytest.fixture
def every_widget(viewer):
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    switcher = PictureSwitcher({"one": picture}, label="Shade")
    return [Quiz(questions()), FlowSwitcher(STAGES), switcher, viewer]


# -- the static form -----------------------------------------------------------------


class TagChecker(HTMLParser):
    """Record tags, and pictures without a description; fail on unbalanced tags."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.undescribed = [], set(), 0

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag == "img":
            self.undescribed += not dict(attrs).get("alt")
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_widget_shows_html_and_text_beside_its_live_form(every_widget):
    for widget in every_widget:
        data, _ = widget._repr_mimebundle_()
        assert set(data) == {VIEW, "text/html", "text/plain"}
        assert data["text/plain"] and "object at" not in data["text/plain"]


def test_static_html_is_whole_and_holds_nothing_that_github_removes(every_widget):
    for widget in every_widget:
        checker = TagChecker()
        checker.feed(widget.static_html())
        assert not checker.open and not checker.undescribed
        assert not checker.seen & {"script", "style", "svg", "canvas", "button"}


def test_scripts_ask_nothing_of_the_network(every_widget):
    for widget in every_widget:
        urls = re.findall(r"https?://[^\s\"']+", widget._esm + widget._css)
        assert set(urls) <= {"http://www.w3.org/2000/svg"}


def test_scripts_give_roles_names_and_keep_the_notebooks_keys_out(every_widget):
    for widget in every_widget:
        assert 'role: "group", "aria-label": label' in widget._esm
        assert "event.stopPropagation()" in widget._esm
        assert "prefers-reduced-motion" in widget._css or "animation" not in widget._css


def test_inline_code_escapes_and_leaves_a_lone_backtick_alone():
    assert inline_code("`a<b` & c") == "<code>a&lt;b</code> &amp; c"
    assert inline_code("a ` b") == "a ` b"


def test_inline_code_takes_as_many_backticks_as_it_needs():
    assert inline_code("``a`b``") == "<code>a`b</code>"
    assert inline_code("```\nx\n  y\n```").endswith(">x\n  y</code>")


# -- quiz ----------------------------------------------------------------------------


def test_quiz_counts_the_first_try_only():
    quiz = Quiz(questions())
    assert (quiz.answers, quiz.score) == ([None, None], 0)
    quiz.answer(0, 0)
    quiz.answer(0, 1)
    quiz.answer(1, 0)
    assert quiz.tries == [[0, 1], [0]]
    assert (quiz.answers, quiz.score) == ([0, 0], 1)


def hear(quiz, **message):
    """What the browser sends; nothing else in the tests knows the widget's protocol."""
    quiz._handle_custom_msg(message, [])


def test_quiz_hears_the_browser_and_refuses_what_there_is_not():
    quiz = Quiz(questions())
    hear(quiz, pick=[0, 1])
    assert (quiz.tries, quiz.score) == ([[1], []], 1)
    hear(quiz, again=True)
    assert quiz.tries == [[], []]
    with pytest.raises(ValueError, match="no choice 5"):
        quiz.answer(0, 5)
    with pytest.raises(ValueError, match="no question 2"):
        quiz.answer(2, 0)


def test_the_browser_learns_of_a_choice_only_what_was_taken():
    quiz = Quiz(questions())
    known = {name: quiz.get_state()[name] for name in quiz.keys if name[0] != "_"}
    for secret in ("Four", "Count <b>", "Right", "answer", "Yes."):
        assert secret not in str(known)
    quiz.answer(0, 0)
    assert quiz.replies == [
        [
            {
                "choice": 0,
                "right": False,
                "verdict": "Not this one.",
                "why": "Count <b>.",
            }
        ],
        [],
    ]
    assert "Four" not in str(quiz.get_state(["replies", "questions"]))


def test_quiz_says_right_once():
    quiz = Quiz(questions())
    quiz.answer(0, 1)
    assert quiz.replies[0][0] == {
        "choice": 1, "right": True, "verdict": "Right.", "why": "Four."}  # fmt: skip


def test_quiz_takes_up_where_another_ended():
    told = []
    quiz = Quiz(
        questions(), tries=[[0, 1], []], on_change=lambda q: told.append(q.tries)
    )
    assert (quiz.answers, quiz.score, quiz.position) == ([0, None], 0, 1)
    quiz.answer(1, 0)
    quiz.answer(1, 0)
    assert told == [[[0, 1], [0]]] and quiz.score == 1
    with pytest.raises(ValueError, match="no choice 7"):
        Quiz(questions(), tries=[[7], []])
    with pytest.raises(ValueError, match="one list for each question"):
        Quiz(questions(), tries=[[0]])


def test_a_quiz_is_passed_when_all_is_found_and_stays_so():
    quiz = Quiz(questions())
    for question, choice in ((0, 0), (0, 1), (1, 2)):
        quiz.answer(question, choice)
        assert not quiz.passed
    quiz.answer(1, 0)
    assert quiz.passed
    quiz.start_again()
    assert quiz.passed and quiz.tries == [[], []]


def test_static_quiz_shows_what_is_asked_how_to_answer_and_no_answer():
    quiz = Quiz(questions())
    for choice in (0, 1):
        quiz.answer(0, choice)
    for text in (quiz.static_html(), quiz.static_text()):
        assert "2 + 2?" in text and "run this cell in JupyterLab" in text
        assert "Four" not in text and "Count" not in text and "Right" not in text
    assert "<code>eval()</code>" in quiz.static_html()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choices": ["only"]}, "at least 2"),
        ({"answer": 2}, "numbered 0 to 1"),
        ({"why": ["one"]}, "one for each choice"),
    ],
)
def test_a_question_whose_parts_do_not_fit_is_refused(change, message):
    parts = {"choices": ["a", "b"], "answer": 0, "why": ["x", "y"]}
    with pytest.raises(ValueError, match=message):
        Question("Why?", **(parts | change))


def test_a_quiz_without_questions_is_refused():
    with pytest.raises(ValueError, match="at least one question"):
        Quiz([])


# -- flow ----------------------------------------------------------------------------


def test_flow_freezes_all_but_the_head_or_nothing():
    flow = FlowSwitcher(STAGES)
    assert flow.mode == "feature_extraction"
    assert flow.facts["feature_extraction"]["trains"] == [False, False, True]
    assert flow.facts["fine_tuning"]["trains"] == [True, True, True]


def test_flow_counts_what_learns_and_its_memory():
    facts = FlowSwitcher(STAGES).facts
    assert facts["feature_extraction"]["learns"] == "20 of 1,120 parameters (1.8%)"
    assert facts["feature_extraction"]["optimizer"] == "240 B"
    assert facts["fine_tuning"]["learns"] == "1,120 of 1,120 parameters (100%)"
    assert facts["fine_tuning"]["optimizer"] == "13 kB"


def test_static_flow_shows_both_ways_in_words():
    flow = FlowSwitcher(STAGES)
    text, page = flow.static_text(), flow.static_html()
    assert "stem (frozen) → layer1 (frozen) → fc (learns)" in text
    assert "stem (learns) → layer1 (learns) → fc (learns)" in text
    assert (page.count("frozen"), page.count("🔥 learns")) == (2, 4)


def test_flow_refuses_a_single_stage_and_an_unknown_mode():
    with pytest.raises(ValueError, match="at least two stages"):
        FlowSwitcher([("fc", 3)])
    with pytest.raises(ValueError, match="mode must be 'feature_extraction' or"):
        FlowSwitcher(STAGES, mode="both")
    with pytest.raises(TraitError):
        FlowSwitcher(STAGES).mode = "both"


# -- pictures ------------------------------------------------------------------------


def test_pictures_take_figures_without_touching_pyplot():
    figure = Figure(figsize=(1, 1))
    figure.alt = "An empty figure"
    switcher = PictureSwitcher({"right": figure}, label="Normalisation")
    assert switcher.pictures[0]["src"].startswith("data:image/png;base64,")
    assert switcher.pictures[0]["alt"] == "Normalisation: right. An empty figure"
    assert plt.get_fignums() == []


def test_pictures_refuse_an_unknown_name_and_an_empty_set():
    switcher = PictureSwitcher({"a": np.zeros((2, 2, 3), dtype=np.uint8)})
    with pytest.raises(TraitError, match="no picture 'b'"):
        switcher.selected = "b"
    with pytest.raises(ValueError, match="at least one"):
        PictureSwitcher({})


# -- feature maps --------------------------------------------------------------------


def test_viewer_lists_layers_in_order_with_their_shapes(viewer):
    shapes = {layer["label"]: layer["shape"] for layer in viewer.layers}
    assert shapes == {"early": [4, 8, 8], "late": [6, 4, 4]}
    assert viewer.layer == "early"


def test_viewer_shows_the_most_varied_channel_first():
    maps = torch.stack([torch.zeros(2, 2), torch.eye(2) * 4, torch.eye(2)])
    scaled = scale_maps(maps, name="layer", label="layer")
    assert scaled.order == [1, 2, 0]
    assert scaled.pixels[1].tolist() == [[255, 0], [0, 255]]
    assert scaled.pixels[2].tolist() == [[255, 0], [0, 255]]
    assert scaled.pixels[0].max() == 0
    assert (scaled.low[1], scaled.high[1]) == (0, 4)


def test_large_maps_are_averaged_down_and_keep_their_named_shape():
    scaled = scale_maps(torch.rand(2, 112, 100), name="stem", label="stem")
    assert scaled.pixels.shape == (2, 64, 64) and scaled.shape == (2, 112, 100)


def test_changing_layer_or_channel_sends_its_tile(viewer):
    viewer.set_state({"layer": "late"})
    assert viewer.tile["layer"] == "late"
    most_varied = viewer.layers[1]["tiles"][0]["channel"]
    assert viewer.tile["channel"] == viewer.channel == most_varied
    viewer.channel = 5
    assert viewer.tile["channel"] == 5
    viewer.channel = 99
    assert viewer.channel in range(6)


def test_viewer_leaves_the_model_as_it_was(image):
    model = TinyNet().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    FeatureMapViewer(model, image, layers=["first"])
    assert model.training and not model.first._forward_hooks
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_viewer_takes_pictures_in_any_form(image):
    model = TinyNet().eval()
    prepared = model.weights_info.transform(Image.fromarray(image))
    forms = [
        image,
        Image.fromarray(image),
        torch.tensor(image).permute(2, 0, 1),
        prepared,
    ]
    shown = {FeatureMapViewer(model, form, layers=["first"]).image for form in forms}
    assert len(shown) == 1


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "LA"])
def test_viewer_shows_a_picture_of_any_mode(image, mode):
    picture = Image.fromarray(image).convert(mode)
    as_rgb = to_rgb(picture)
    shown = [
        FeatureMapViewer(TinyNet(), p, layers=["first"]).image
        for p in (picture, as_rgb)
    ]
    assert shown[0] == shown[1]
    assert png_data_url(picture).startswith("data:image/png")


@pytest.mark.parametrize("shape", [(16,), (16, 16, 2), (3, 16, 16)])
def test_viewer_refuses_a_picture_of_another_shape(shape):
    with pytest.raises(ValueError, match="a picture as an array is uint8"):
        FeatureMapViewer(TinyNet(), np.zeros(shape, dtype=np.uint8), layers=["first"])


def test_viewer_finds_the_stages_itself(image):
    viewer = FeatureMapViewer(TinyNet().eval(), image)
    assert [layer["shape"][0] for layer in viewer.layers] == [4, 6]


def test_viewer_names_what_it_has_when_asked_for_what_it_has_not(image, viewer):
    with pytest.raises(ValueError):
        FeatureMapViewer(TinyNet(), image, layers=["nowhere"])
    with pytest.raises(ValueError, match=r"no layer 'third'.*early"):
        viewer.layer = "third"


def test_static_viewer_is_one_described_picture_of_modest_size(viewer):
    page = viewer.static_html()
    assert page.count("<img") == 1 and len(page) < 100_000
    assert "early (4 channels of 8 by 8)" in page
    assert plt.get_fignums() == []


# -- fetch ---------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch):
    """Stand in for the download; `there` holds the names that have arrived."""
    there = []

    def fetch(names, *, progress=True):
        if "broken" in names:
            raise RuntimeError("no network\nDetails: many")
        there.extend(names)

    monkeypatch.setattr(fetch_widget.fetching, "fetch", fetch)
    monkeypatch.setattr(fetch_widget.weights, "released_is_cached", there.__contains__)
    monkeypatch.setattr(fetch_widget.fetching, "expected_size", lambda name: 3e6)
    return there


def test_nothing_is_fetched_before_the_click(hub):
    button = FetchButton(["a", "b"])
    assert (button.state, hub) == ("idle", [])
    assert button.message == "0 of 2 are on this machine; the others take about 6 MB."
    button.set_state({"clicks": 1})
    button.wait(5)
    assert (button.state, button.finished, hub) == ("done", 2, ["a", "b"])


def test_a_failed_download_says_which_and_goes_on_with_the_others(hub):
    button = FetchButton(["a", "broken", "b"])
    button.start()
    button.wait(5)
    assert (button.state, button.finished) == ("failed", 2)
    assert button.message == "broken did not arrive: no network"
    assert hub == ["a", "b"]


def test_weights_that_are_here_already_are_counted(hub):
    hub.extend(["a", "b"])
    assert FetchButton(["a", "b"]).state == "done"
    assert "course fetch" in FetchButton(["a"]).static_html()
