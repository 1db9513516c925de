"""09.5 to 09.7: reasons that quote what was measured, and tests of a share."""

from __future__ import annotations


def told(why, text):
    """A reason, and a text that quotes what was measured, where something was."""

    def hint(it):
        measured = it.more.get("measured")
        return why if measured is None else why + text.format(measured)

    return hint


def number(test):
    """A test of an answer that is a number, and not the right one."""
    return lambda it: (
        it.fact == "the share" and it.key == "value" and test(it.difference.got)
    )
