"""What figures depend on: the functions and classes that a measurement reaches.

Found by reading sources, not by running them. From a function the names that it uses are
followed to their definitions, from these on to theirs, as far as they lie in the packages
that were handed over. Each definition is then written in a form that shows only what it
does: without docstrings, comments, annotations, import lines and texts of errors, and with
names that tell neither package nor module. So a moved function or a renamed module changes
nothing, and neither does a function that is not reached; any other change does.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from course_utils.storage import sha256_bytes

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Definition:
    """A function, a class or a constant at the top of a module."""

    module: str
    name: str


class Sources:
    """The sources of some packages, `{"package": its folder}`, read on demand."""

    def __init__(self, packages: Mapping[str, Path]):
        self._packages = {name: Path(folder) for name, folder in packages.items()}
        self._modules: dict[str, Module | None] = {}
        self._forms: dict[Definition, tuple[str, set[Definition]]] = {}

    def module(self, name: str) -> Module | None:
        """The module of this dotted name; None where it is not in these packages."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> Module | None:
        package, *parts = name.split(".")
        if package not in self._packages:
            return None
        place = self._packages[package].joinpath(*parts)
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                return Module(name, path)
        return None

    def find(self, dotted: str) -> Definition | Module | None:
        """What a dotted name stands for, followed through imports; None if foreign."""
        if module := self.module(dotted):
            return module
        parent, _, name = dotted.rpartition(".")
        owner = self.find(parent) if parent else None
        return self.look_up(owner, name) if isinstance(owner, Module) else owner

    def look_up(self, module: Module, name: str) -> Definition | Module | None:
        """What a name means at the top of a module."""
        if name in module.definitions:
            return Definition(module.name, name)
        if target := module.imports.get(name):
            return self.find(target)
        return self.module(f"{module.name}.{name}")

    def reached(self, start: Definition) -> dict[Definition, str]:
        """All definitions reached from one, each in its normal form."""
        found: dict[Definition, str] = {}
        waiting = [start]
        while waiting:
            definition = waiting.pop()
            if definition in found:
                continue
            if definition not in self._forms:
                self._forms[definition] = self._normal(definition)
            found[definition], used = self._forms[definition]
            waiting.extend(used)
        return found

    def fingerprint(self, start: Definition) -> str:
        """SHA-256 of all that a definition reaches, in hexadecimal."""
        forms = {f"{d.name}: {form}" for d, form in self.reached(start).items()}
        return sha256_bytes(*(form.encode() for form in sorted(forms)))

    def _normal(self, definition: Definition) -> tuple[str, set[Definition]]:
        module = self.module(definition.module)
        writer = _Normal(self, module)
        statements = module.definitions[definition.name]
        return "; ".join(map(writer.write, statements)), writer.used


class Module:
    """One source: its top-level definitions, and what its imports bring in."""

    def __init__(self, name: str, path: Path):
        self.name = name
        self._package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self._tree = ast.parse(path.read_text(encoding="utf-8"))

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """Statements that define each top-level name, in their order."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in _flat(self._tree.body):
            for name in _names_defined(statement):
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def imports(self) -> dict[str, str]:
        """Names that imports bring in, those within functions too: name -> dotted."""
        found = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{base}.{alias.name}"
        return found

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module
        parts = self._package.split(".")
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, *([node.module] if node.module else [])])


def _flat(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements, and those within `if`, `try` and `with` at the same level."""
    for statement in statements:
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(statement, part, []))
        else:
            yield statement


def _names_defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = getattr(statement, "targets", None) or [statement.target]
        return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return []


def _bound(scope: ast.AST) -> set[str]:
    """Names that a function, class or comprehension binds for itself."""
    if isinstance(scope, _COMPREHENSIONS):
        targets = [generator.target for generator in scope.generators]
        return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    found, shared = set(), set()
    if arguments := getattr(scope, "args", None):
        found |= {n.arg for n in ast.walk(arguments) if isinstance(n, ast.arg)}
    for node in _own_nodes(scope):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Global):
            shared |= {*node.names}
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            found.add(node.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
    return found - shared


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a scope's body, without the insides of scopes within it."""
    body = scope.body if isinstance(scope.body, list) else [scope.body]
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_SCOPES, *_COMPREHENSIONS)):
            waiting.extend(ast.iter_child_nodes(node))


def _form(value: object) -> str:
    """A syntax tree as text, the same in every Python: nothing empty is written."""
    if isinstance(value, list):
        return f"[{', '.join(map(_form, value))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    fields = [(k, v) for k, v in ast.iter_fields(value) if v is not None and v != []]
    inside = ", ".join(f"{name}={_form(part)}" for name, part in fields)
    return f"{type(value).__name__}({inside})"


class _Normal(ast.NodeTransformer):
    """Write statements in their normal form, and note which definitions they use."""

    def __init__(self, sources: Sources, module: Module):
        self.sources, self.module = sources, module
        self.used: set[Definition] = set()
        self.scopes: list[ast.AST] = []
        self.bound: list[set[str]] = []

    def write(self, statement: ast.stmt) -> str:
        """The statement's normal form."""
        return _form(self.visit(copy.deepcopy(statement)))

    # -- names -------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._resolved(node, node, [])

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        root, attributes = node, []
        while isinstance(root, ast.Attribute):
            attributes.insert(0, root.attr)
            root = root.value
        if isinstance(root, ast.Name):
            return self._resolved(node, root, attributes)
        return self.generic_visit(node)

    def _resolved(self, node, root: ast.Name, attributes: list[str]) -> ast.AST:
        """`module.function.rest` becomes `function.rest`, and the function is used."""
        if self._is_bound(root.id):
            return node
        found = self.sources.look_up(self.module, root.id)
        while isinstance(found, Module) and attributes:
            found = self.sources.look_up(found, attributes.pop(0))
        if isinstance(found, Module):  # handed on as it is: all of it may be used
            self.used |= {Definition(found.name, name) for name in found.definitions}
            return ast.Name("module", node.ctx)
        if found is None:
            return node
        self.used.add(found)
        short: ast.expr = ast.Name(found.name, node.ctx)
        for attribute in attributes:
            short = ast.Attribute(short, attribute, node.ctx)
        return short

    def _is_bound(self, name: str) -> bool:
        """Whether a scope binds the name; a class's names are not seen in its methods."""
        return any(
            name in bound
            for scope, bound in zip(self.scopes, self.bound, strict=True)
            if not isinstance(scope, ast.ClassDef) or scope is self.scopes[-1]
        )

    # -- scopes ------------------------------------------------------------------------

    def _visit_scope(self, node: ast.AST) -> ast.AST:
        self.scopes.append(node)
        self.bound.append(_bound(node))
        self.generic_visit(node)
        self.scopes.pop()
        self.bound.pop()
        return node

    visit_Lambda = visit_ListComp = visit_SetComp = _visit_scope
    visit_DictComp = visit_GeneratorExp = _visit_scope

    def visit_FunctionDef(self, node) -> ast.AST:
        node.returns = None
        return self._visit_definition(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._visit_definition(node)

    def _visit_definition(self, node) -> ast.AST:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        self._visit_scope(node)
        node.body = node.body or [ast.Pass()]
        return node

    # -- what says nothing about figures -----------------------------------------------

    def visit_Import(self, node) -> None:
        return None

    visit_ImportFrom = visit_Import

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = ast.Call(node.exc.func, [], [])
        return self.generic_visit(node)
