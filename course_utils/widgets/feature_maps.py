"""Feature maps to look at: pick a layer and a channel, lay it over the image."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from course_utils.arguments import Share, checked
from course_utils.features import feature_maps
from course_utils.layer_groups import layer_groups
from course_utils.rgb import as_pil, to_rgb, upright
from course_utils.weights import WeightsInfo, default_weights_info

from .base import CourseWidget, png_data_url, script, style
from .markup import escape
from .pictures import figure_png

__all__ = ["FeatureMapViewer"]

Picture = Image.Image | np.ndarray | torch.Tensor
COLORMAPS = ("viridis", "cividis", "magma", "gray")  # all safe for the colour-blind
TILES = 16  # channels shown at once
LARGEST_SIDE = 64  # a larger map is averaged down before it goes to the browser


@dataclass(frozen=True)
class LayerMaps:
    """Hold one layer's maps as bytes, ready for a colour map.

    `pixels` (C, h, w) runs from 0 at a channel's `low` to 255 at its `high`;
    `order` lists the channels from the most to the least varied over the image.
    """

    name: str
    label: str
    shape: tuple[int, int, int]
    pixels: np.ndarray
    low: np.ndarray
    high: np.ndarray
    order: list[int]

    def tile(self, channel: int) -> dict[str, Any]:
        """Return what the browser needs to paint one channel."""
        return {
            "layer": self.label,
            "channel": channel,
            "low": float(self.low[channel]),
            "high": float(self.high[channel]),
            "pixels": base64.b64encode(self.pixels[channel].tobytes()).decode("ascii"),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the layer with its most varied channels, for the browser."""
        height, width = self.pixels.shape[1:]
        return {
            "name": self.name,
            "label": self.label,
            "shape": list(self.shape),
            "height": height,
            "width": width,
            "tiles": [self.tile(channel) for channel in self.order[:TILES]],
        }


class FeatureMapViewer(CourseWidget):
    """Show what the layers of a model answer to one image, channel by channel.

    `image` is a PIL image, a uint8 array (H, W, 3), or an item of a dataset: a float
    tensor (3, S, S), normalised. It is shown as the net sees it, resized and cropped.

    `layers` names the layers (dotted module names, or a mapping from labels to them);
    by default, each stage that keeps a map. The model is not changed. `layer` (a
    label), `channel`, `opacity` (0 to 1) and `colormap` can be set from Python too.

    Raises `ValueError` for a layer that the model does not have, or that has no maps.

    >>> import numpy as np
    >>> from course_utils.weights import load_backbone
    >>> from course_utils.widgets import FeatureMapViewer
    >>> picture = np.zeros((64, 64, 3), dtype=np.uint8)
    >>> viewer = FeatureMapViewer(load_backbone("test_resnet", weights="bundled"), picture)
    >>> print(viewer.static_text())
    Feature maps (channels, height, width)
      conv1: (32, 32, 32)
      layer1: (32, 16, 16)
      layer2: (48, 8, 8)
      layer3: (192, 4, 4)
      layer4: (96, 2, 2)
    """

    _esm = script("feature_maps")
    _css = style("feature_maps")

    image = traitlets.Unicode().tag(sync=True)
    layers = traitlets.List(traitlets.Dict()).tag(sync=True)
    palettes = traitlets.Dict().tag(sync=True)
    layer = traitlets.Unicode().tag(sync=True)
    channel = traitlets.Int().tag(sync=True)
    opacity = traitlets.Float(0.6, min=0.0, max=1.0).tag(sync=True)
    colormap = traitlets.Enum(COLORMAPS, "viridis").tag(sync=True)
    tile = traitlets.Dict().tag(sync=True)

    @checked
    def __init__(
        self,
        model: nn.Module,
        image: Picture,
        *,
        layers: Sequence[str] | Mapping[str, str] | None = None,
        layer: str | None = None,
        opacity: Share = 0.6,
        colormap: Literal[COLORMAPS] = "viridis",
    ):
        info = getattr(model, "weights_info", None) or default_weights_info()
        prepared = prepare(image, info)
        self._input = as_seen(prepared, info)
        found = collect_maps(model, prepared, layers=layers)
        self._maps = {maps.label: maps for maps in found}
        shown = self._maps[
            self._known(next(iter(self._maps)) if layer is None else layer)
        ]
        super().__init__(
            image=png_data_url(self._input),
            layers=[maps.as_dict() for maps in self._maps.values()],
            palettes={name: _palette(name) for name in COLORMAPS},
            layer=shown.label,
            channel=shown.order[0],
            opacity=opacity,
            colormap=colormap,
            tile=shown.tile(shown.order[0]),
        )

    def _known(self, layer: str) -> str:
        if layer not in self._maps:
            raise ValueError(f"no layer {layer!r} here; there are {list(self._maps)}")
        return layer

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: dict) -> str:
        return self._known(proposal["value"])

    @traitlets.observe("layer")
    def _show_most_varied(self, change: dict) -> None:
        if change["old"]:
            self.channel = self._maps[change["new"]].order[0]

    @traitlets.observe("layer", "channel")
    def _send_tile(self, change: dict) -> None:
        maps = self._maps[self.layer]
        if not 0 <= self.channel < maps.shape[0]:
            self.channel = maps.order[0]
        self.tile = maps.tile(self.channel)

    def static_html(self) -> str:
        """Return one picture: a row of maps for each layer."""
        figure = maps_figure(self._input, list(self._maps.values()))
        drawn = Image.open(io.BytesIO(figure_png(figure)))
        # 256 colours: a third of the bytes, which a saved notebook carries along.
        small = drawn.quantize(256, method=Image.Quantize.FASTOCTREE)
        return f'<p><img src="{png_data_url(small)}" alt="{escape(self._alt())}"></p>'

    def static_text(self) -> str:
        """Return the layers and their shapes (channels, height, width)."""
        rows = [f"  {maps.label}: {maps.shape}" for maps in self._maps.values()]
        return "\n".join(["Feature maps (channels, height, width)", *rows])

    def _alt(self) -> str:
        names = ", ".join(
            f"{m.label} ({m.shape[0]} channels of {m.shape[1]} by {m.shape[2]})"
            for m in self._maps.values()
        )
        return f"The image, and feature maps of one row for each layer: {names}."


