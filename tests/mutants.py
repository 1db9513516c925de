"""Mechanical mutants of a solution: small changes, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_COMPARE = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In}
_ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
_NAMES = {
    "sum": "max", "argmax": "argmin", "mean": "sum", "eval": "train", "train": "eval",
    "softmax": "log_softmax", "max": "min", "sorted": "list", "in_features": "out_features",
}  # fmt: skip


def mutants(source: str) -> Iterator[str]:
    """Yield every mutant of a function's source, as source."""
    tree = ast.parse(source)
    for index, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            twin = copy.deepcopy(tree)
            target = list(ast.walk(twin))[index]
            change(target)
            text = ast.unparse(ast.fix_missing_locations(twin))
            if text != ast.unparse(tree):
                yield text


def _changes(node: ast.AST) -> Iterator:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        yield lambda n: n.ops.__setitem__(0, _COMPARE[type(n.ops[0])]())
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield lambda n: setattr(n, "op", _ARITHMETIC[type(n.op)]())
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield lambda n: setattr(n, "value", n.value + 1)
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield lambda n: setattr(n, "value", not n.value)
    if isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield lambda n: setattr(n, "attr", _NAMES[n.attr])
    if isinstance(node, ast.Name) and node.id in _NAMES:
        yield lambda n: setattr(n, "id", _NAMES[n.id])
    if isinstance(node, ast.Call) and len(node.args) == 2:
        yield lambda n: n.args.reverse()
    if isinstance(node, ast.BoolOp):
        yield lambda n: setattr(n, "values", n.values[:1])
        yield lambda n: setattr(n, "values", n.values[1:])
    if isinstance(node, (ast.FunctionDef, ast.For, ast.With, ast.If)):
        for i, statement in enumerate(node.body):
            if not isinstance(statement, ast.Expr) or isinstance(
                statement.value, ast.Call
            ):
                yield lambda n, i=i: n.body.__setitem__(i, ast.Pass())
