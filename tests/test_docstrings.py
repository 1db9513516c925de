"""Every public name of the library has an example in its docstring, which runs."""

import doctest
import importlib
import inspect
import pkgutil
import warnings

import matplotlib.pyplot as plt
import pytest
from huggingface_hub import constants

import course_utils
from course_utils import runtime, weights

PACKAGES = {m.name for m in pkgutil.iter_modules(course_utils.__path__) if m.ispkg}
FLAT = {m.name for m in pkgutil.iter_modules(course_utils.__path__)} - PACKAGES
NOT_IMPORTED = {"__main__", "grading"}  # a command, and a word on where the checks are
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public_names(module):
    """What a module says in `__all__`; else what it defines without an underscore."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    own = [n for n, found in vars(module).items() if is_made_in(module, found)]
    return sorted(name for name in own if not name.startswith("_"))


def is_made_in(module, found):
    return is_definition(found) and found.__module__ == module.__name__


def is_definition(found):
    return inspect.isclass(found) or inspect.isroutine(found)


def public(modules):
    """All public functions and classes, by "module.name"."""
    found = {
        f"{short}.{name}": getattr(module, name)
        for short, module in modules.items()
        for name in public_names(module)
    }
    return {name: thing for name, thing in found.items() if is_definition(thing)}


MODULES = {
    short: importlib.import_module(f"course_utils.{short}")
    for short in sorted((PACKAGES | FLAT) - NOT_IMPORTED)
}
PUBLIC = public(MODULES)
DOCUMENTED = MODULES | PUBLIC


def examples_of(name):
    """Doctests of a name's docstring and, of a class, its methods'.

    Nothing is at hand but Python: an example can be copied as it stands.
    """
    thing, globs = DOCUMENTED[name], {"__name__": "__main__"}
    finder = doctest.DocTestFinder(recurse=inspect.isclass(thing))
    return [t for t in finder.find(thing, name, False, globs) if t.examples]


@pytest.fixture(scope="module", autouse=True)
def said_before():
    """What is printed once for each of these weights has been."""
    for name in weights.bundled_names():
        weights.load_backbone(name, weights="bundled")


@pytest.fixture
def new_machine(monkeypatch, tmp_path):
    """An empty working folder, empty caches, no display, seeded generators."""
    plt.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with runtime.generators_kept(), warnings.catch_warnings():
        warnings.filterwarnings("error", module="course_utils|__main__")  # and examples
        runtime.seed_everything(0)
        yield
    plt.close("all")


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_has_an_example(name):
    shown = [example.name for example in examples_of(name)]
    assert name in shown, "show it in its docstring: >>> …"


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_its_examples_are_right(name, new_machine):
    told = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for example in examples_of(name):
        runner.run(example, out=told.append)
    assert not told, "".join(told)
