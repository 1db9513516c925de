"""A model to walk through: its stages as a flow, its layers as a tree, its costs."""

from __future__ import annotations

from typing import Any

import traitlets
from torch import nn

from course_utils.arguments import checked
from course_utils.inspection import ModelReport, inspect_model
from course_utils.layer_groups import check_stage_names, freeze
from course_utils.zoo import family_of, zoo_table

from .architecture_code import code_for
from .architecture_static import static_lines, static_tables
from .architecture_tree import extent, flat_tree
from .base import CourseWidget, script, style

__all__ = ["ArchitectureExplorer"]

KIND_WORDS = {
    "conv": "Convolution: slides small learned filters over the map.",
    "pool": "Pooling: keeps one value of each neighbourhood; learns nothing.",
    "norm": "Normalisation: shifts and scales values so that training stays stable.",
    "activation": "Activation: bends the values; without it, layers would add up to "
    "one linear map.",
    "attention": "Attention: each position gathers from all others, by similarity.",
    "fc": "Fully connected: each output is a weighted sum of all inputs.",
    "block": "Block: modules that belong together.",
    "head": "Head: turns features into one score for each class; replaced in transfer.",
    "other": "Other: reshaping, dropout, position embeddings and the like.",
}
OPTIMIZERS = {"sgd": "SGD + momentum", "adam": "Adam"}
PARTS = {
    "weights": "Weights",
    "gradients": "Gradients",
    "optimizer": "Optimizer state",
    "activations": "Activations",
}


class ArchitectureExplorer(CourseWidget):
    """Show what a model is made of, what it costs, and what freezing stages saves.

    `model` is a name of torchvision's or timm's, a module, or a `ModelReport`;
    `compare` a second one, drawn to the same scale. `input_size` is (3, H, W).

    From Python as from the browser: `frozen` (names of stages), `batch_size`,
    `optimizer` ("sgd" or "adam"), `scale` ("params" or "macs"), `selected` (a layer's
    path, or "stage:NAME"). `training` holds the counts and bytes that follow from
    them, `code` the lines that freeze so. A module is touched by `apply()` only.

    Raises `UnknownModel` with the nearest names, and `CannotInspect` with the cause.

    >>> from course_utils.widgets import ArchitectureExplorer
    >>> explorer = ArchitectureExplorer("resnet18")  # on a cell's last line it is shown
    >>> explorer.frozen = ["conv1", "layer1", "layer2", "layer3"]
    >>> print(explorer.code.splitlines()[-1], explorer.training["trainable"])
    freeze(model, until="layer4") 8906728
    """

    _esm = script("architecture_explorer")
    _css = style("code_panel", "architecture_explorer")

    models = traitlets.List(traitlets.Dict()).tag(sync=True)
    kinds = traitlets.Dict(KIND_WORDS).tag(sync=True)
    optimizers = traitlets.Dict(OPTIMIZERS).tag(sync=True)
    parts = traitlets.Dict(PARTS).tag(sync=True)
    frozen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    batch_size = traitlets.Int(32, min=1).tag(sync=True)
    optimizer = traitlets.Enum(list(OPTIMIZERS), "sgd").tag(sync=True)
    scale = traitlets.Enum(["params", "macs"], "params").tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)
    shown = traitlets.Int(0, min=0).tag(sync=True)
    training = traitlets.Dict().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)

    @checked
    def __init__(
        self,
        model: nn.Module | str | ModelReport,
        *,
        compare: nn.Module | str | ModelReport | None = None,
        input_size: tuple[int, int, int] | None = None,
    ):
        given = [model] if compare is None else [model, compare]
        self._module = model if isinstance(model, nn.Module) else None
        self._reports = [_report(one, input_size) for one in given]
        self._loadable = model if isinstance(model, str) else None
        stages = self._reports[0].stages
        still = stages[(stages["trainable"] == "no") & (stages["params"] > 0)]
        self._at_first = list(still["stage"])
        super().__init__(
            models=[describe(report) for report in self._reports],
            frozen=self._at_first,
        )
        self._recount()
        self.observe(self._recount, ["frozen", "batch_size", "optimizer"])

    @property
    def stages(self) -> list[str]:
        """Names of the stages, stem first, head last."""
        return list(self._reports[0].stages["stage"])

    def apply(self) -> nn.Module:
        """Freeze and unfreeze the module's stages as shown, in place; return it.

        Frozen BatchNorm layers keep their statistics, whatever `train()` says.
        Raises `ValueError` where the explorer was given a name or a report.
        """
        if self._module is None:
            raise ValueError(
                "there is no module to freeze: this explorer was made from a name or a "
                "report. Pass the model itself, or run the code in `.code`."
            )
        return freeze(self._module, stages=self.frozen)

    @traitlets.validate("frozen")
    def _known_stages(self, proposal: Any) -> list[str]:
        check_stage_names(proposal["value"], self.stages, error=traitlets.TraitError)
        return [name for name in self.stages if name in proposal["value"]]

    @traitlets.validate("selected")
    def _known_node(self, proposal: Any) -> str:
        value = proposal["value"]
        if value and not any(value in model["tree"]["id"] for model in self.models):
            raise traitlets.TraitError(
                f"no layer {value!r}; the tree has paths as 'layer1.0.conv1', and "
                f"stages as 'stage:{self.stages[0]}'"
            )
        return value

    @traitlets.validate("shown")
    def _known_model(self, proposal: Any) -> int:
        return min(proposal["value"], len(self._reports) - 1)

    def _recount(self, change: Any = None) -> None:
        """Ask the reports for what training in this state counts and weighs."""
        self.training = self._training()
        self.code = code_for(self._loadable, self.stages, self.frozen)

    def _training(self) -> dict[str, Any]:
        first = self._reports[0]
        bytes_of = [
            report.memory(self.batch_size, optimizer=self.optimizer, frozen=[])
            for report in self._reports
        ]
        now = first.memory(
            self.batch_size, optimizer=self.optimizer, frozen=self.frozen
        )
        return {
            "frozen": self.frozen,
            "at_first": self._at_first,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "trainable": self._trainable(),
            "now": {part: getattr(now, part) for part in PARTS},
            "full": [{part: getattr(m, part) for part in PARTS} for m in bytes_of],
        }

    def _trainable(self) -> int:
        if self.frozen == self._at_first:
            return self._reports[0].trainable_params
        stages = self._reports[0].stages
        return int(stages.loc[~stages["stage"].isin(self.frozen), "params"].sum())

    def static_html(self) -> str:
        """Return a table of the stages, and the layers of each, folded."""
        return "".join(
            static_tables(model, frozen)
            for model, frozen in zip(self.models, self._frozen_in_each(), strict=True)
        )

    def static_text(self) -> str:
        """Return totals and stages, one a line."""
        return "\n\n".join(
            "\n".join(static_lines(model, frozen))
            for model, frozen in zip(self.models, self._frozen_in_each(), strict=True)
        )

    def _frozen_in_each(self) -> list[list[str]]:
        return [self.frozen, []][: len(self.models)]


