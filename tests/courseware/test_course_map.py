"""The map of the lessons: one list, shown by README and lesson 00."""

from courseware.course_map import LESSONS, course_map


def test_lessons_need_earlier_lessons_only():
    for lesson in LESSONS:
        assert all(need < lesson.number for need in lesson.needs)


def test_core_path_is_the_curriculum_s():
    core = [lesson.number for lesson in LESSONS if lesson.core]
    assert core == ["01", "03", "04", "05", "06", "07", "08"]


def test_what_needs_nothing_is_the_start_and_the_rest_is_core_or_extra():
    path = course_map()["path"]
    assert [number for number in path.index if path[number] == "start"] == ["00"]
    assert (path["01"], path["02"]) == ("core", "extra")


def test_lessons_of_which_the_notebook_is_there_are_ready():
    state = course_map()["state"]
    assert state["04"] == "ready" and set(state) <= {"ready", "in preparation"}
