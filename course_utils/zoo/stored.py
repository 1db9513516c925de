"""The latencies of all architectures that come with the course."""

from __future__ import annotations

import pandas as pd

from course_utils.measured import read_measured
from course_utils.zoo.machine import describe_machine


def stored_latency() -> pd.DataFrame:
    """Read the stored latencies: one row for each architecture and image size.

    `attrs["machine"]` names the machine in a phrase.

    >>> from course_utils.zoo import stored_latency
    >>> table = stored_latency()
    >>> table["architecture"].nunique(), bool((table["median_ms"] > 0).all())
    (80, True)
    """
    measured = read_measured("latency")
    table = measured.table()
    table.attrs["machine"] = describe_machine(measured.made_with)
    return table
