"""The lessons' quizzes: tries outlive the cell, answers stay out of the notebooks."""

import json
import re
from collections import Counter

import pytest

from course_utils.durable import locked
from courseware.grading import record
from courseware.grading.progress import progress, read_progress, reset_progress
from courseware.places import project_root
from courseware.quizzes import Quiz, quiz, quiz_ids, read_quiz

LESSONS = sorted((project_root() / "courseware" / "lessons").glob("[0-9][0-9]_*.py"))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


def take(id, *picks):
    shown = Quiz(id)
    for pick in picks:
        shown.answer(*pick)
    return shown


def take_all(id):
    return take(id, *enumerate(question.answer for question in read_quiz(id)))


# -- the files ---------------------------------------------------------------------------


def test_every_lesson_has_its_quiz_and_shows_no_more_than_its_id():
    for lesson in LESSONS:
        source = lesson.read_text(encoding="utf-8")
        (id,) = re.findall(r'^Quiz\("(.+)"\)$', source, re.MULTILINE)
        assert id == lesson.name[:2] and "Question(" not in source
    assert quiz_ids() == [lesson.name[:2] for lesson in LESSONS]


@pytest.mark.parametrize("id", quiz_ids())
def test_a_lessons_source_holds_no_reason_of_its_quiz(id):
    (lesson,) = [path for path in LESSONS if path.name.startswith(id)]
    source = lesson.read_text(encoding="utf-8")
    for question in read_quiz(id):
        assert question.prompt not in source
        assert not any(why in source for why in question.why)


def test_the_right_choice_is_as_often_first_as_last():
    questions = [question for id in quiz_ids() for question in read_quiz(id)]
    places = Counter(q.answer for q in questions if len(q.choices) == 3)
    assert (
        sum(places.values()) > 20 and max(places.values()) - min(places.values()) <= 1
    )
    assert places.keys() == {0, 1, 2}


def test_no_quiz_has_the_right_choice_at_one_place():
    for id in quiz_ids():
        assert len({question.answer for question in read_quiz(id)}) > 1, id


def test_reasons_leave_the_verdict_to_the_widget_and_name_no_claim():
    texts = [
        t for id in quiz_ids() for q in read_quiz(id) for t in (*q.why, *q.choices)
    ]
    assert [t for t in texts if re.match("right|wrong", t.lower())] == []
    assert [t for t in texts if re.search(r"claim [CS]\d", t)] == []


def test_an_unknown_quiz_names_the_nearest():
    with pytest.raises(ValueError, match="no quiz '040'; there are .*04"):
        Quiz("040")


def test_a_question_has_one_right_choice():
    part = {"prompt": "?", "choice": [{"text": t, "why": "."} for t in "ab"]}
    with pytest.raises(ValueError, match="0 right choices"):
        quiz._question(part)


# -- tries -------------------------------------------------------------------------------


def test_tries_are_there_when_the_cell_runs_again(home):
    take("04", (0, 1), (0, 0))
    assert Quiz("04").tries == [[1, 0], [], []] and Quiz("05").tries == [[], [], []]
    kept = json.loads((home / "progress.json").read_text())["quizzes"]["04"]["tries"]
    question = read_quiz("04")[0]
    assert kept == {question.prompt: [question.choices[1], question.choices[0]]}


def test_a_passed_quiz_is_passed_when_the_cell_runs_again_and_after_a_new_start():
    take_all("04").start_again()
    again = Quiz("04")
    assert again.passed and again.tries == [[], [], []]
    assert not Quiz("05").passed


def test_tries_follow_a_choice_that_was_moved(home):
    question = read_quiz("04")[0]
    take("04", (0, 2))
    path = home / "progress.json"
    kept = json.loads(path.read_text())
    tries = kept["quizzes"]["04"]["tries"]
    tries[question.prompt] = ["no choice any more", question.choices[1]]
    tries["not asked any more"] = ["x"]
    path.write_text(json.dumps(kept))
    assert Quiz("04").tries == [[1], [], []]


def test_quizzes_are_no_tasks_and_are_forgotten_with_everything():
    take("04", (0, 1))
    assert read_progress() == {} and (progress()["state"] == "open").all()
    reset_progress("00.1")
    assert Quiz("04").tries != [[], [], []]
    reset_progress()
    assert Quiz("04").tries == [[], [], []]


def test_under_nbgrader_nothing_is_read_or_kept(home, monkeypatch):
    take("04", (0, 1))
    before = (home / "progress.json").read_bytes()
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert take("04", (1, 0)).tries == [[], [0], []]
    assert (home / "progress.json").read_bytes() == before


def test_where_tries_cannot_be_kept_a_line_says_so(home, monkeypatch, capsys):
    monkeypatch.setattr(record, "locked", lambda path: locked(path, timeout=0.05))
    with locked(home / "progress.json"):
        assert take("04", (0, 1)).tries == [[1], [], []]
    assert capsys.readouterr().out.startswith("progress could not be saved (")
