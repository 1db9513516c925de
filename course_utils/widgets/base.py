"""What all widgets share: files of the browser side, and a static form."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
from PIL import Image

from course_utils.rgb import as_pil, to_rgb

STATIC = Path(__file__).with_name("static")

# What of ES modules is joined; the formatter keeps it in this form (static/deno.json).
IMPORT = re.compile(
    r'^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "\./(\w+)\.js";\n', re.MULTILINE
)
EXPORT = re.compile(r"^export (?=(?:async|class|const|function|let)\b)", re.MULTILINE)
DECLARED = re.compile(r"^(?:async )?(?:class|const|function|let) (\w+)", re.MULTILINE)
NOT_JOINED = re.compile(r"^(?:import\b|export (?!default\b)).*", re.MULTILINE)


def asset(name: str) -> str:
    """Return the text of one file of the browser side."""
    return (STATIC / name).read_text(encoding="utf-8")


def script(entry: str, folder: Path = STATIC) -> str:
    """Return a widget's script with the modules that it imports, as one ES module.

    anywidget takes one string, and there is no build step: modules follow each other,
    each once and after those it imports, without their lines `import … from "./x.js";`
    and words `export` (but for `export default`). They come to share one scope: a name
    that two of them declare at the top is a ValueError.
    """
    owners: dict[str, str] = {}
    parts = []
    for name, source in _with_imports(entry, folder).items():
        parts.append(_unlinked(name, source))
        for declared in DECLARED.findall(parts[-1]):
            if declared in owners:
                raise ValueError(
                    f"{owners[declared]}.js and {name}.js both declare `{declared}` at "
                    f"the top, and {entry}.js joins them: rename one, or import it"
                )
            owners[declared] = name
    return "\n".join(parts)


def _with_imports(name: str, folder: Path, importers: tuple[str, ...] = ()) -> dict:
    """Return the sources of what a module imports, then its own, by name."""
    way = " → ".join(f"{step}.js" for step in (*importers, name))
    if name in importers:
        raise ValueError(f"modules import each other: {way}")
    if not (folder / f"{name}.js").is_file():
        raise FileNotFoundError(f"no module {name}.js in {folder.name}/: {way}")
    source = (folder / f"{name}.js").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for imported in IMPORT.findall(source):
        found |= _with_imports(imported, folder, (*importers, name))
    return found | {name: source}


def _unlinked(name: str, source: str) -> str:
    """Return a module without its imports and its words `export`."""
    text = EXPORT.sub("", IMPORT.sub("", source))
    if left := NOT_JOINED.search(text):
        raise ValueError(
            f"{name}.js: cannot join `{left[0]}`; write `import {{ a, b }} from "
            '"./x.js";`, and `export` before a declaration'
        )
    return text


def style(*names: str) -> str:
    """Return the shared styles, followed by those of the parts named and its own."""
    return "\n".join(asset(f"{name}.css") for name in ("base", *names))


class StaticForm:
    """Add text/html and text/plain to what a widget shows.

    A notebook that is exported, read on GitHub or not yet trusted has no live widget;
    its reader sees `static_html` instead. GitHub removes scripts and styles, so that
    form keeps to tables, pictures and `<details>`.
    """

    def static_html(self) -> str:
        """Return the widget's content as HTML without script or style."""
        raise NotImplementedError(f"{type(self).__name__} has no static HTML form")

    def static_text(self) -> str:
        """Return the widget's content as plain text."""
        raise NotImplementedError(f"{type(self).__name__} has no static text form")

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = self.static_text()
        data["text/html"] = self.static_html()
        return data, metadata


class CourseWidget(StaticForm, anywidget.AnyWidget):
    """Be the base of the course's widgets: live in the browser, readable without it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def png_data_url(picture: Image.Image | np.ndarray) -> str:
    """Return a picture (PIL or uint8 (H, W, 3)) as the data URL of a PNG."""
    if not isinstance(picture, Image.Image):
        picture = as_pil(picture)
    if picture.mode not in ("RGB", "RGBA", "L", "LA", "P", "1"):
        picture = to_rgb(picture)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return data_url(buffer.getvalue())


def data_url(png: bytes) -> str:
    """Return the bytes of a PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