def _report(model: Any, input_size: tuple[int, int, int] | None) -> ModelReport:
    if isinstance(model, ModelReport):
        return model
    return inspect_model(model, input_size=input_size)


def describe(report: ModelReport) -> dict[str, Any]:
    """Return a report as plain data for the browser: totals, facts, stages, tree.

    The tree is a table by columns, which is a third of the size of a list of rows.
    """
    nodes = flat_tree(report)
    stages = [_stage(node) for node in nodes if node["depth"] == 0]
    return {
        "name": report.name,
        "input": list(report.input_size),
        "params": report.num_params,
        "macs": report.macs,
        "activation_bytes": int(report.layers["activation_bytes"].sum()),
        "layers": len(report.layers),
        "facts": facts(report.name),
        "stages": stages,
        "tree": {key: [node[key] for node in nodes] for key in nodes[0]},
    }


def _stage(node: dict[str, Any]) -> dict[str, Any]:
    side, channels = extent(node["output"])
    return {**node, "name": node["stage"], "side": side, "channels": channels}


def facts(name: str) -> dict[str, Any]:
    """Return what the zoo knows of a model: family, year, key idea, paper, top-1.

    `top1` is that of torchvision's default weights, None where there are none. Nothing
    is known of a name that is of no family, as with a net of one's own.
    """
    family = family_of(name)
    if family is None:
        return {}
    table = zoo_table()
    rows = table[(table["architecture"] == name) & table["default"]]
    return {
        "family": family.name,
        "year": family.year,
        "idea": family.key_idea,
        "paper": family.paper,
        "top1": next(iter(rows["top1"].dropna()), None),
    }
