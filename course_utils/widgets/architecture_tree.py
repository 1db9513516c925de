"""A report of a model as a tree to look at: stages, the modules in them, their layers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from course_utils.inspection import KINDS, ModelReport, kind_of

Shape = tuple[int, ...]
STAGE = "stage:"  # ids of stages; a layer's id is its dotted path
SUMS = ("params", "macs", "activation_bytes")


@dataclass
class Node:
    """A stage, a module or a layer; `row` is what the report says of it, if it does."""

    name: str
    path: str
    row: dict[str, Any] | None = None
    children: dict[str, Node] = field(default_factory=dict)

    def rows(self) -> Iterable[dict[str, Any]]:
        """Yield the report's rows in this node and below, in order."""
        if self.row is not None:
            yield self.row
        for child in self.children.values():
            yield from child.rows()


def flat_tree(report: ModelReport) -> list[dict[str, Any]]:
    """Return the tree's nodes, parents before children, each as plain data.

    `id` is "stage:NAME" or a dotted path, `depth` 0 for a stage. Sums run over all that
    a node holds; the shapes of a module are those of its first and last layer.
    """
    modules = dict(report.model.named_modules())
    by_stage: dict[str, list[dict]] = {name: [] for name in report.stages["stage"]}
    for row in report.layers.to_dict("records"):
        by_stage[row["stage"]].append(row)
    nodes: list[dict[str, Any]] = []
    for name, rows in by_stage.items():
        tree = _stage_tree(name, rows)
        _mark_attention(tree, modules, inside=False)
        _flatten(tree, 0, name, modules, nodes)
    shapes = dict(
        zip(report.stages["stage"], report.stages["output_shape"], strict=True)
    )
    seen: set[str] = set()
    for node in nodes:
        if node["id"] in seen:  # a module whose layers lie in two stages
            node["id"] += f" ({node['stage']})"
        seen.add(node["id"])
        if node["depth"] == 0:
            node["output"] = _listed(shapes[node["stage"]])
    return nodes


def _stage_tree(stage: str, rows: list[dict[str, Any]]) -> Node:
    inside = any(row["path"].startswith(stage + ".") for row in rows)
    root = Node(stage, stage if inside else "")
    for row in rows:
        _insert(root, stage, row)
    while len(root.children) == 1 and not _same_end(root.path, stage):
        (only,) = root.children.values()  # down to the module that is the stage
        root = Node(stage, only.path, only.row, only.children)
    return root


def _same_end(path: str, stage: str) -> bool:
    """Compare last parts: "encoder.layers.layer_0" is the stage "encoder.layer_0"."""
    return path.rpartition(".")[2] == stage.rpartition(".")[2]


def _insert(root: Node, stage: str, row: dict[str, Any]) -> None:
    """Put a layer at its place, below the modules that its dotted path names."""
    path = row["path"]
    inside = path.startswith(stage + ".")
    before = stage.split(".") if inside else []
    parts = path.split(".")[len(before) :] if path else []
    node = root
    for part in parts:
        before = [*before, part]
        node = node.children.setdefault(part, Node(part, ".".join(before)))
    if node is root:  # parameters of the model itself, as a class token
        node = root.children.setdefault("", Node("(model)", path))
    node.row = row


def _mark_attention(node: Node, modules: dict, *, inside: bool) -> None:
    """Note of each layer whether it is a part of attention, as its projections are."""
    inside = inside or _is_attention(node, modules)
    if node.row is not None:
        node.row["part_of"] = "attention" if inside else node.row["kind"]
    for child in node.children.values():
        _mark_attention(child, modules, inside=inside)


def _is_attention(node: Node, modules: dict) -> bool:
    return node.path in modules and kind_of(modules[node.path]) == "attention"


def _flatten(node: Node, depth: int, stage: str, modules: dict, out: list) -> None:
    out.append(_plain(node, depth, stage, modules))
    for child in node.children.values():
        _flatten(child, depth + 1, stage, modules, out)


