"""A button that downloads ImageNet weights, and says how it went."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import traitlets

from course_utils import fetch as fetching
from course_utils import weights
from course_utils.arguments import checked
from course_utils.errors import command

from .base import CourseWidget, script, style
from .markup import escape

__all__ = ["FetchButton"]


class FetchButton(CourseWidget):
    """Offer to download ImageNet weights; nothing is fetched before the click.

    `names` are model names. The download runs
    beside the notebook, which stays usable. `state` is "idle", "running", "done" or
    "failed"; `message` says which file is on its way, or what went wrong.

    >>> from course_utils.widgets import FetchButton
    >>> button = FetchButton(["resnet18", "resnet50"])
    >>> button.state, button.message
    ('idle', '0 of 2 are on this machine; the others take about 149 MB.')
    """

    _esm = script("fetch")
    _css = style("fetch")

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    state = traitlets.Enum(["idle", "running", "done", "failed"], "idle").tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    finished = traitlets.Int(0).tag(sync=True)
    clicks = traitlets.Int(0).tag(sync=True)

    @checked
    def __init__(self, names: Sequence[str]):
        names = list(names)
        missing = [name for name in names if not weights.released_is_cached(name)]
        message = f"{len(names) - len(missing)} of {len(names)} are on this machine"
        if missing:
            size = sum(map(fetching.expected_size, missing)) / 1e6
            message += f"; the others take about {size:,.0f} MB"
        super().__init__(
            names=names,
            finished=len(names) - len(missing),
            state="idle" if missing else "done",
            message=f"{message}.",
        )
        self._worker: threading.Thread | None = None

    @traitlets.observe("clicks")
    def _clicked(self, _change: dict) -> None:
        self.start()

    def start(self) -> None:
        """Begin the download, unless it is under way."""
        if self.state == "running":
            return
        self.state, self.finished = "running", 0
        self._worker = threading.Thread(target=self._download, daemon=True)
        self._worker.start()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the download has ended, for at most `timeout` seconds."""
        if self._worker is not None:
            self._worker.join(timeout)

    def _download(self) -> None:
        total, failed = len(self.names), {}
        for i, name in enumerate(self.names, start=1):
            self.message = f"{i} of {total}: {name} …"
            try:
                if not weights.released_is_cached(name):
                    fetching.fetch([name], progress=False)
            except Exception as error:  # a thread's traceback would reach nobody
                failed[name] = str(error).partition("\n")[0]
            else:
                self.finished += 1
        if failed:
            reason = next(iter(failed.values()))
            self.message = f"{', '.join(failed)} did not arrive: {reason}"
            self.state = "failed"
            return
        self.message = f'All {total} are here. `weights="auto"` now prefers them.'
        self.state = "done"

    def static_html(self) -> str:
        """Return the command that does the same in a terminal."""
        return (
            f"<p><b>ImageNet weights:</b> run <code>{command('fetch')}</code> to download "
            f"{escape(', '.join(self.names))}.</p>"
        )

    def static_text(self) -> str:
        """Return the command that does the same in a terminal."""
        names = ", ".join(self.names)
        return f"ImageNet weights: run `{command('fetch')}` to download {names}."
