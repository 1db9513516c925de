"""Mechanical mutants of a solution: small changes, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

Change = Callable[[ast.AST], ast.AST | None]

_COMPARE = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Lt: ast.GtE, ast.GtE: ast.Lt,
    ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.MatMult: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Div,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_NAMES = {
    "sum": "max", "argmax": "argmin", "mean": "sum", "eval": "train", "train": "eval",
    "softmax": "log_softmax", "max": "min", "min": "max", "sorted": "list",
    "in_features": "out_features", "values": "indices", "indices": "values",
    "all": "any", "any": "all", "float": "double",
}  # fmt: skip
_CONTEXTS = ("no_grad", "inference_mode")


def mutants(source: str) -> Iterator[str]:
    """Yield every mutant of a function's source, as source; none equals another."""
    tree = ast.parse(source)
    seen = {ast.unparse(tree)}
    for index, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            twin = copy.deepcopy(tree)
            _replace(twin, list(ast.walk(twin))[index], change)
            text = ast.unparse(ast.fix_missing_locations(twin))
            if text not in seen:
                seen.add(text)
                yield text


def _replace(tree: ast.AST, target: ast.AST, change: Change) -> None:
    """Change a node in place, or put what the change returns into its place."""
    new = change(target)
    if not isinstance(new, ast.AST):
        return

    class Swap(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is target else self.generic_visit(node)

    Swap().visit(tree)


def _changes(node: ast.AST) -> Iterator[Change]:
    for kind, changes in _OF.items():
        if isinstance(node, kind):
            yield from changes(node)


def _operators(node: ast.Compare | ast.BinOp) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        yield lambda n: n.ops.__setitem__(0, _COMPARE[type(n.ops[0])]())
    if isinstance(node, ast.BinOp):
        if type(node.op) in _ARITHMETIC:
            yield lambda n: setattr(n, "op", _ARITHMETIC[type(n.op)]())
        yield lambda n: n.left
        yield lambda n: n.right


def _constants(node: ast.Constant) -> Iterator[Change]:
    if type(node.value) is bool:
        yield lambda n: setattr(n, "value", not n.value)
    elif type(node.value) in (int, float):
        yield lambda n: setattr(n, "value", n.value + 1)
        yield lambda n: setattr(n, "value", n.value - 1)


def _names(node: ast.Attribute | ast.Name) -> Iterator[Change]:
    field = "attr" if isinstance(node, ast.Attribute) else "id"
    if getattr(node, field) in _NAMES:
        yield lambda n: setattr(n, field, _NAMES[getattr(n, field)])


def _calls(node: ast.Call) -> Iterator[Change]:
    if len(node.args) == 2:
        yield lambda n: n.args.reverse()
    for i in range(len(node.keywords)):
        yield lambda n, i=i: n.keywords.pop(i) and None
    if len(node.args) > 1:
        yield lambda n: n.args.pop() and None
    if isinstance(node.func, ast.Attribute):  # x.method(...) becomes x
        yield lambda n: n.func.value
    elif len(node.args) == 1:  # f(x) becomes x
        yield lambda n: n.args[0]


def _logic(node: ast.BoolOp | ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node, ast.UnaryOp):
        yield lambda n: n.operand
        return
    yield lambda n: setattr(n, "values", n.values[:1])
    yield lambda n: setattr(n, "values", n.values[1:])
    other = ast.Or if isinstance(node.op, ast.And) else ast.And
    yield lambda n: setattr(n, "op", other())


def _conditions(node: ast.If | ast.IfExp | ast.comprehension) -> Iterator[Change]:
    if isinstance(node, ast.comprehension):
        for i in range(len(node.ifs)):
            yield lambda n, i=i: n.ifs.pop(i) and None
        return
    yield lambda n: setattr(n, "test", ast.Constant(True))
    yield lambda n: setattr(n, "test", ast.Constant(False))


def _statements(node: ast.AST) -> Iterator[Change]:
    for i, statement in enumerate(node.body):
        if not _is_docstring(statement):
            yield lambda n, i=i: n.body.__setitem__(i, ast.Pass())
        if isinstance(statement, ast.With) and _is_context(statement):
            yield lambda n, i=i: n.body.__setitem__(
                slice(i, i + 1), n.body[i].body
            )  # fmt: skip


def _is_docstring(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(statement, ast.Expr) and isinstance(value, ast.Constant)


def _is_context(statement: ast.With) -> bool:
    return any(name in ast.unparse(statement.items[0]) for name in _CONTEXTS)


_OF = {
    (ast.Compare, ast.BinOp): _operators,
    (ast.Constant,): _constants,
    (ast.Attribute, ast.Name): _names,
    (ast.Call,): _calls,
    (ast.BoolOp, ast.UnaryOp): _logic,
    (ast.If, ast.IfExp, ast.comprehension): _conditions,
    (ast.FunctionDef, ast.For, ast.With, ast.If): _statements,
}