def _plain(node: Node, depth: int, stage: str, modules: dict) -> dict[str, Any]:
    rows = list(node.rows())
    module = _module_of(node, depth, stage, modules)
    return {
        "id": STAGE + stage if depth == 0 else node.path or "(model)",
        "name": node.name,
        "path": node.path,
        "stage": stage,
        "depth": depth,
        "type": _type_name(node, module, rows),
        "kind": _kind(node, rows, modules, stage=depth == 0),
        "settings": module.extra_repr() if module is not None else "",
        "input": _listed((node.row or _first(rows))["input_shape"]) if rows else None,
        "output": _listed((node.row or _last(rows))["output_shape"]) if rows else None,
        **{key: int(sum(row[key] for row in rows)) for key in SUMS},
        "layers": len(rows),
        "trainable": together(row["trainable"] for row in rows),
        "mix": mixture(rows) if node.children else None,
        "called": any(row["called"] for row in rows),
        "shared": any(row["shared"] for row in rows),
    }


def _module_of(node: Node, depth: int, stage: str, modules: dict) -> nn.Module | None:
    """Return the module that a node stands for; a stage may stand for several."""
    module = modules.get(node.path)
    if depth > 0 or module is None:
        return module
    leaf = next(module.children(), None) is None
    several = leaf and node.children or not _same_end(node.path, stage)
    return None if several else module


def _type_name(node: Node, module: nn.Module | None, rows: list) -> str:
    if node.row is not None:
        return node.row["type"]
    return type(module).__name__ if module is not None else f"{len(rows)} layers"


def _first(rows: list[dict]) -> dict:
    return next((row for row in rows if row["input_shape"] is not None), rows[0])


def _last(rows: list[dict]) -> dict:
    return next((r for r in rows[::-1] if r["output_shape"] is not None), rows[-1])


def _listed(shape: Shape | None) -> list[int] | None:
    return None if shape is None else [int(n) for n in shape]


def _kind(node: Node, rows: list[dict], modules: dict, *, stage: bool) -> str:
    if not node.children and node.row is not None:
        return node.row["kind"]
    if stage:
        return main_kind(mixture(rows))
    return "attention" if _is_attention(node, modules) else "block"


def together(words: Iterable[str]) -> str:
    """Join what layers say of "all", "no", "partly" or "" (no parameters) learning."""
    found = set(words) - {""}
    return found.pop() if len(found) == 1 else ("partly" if found else "")


def mixture(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Sum parameters and MACs by kind: {"params": {kind: n}, "macs": {kind: n}}.

    Layers inside an attention module count as attention.
    """
    found: dict[str, dict[str, int]] = {"params": {}, "macs": {}}
    for row in rows:
        for measure, sums in found.items():
            if row[measure]:
                kind = row["part_of"]
                sums[kind] = sums.get(kind, 0) + int(row[measure])
    return {m: {k: sums[k] for k in KINDS if k in sums} for m, sums in found.items()}


def main_kind(mix: dict[str, dict[str, int]]) -> str:
    """Name the kind with the most MACs, or parameters where nothing is multiplied."""
    sums = mix["macs"] or mix["params"]
    return max(sums, key=sums.get) if sums else "other"


def extent(shape: Iterable[int] | None) -> tuple[int, int]:
    """Return (side of the map, channels) of a shape: a map, tokens or a vector.

    A map is (C, H, W), or (H, W, C) where only the first two agree; tokens are (N, C),
    a square of them; a vector has side 1. An unknown shape is (1, 1).
    """
    match list(shape or ()):
        case [h, w, c] if h == w != c:
            return h, c
        case [c, h, w]:
            return max(h, w), c
        case [tokens, c]:
            return max(1, math.isqrt(tokens)), c
        case [c]:
            return 1, c
        case _:
            return 1, 1