def collect_maps(
    model: nn.Module,
    image: torch.Tensor,
    *,
    layers: Sequence[str] | Mapping[str, str] | None = None,
) -> list[LayerMaps]:
    """Return the maps of the named layers, or of each stage, for a prepared image.

    Raises `ValueError` where a named layer, or every stage, gives no maps.
    """
    if layers is not None:
        named = layers if isinstance(layers, Mapping) else {n: n for n in layers}
        return [
            scale_maps(feature_maps(model, image, name), name=name, label=label)
            for label, name in named.items()
        ]
    found = []
    for label, name in stage_layers(model).items():
        try:
            maps = feature_maps(model, image, name)
        except ValueError:  # a stage without maps, such as a pooling or flattening one
            continue
        found.append(scale_maps(maps, name=name, label=label))
    if not found:
        raise ValueError(
            f"no stage of {type(model).__name__} gives feature maps; "
            "name layers that do, as in layers=['layer1']"
        )
    return found


def stage_layers(model: nn.Module) -> dict[str, str]:
    """Return the stages' names with the dotted name of the layer to look at.

    That is the stage itself where it is a block, else its last layer (`conv1` is seen
    after its normalisation). The head is left out.
    """
    names = {id(module): name for name, module in model.named_modules()}
    stages = {}
    for group in [g for g in layer_groups(model) if not g.is_head]:
        named = [m for m in group.modules if names.get(id(m)) == group.name]
        is_block = bool(named) and any(True for _ in named[0].children())
        last = named[0] if is_block else group.modules[-1]
        stages[group.name] = names[id(last)]
    return stages


