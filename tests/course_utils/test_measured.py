"""What was measured: read back as it was written, in one form."""

import json

import pandas as pd
import pytest

from course_utils.measured import measured_path, read_measured, write_measured
from course_utils.storage import data_dir


def test_a_table_comes_back_as_it_was(empty_measured):
    table = pd.DataFrame({"net": ["a", "b"], "ms": [1.5, 2.0], "layers": [3, 4]})
    path = write_measured(
        "times", table, made_by="course times", made_with={"cpu": "x"}
    )
    assert path == empty_measured / "times.json"
    found = read_measured("times")
    pd.testing.assert_frame_equal(found.table(), table)
    assert (found.made_by, found.made_with) == ("course times", {"cpu": "x"})


def test_a_row_is_a_line_of_the_file(empty_measured):
    table = pd.DataFrame({"net": ["a [1, 2]", "b"], "ms": [1.5, None]})
    path = write_measured("times", table, made_by="course times")
    text = path.read_text(encoding="utf-8")
    assert '   ["a [1, 2]", 1.5],\n   ["b", null]\n' in text
    assert json.loads(text)["made with"].keys() == {"torch"}


def test_an_unknown_name_lists_the_known_ones(empty_measured):
    with pytest.raises(FileNotFoundError, match="'speed'; there is none"):
        read_measured("speed")
    write_measured("times", [1], made_by="x")
    with pytest.raises(FileNotFoundError, match="'speed'; there is times"):
        read_measured("speed")


def test_what_is_no_table_says_so(empty_measured):
    write_measured("times", {"a": 1}, made_by="x")
    with pytest.raises(ValueError, match="times is no table"):
        read_measured("times").table()


@pytest.mark.parametrize(
    "path", sorted((data_dir() / "measured").glob("*.json")), ids=lambda path: path.stem
)
def test_all_that_is_stored_says_what_made_it(path):
    found = read_measured(path.stem)
    assert found.made_by.startswith("course ") and found.made_with and found.content
    assert measured_path(path.stem) == path
