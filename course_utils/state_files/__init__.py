"""Files of weights: read safely, the right state taken out, loaded into a model."""

from course_utils.state_files.choosing import pick_state, read_state_dict, states_in
from course_utils.state_files.loading import (
    check_numbers,
    compare_state,
    load_state,
)
from course_utils.state_files.reading import FILES, read_file

__all__ = [
    "FILES",
    "check_numbers",
    "compare_state",
    "load_state",
    "pick_state",
    "read_file",
    "read_state_dict",
    "states_in",
]