def scale_maps(maps: torch.Tensor, *, name: str, label: str) -> LayerMaps:
    """Return maps (C, H, W) as bytes, each channel scaled to its own range."""
    maps = maps.detach().float().cpu()
    low, high = maps.amin(dim=(1, 2)), maps.amax(dim=(1, 2))
    order = maps.flatten(1).std(dim=1).nan_to_num(0).argsort(descending=True)
    small = adaptive_avg_pool2d(maps, [min(s, LARGEST_SIDE) for s in maps.shape[1:]])
    span = (high - low).clamp_min(1e-12)
    scaled = (small - low[:, None, None]) / span[:, None, None] * 255
    return LayerMaps(
        name=name,
        label=label,
        shape=tuple(maps.shape),
        pixels=scaled.round().clamp(0, 255).to(torch.uint8).numpy(),
        low=low.numpy(),
        high=high.numpy(),
        order=order.tolist(),
    )


def prepare(image: Picture, info: WeightsInfo) -> torch.Tensor:
    """Return the image as its weights want it: float (3, S, S), normalised.

    A float tensor (3, S, S) counts as prepared. Raises `ValueError` for other shapes.
    """
    if isinstance(image, torch.Tensor) and image.is_floating_point():
        if image.ndim == 3 and image.shape[0] == 3:
            return image
        raise ValueError(f"expected a tensor (3, S, S), got {tuple(image.shape)}")
    if isinstance(image, torch.Tensor):
        if image.ndim != 3:
            raise ValueError(f"expected a tensor (3, H, W), got {tuple(image.shape)}")
        image = image.permute(1, 2, 0).numpy()  # (3, H, W) -> (H, W, 3)
    if isinstance(image, np.ndarray):
        image = as_pil(image)
    return info.transform(to_rgb(upright(image)))


def as_seen(prepared: torch.Tensor, info: WeightsInfo) -> np.ndarray:
    """Undo the normalisation: float (3, S, S) -> uint8 (S, S, 3)."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (info.mean, info.std))
    pixels = (prepared.cpu() * std + mean).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8).permute(1, 2, 0).numpy()


def maps_figure(image: np.ndarray, layers: Sequence[LayerMaps]) -> Figure:
    """Draw a row for each layer: the image, then its eight most varied channels.

    The ground is transparent and the text grey, to be read on light and on dark.
    """
    tile, gap, columns = 72, 6, 9
    height, width = len(layers) * (tile + gap) - gap, columns * (tile + gap) - gap
    mosaic = np.zeros((height, width, 4), dtype=np.uint8)  # transparent between tiles
    paint = matplotlib.colormaps["viridis"]
    for row, maps in enumerate(layers):
        tiles = [_resized(image, tile, smooth=True)]
        tiles += [
            _resized(paint(maps.pixels[c], bytes=True)[..., :3], tile)
            for c in maps.order[: columns - 1]
        ]
        for column, picture in enumerate(tiles):
            y, x = row * (tile + gap), column * (tile + gap)
            mosaic[y : y + tile, x : x + tile, :3] = picture
            mosaic[y : y + tile, x : x + tile, 3] = 255
    return _labelled(mosaic, layers, tile + gap)


def _labelled(mosaic: np.ndarray, layers: Sequence[LayerMaps], step: int) -> Figure:
    """Return a figure of the mosaic, one pixel for one pixel, with rows labelled."""
    dpi, left, top = 100, 130, 28
    height, width = mosaic.shape[0] + top + 4, mosaic.shape[1] + left + 4
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="none")
    figure.figimage(mosaic, xo=left, yo=4, origin="upper")
    grey = "#767676"
    for row, maps in enumerate(layers):
        middle = 1 - (top + row * step + step / 2) / height
        text = f"{maps.label}\n{' × '.join(map(str, maps.shape))}"
        at = ((left - 10) / width, middle)
        figure.text(*at, text, ha="right", va="center", size=8, color=grey)
    title = "Feature maps: the image, then each layer's most varied channels"
    figure.text(left / width, 1 - 8 / height, title, va="top", size=9, color=grey)
    return figure


def _resized(pixels: np.ndarray, side: int, *, smooth: bool = False) -> np.ndarray:
    """Return a square picture; maps keep their cells sharp unless `smooth`."""
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(pixels).resize((side, side), how))


def _palette(name: str) -> str:
    """Return a colour map's 256 RGB colours as base64."""
    colours = matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
    return base64.b64encode(colours.tobytes()).decode("ascii")
