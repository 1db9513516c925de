"""Pictures of which one is shown at a time, to compare them in the same place."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from course_utils.arguments import checked

from .base import CourseWidget, data_url, png_data_url, script, style
from .markup import escape

__all__ = ["PictureSwitcher"]

Picture = Figure | Image.Image | np.ndarray


class PictureSwitcher(CourseWidget):
    """Show one of several named pictures, with a switch above.

    A picture is a matplotlib figure, a PIL image or a uint8 array (H, W, 3). `alt`
    describes each picture for those who do not see it; without it, the figure's own
    `alt` does, or else `label` and the picture's name. `selected` can be set from
    Python as well.

    >>> from PIL import Image
    >>> from course_utils.widgets import PictureSwitcher
    >>> blank = Image.new("RGB", (64, 64))
    >>> switcher = PictureSwitcher({"before": blank, "after": blank}, label="Crop")
    >>> switcher.selected = "after"
    >>> print(switcher.static_text())
    Crop: before
    Crop: after
    """

    _esm = script("pictures")
    _css = style("pictures")

    label = traitlets.Unicode("Picture").tag(sync=True)
    pictures = traitlets.List(traitlets.Dict()).tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)

    @checked
    def __init__(
        self,
        pictures: Mapping[str, Picture],
        *,
        label: str = "Picture",
        alt: Mapping[str, str] | None = None,
    ):
        if not pictures:
            raise ValueError("PictureSwitcher needs at least one picture")
        texts = {name: _alt(p, f"{label}: {name}") for name, p in pictures.items()}
        texts |= alt or {}
        rows = [
            {"name": name, "src": _source(p), "alt": texts[name]}
            for name, p in pictures.items()
        ]
        super().__init__(label=label, pictures=rows, selected=rows[0]["name"])

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: dict) -> str:
        names = [picture["name"] for picture in self.pictures]
        if proposal["value"] not in names:
            raise traitlets.TraitError(
                f"no picture {proposal['value']!r}; there are {names}"
            )
        return proposal["value"]

    def static_html(self) -> str:
        """Return all pictures, one below the other."""
        return "".join(
            f"<p><b>{escape(self.label)}: {escape(p['name'])}</b></p>"
            f'<p><img src="{p["src"]}" alt="{escape(p["alt"])}"></p>'
            for p in self.pictures
        )

    def static_text(self) -> str:
        """Return what the pictures show."""
        return "\n".join(picture["alt"] for picture in self.pictures)


def figure_png(figure: Figure) -> bytes:
    """Return a figure drawn as a PNG; matplotlib's current figure is left alone."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _source(picture: Picture) -> str:
    """Return any kind of picture as a data URL."""
    if isinstance(picture, Figure):
        return data_url(figure_png(picture))
    return png_data_url(picture)


def _alt(picture: Picture, name: str) -> str:
    """Return a picture's name, with the description that it may carry itself."""
    own = getattr(picture, "alt", None)
    return f"{name}. {own}" if own else name
