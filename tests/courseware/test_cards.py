"""Cards: what they say in words, in HTML, and what they leave folded."""

from html.parser import HTMLParser

import pytest

from courseware.grading.score import Score
from courseware.grading.verdict import Standing, Verdict
from courseware.grading.wording import points, wrong_tries

FAILED = Verdict(
    "failed", "Count `numel`", property="the count", key="tensors", given="a net",
    expected="240", got="4", hint="Use `numel()`.",
)  # fmt: skip
HINTED = Verdict("failed", "Count", more_hints=("mild",), last_hint="sum(…)")


def card(verdict, value=0.0, worth=2.0, **standing):
    known = Standing("00.1", **standing) if standing else None
    return Score(value, verdict, worth, known)


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of `<details>`."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.shown = [], [], ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "details" not in self.open or "summary" in self.open:
            self.shown += data

    def attributes(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


# -- what it says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headline"),
    [
        ("passed", "✓ Passed: Count (2 of 2 points)"),
        ("failed", "✗ Not yet: Count (0 of 2 points)"),
        ("unwritten", "… Not written yet: Count (2 points)"),
        ("unjudged", "○ Not judged: Count (2 points)"),
    ],
)
def test_the_headline_has_a_word_for_each_state(status, headline):
    value = 2.0 if status == "passed" else 0.0
    assert card(Verdict(status, "Count"), value).text.splitlines()[0] == headline


def test_what_failed_stands_in_rows_and_in_this_order():
    rows = [line.strip() for line in card(FAILED).text.splitlines()[1:]]
    assert rows == ["checked: the count", "with: a net", "expected: 240", "got: 4",
                    "hint: Use `numel()`."]  # fmt: skip


def test_an_answer_that_was_not_judged_was_no_try_and_its_card_is_kind():
    text = card(Verdict("unjudged", "Count")).text
    assert "why: the machine was too busy, or your function waited" in text
    assert "This was no try. Run the cell again" in text
    named = Verdict(
        "unjudged", "Count", property="the machine has 40 jobs", hint="Wait."
    )
    assert "why: the machine has 40 jobs\n  what now: Wait." in card(named).text


@pytest.mark.parametrize(
    ("verdict", "standing", "words"),
    [
        ("passed", {"passed": True, "wrong": 1, "earned": 1.8},
         "in your progress: 1.8 points, after one wrong try"),
        ("failed", {"wrong": 2, "earned": 1.6},
         "in your progress: a pass now gives 1.6 of 2 points, after two wrong tries"),
        ("failed", {"passed": True, "wrong": 3, "earned": 1.4},
         "in your progress: passed before, 1.4 points"),
    ],
)  # fmt: skip
def test_the_cost_of_tries_is_on_the_card(verdict, standing, words):
    assert words in card(Verdict(verdict, "Count"), **standing).text


def test_a_pass_at_the_first_try_says_no_more():
    shown = card(Verdict("passed", "Count"), 2.0, passed=True, wrong=0, earned=2.0)
    assert shown.text == "✓ Passed: Count (2 of 2 points)"


def test_a_function_that_failed_before_is_named_above_the_hint():
    text = card(FAILED, repeats="your last try", is_code=True).text
    note = text.index(
        "This is the same function as at your last try. If you changed it, "
    )
    assert "run its cell first" in text and note < text.index("hint:")
    text = card(FAILED, repeats="an earlier try").text
    assert "the same answer as at an earlier try. It was no new try." in text


def test_words_count():
    assert [points(n) for n in (0, 1, 1.8)] == ["0 points", "1 point", "1.8 points"]
    assert [wrong_tries(n) for n in (1, 10, 11)] == [
        "one wrong try", "ten wrong tries", "11 wrong tries"]  # fmt: skip


# -- the last hint -----------------------------------------------------------------------


def test_the_last_hint_is_folded_and_the_text_says_how_to_see_it():
    shown = card(HINTED, wrong=3, earned=1.4)
    assert "sum(…)" not in shown.text
    assert 'last help: hint("00.1", level=2) shows it' in shown.text
    page = Page(shown._repr_html_())
    assert "sum(…)" not in page.shown and "it gives the answer away" in page.shown
    assert "sum(…)" in shown._repr_html_()
    (details,) = page.attributes("details")
    assert "open" not in details


def test_progress_stays_the_last_row():
    lines = card(HINTED, wrong=3, earned=1.4).text.splitlines()
    assert lines[-1].strip().startswith("in your progress")
    assert lines[-2].strip().startswith("last help")


# -- as HTML -----------------------------------------------------------------------------


def test_code_is_code_and_escaped_also_over_lines():
    hint = "Write `a < b` and\n```\nfor x in y:\n    f(x)\n```\nso."
    page = card(Verdict("failed", "Use `f`", hint=hint))._repr_html_()
    assert "<code>f</code>" in page and "<code>a &lt; b</code>" in page
    assert ">for x in y:\n    f(x)</code>" in page
    assert "`" not in page


def test_what_an_answer_says_is_escaped():
    page = card(Verdict("failed", "t", got="<script>x</script> `<b>`"))._repr_html_()
    assert "<script>" not in page and "<b>" not in page


def test_a_screen_reader_finds_a_status_a_heading_and_titles_of_rows():
    page = Page(card(FAILED)._repr_html_())
    (status,) = [a for a in page.attributes("div") if a.get("role") == "status"]
    (heading,) = [a for a in page.attributes("div") if a.get("role") == "heading"]
    assert heading["aria-level"] == "3" and status["style"]
    titles = page.attributes("th")
    assert len(titles) == 5 and all(title["scope"] == "row" for title in titles)
    (sign,) = page.attributes("span")
    assert sign["aria-hidden"] == "true"  # its word follows


def test_no_row_is_striped():
    page = Page(card(FAILED)._repr_html_())
    for tag in ("table", "tr", "th", "td"):
        assert all("background:none" in a["style"] for a in page.attributes(tag))


def test_nothing_is_cut_that_could_wrap():
    long = "x" * 5_000
    shown = card(Verdict("failed", long, hint=long))
    assert shown._repr_html_().count(long) == 2 and "…" not in shown._repr_html_()
    assert "overflow-wrap:anywhere" in shown._repr_html_()
