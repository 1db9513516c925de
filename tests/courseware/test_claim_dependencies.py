"""What a claim depends on: found from the sources, whatever moves about them."""

import re
import shutil
from pathlib import Path

import pytest

import course_utils
import courseware
from courseware.claims.dependencies import Definition, Sources
from courseware.claims.stored import PROTOCOLS, current_hashes

PACKAGES = (course_utils, courseware)
TRAINS = {"C2", "C3", "C5", "C6", "C7", "C8", "C9", "C11", "C13", "C16"}


@pytest.fixture
def copies(tmp_path):
    """A copy of the packages' sources, {"package": folder}."""
    found = {}
    for package in PACKAGES:
        found[package.__name__] = tmp_path / package.__name__
        shutil.copytree(
            package.__path__[0],
            found[package.__name__],
            ignore=lambda folder, names: [
                n for n in names
                if (Path(folder) / n).is_file() and not n.endswith(".py")
            ],
        )  # fmt: skip
    return found


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def edit_all(copies, pattern, new):
    for folder in copies.values():
        for path in folder.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(pattern, new, text), encoding="utf-8")


def stale(copies):
    sources = Sources(copies)
    return {
        id for id, protocol in PROTOCOLS.items()
        if current_hashes(protocol, sources=sources) != current_hashes(protocol)
    }  # fmt: skip


def test_an_unchanged_copy_makes_nothing_stale(copies):
    assert stale(copies) == set()


def test_a_broken_training_loop_makes_every_claim_that_trains_stale(copies):
    path = copies["course_utils"] / "training" / "updates.py"
    edit(path, "self._optimizer.zero_grad()", "pass")
    assert stale(copies) == TRAINS


def test_what_the_pictures_are_made_of_concerns_all_that_load_them(copies):
    path = copies["course_utils"] / "datasets" / "bundled.py"
    edit(path, "TILE = 64", "TILE = 63")
    assert stale(copies) == PROTOCOLS.keys() - {"C12", "C15"}


def test_a_function_that_no_measurement_reaches_makes_none_stale(copies):
    path = copies["course_utils"] / "lr_finder.py"
    edit(path, "0.9 * mean + 0.1 * loss", "0.8 * mean + 0.2 * loss")
    assert stale(copies) == set()


def test_texts_for_people_make_none_stale(copies):
    training = copies["course_utils"] / "training"
    edit(training / "epoch.py", '"""Train for one pass', '"""Go once')
    edit(training / "updates.py", "the step's loss has no gradient", "no gradient")
    assert stale(copies) == set()


def test_a_renamed_module_makes_none_stale(copies):
    folder = copies["course_utils"]
    (folder / "probe.py").rename(folder / "probing.py")
    edit_all(copies, r"course_utils\.probe\b", "course_utils.probing")
    assert stale(copies) == set()


def test_a_moved_function_makes_none_stale(copies):
    training, runtime = (copies["course_utils"] / f"{m}.py" for m in
                         ("training/batches", "runtime"))  # fmt: skip
    text = training.read_text(encoding="utf-8")
    found = re.search(r"def range_of\(.*?\n\n\n", text, re.DOTALL).group()
    needed = "from torch import Tensor\n"
    training.write_text(
        text.replace(found, "from course_utils.runtime import range_of\n\n\n"),
        encoding="utf-8",
    )
    with runtime.open("a", encoding="utf-8") as file:
        file.write(f"\n\n{needed}{found}")
    assert stale(copies) == set()


# -- the rules, on small sources ---------------------------------------------------------


def package(folder, **modules):
    folder.mkdir(exist_ok=True)
    for name, text in {"__init__": "", **modules}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return Sources({"p": folder})


def reached(tmp_path, **modules):
    found = package(tmp_path / "p", **modules).reached(Definition("p.a", "f"))
    return {f"{d.module.removeprefix('p.')}.{d.name}" for d in found}


def form(tmp_path, **modules):
    return package(tmp_path / "p", **modules).fingerprint(Definition("p.a", "f"))


B = "def g(): return h()\ndef h(): return 1\ndef other(): return 2\nN = [1]\n"


@pytest.mark.parametrize(
    "a",
    [
        "from p.b import g\ndef f(): return g()",
        "from .b import g as k\ndef f(): return k()",
        "from p import b\ndef f(): return b.g()",
        "import p.b\ndef f(): return p.b.g()",
        "import p.b as c\ndef f(): return c.g()",
        "def f():\n    from p.b import g\n    return g()",
        "from p.b import g\nclass C:\n    def m(self): return g()\ndef f(): return C()",
        "from p.b import g\nTABLE = {1: g}\ndef f(): return TABLE[1]()",
        "from p.b import g\n@g\ndef f(): return 1",
        "from p.b import g\ndef f(x=g): return x",
        "from p.b import g\ndef f(): return [g(x) for x in (1, 2)]",
        "if True:\n    from p.b import g\ndef f(): return lambda: g()",
    ],
)
def test_a_used_function_is_found_and_what_it_uses(tmp_path, a):
    assert {"a.f", "b.g", "b.h"} <= reached(tmp_path, a=a, b=B)
    assert "b.other" not in reached(tmp_path, a=a, b=B)


def test_all_ways_to_import_a_function_are_one_form(tmp_path):
    ways = [
        "from p.b import g\ndef f(): return g()",
        "from p.b import g as k\ndef f(): return k()",
        "from p import b\ndef f(): return b.g()",
        "import p.b\ndef f(): return p.b.g()",
    ]
    assert len({form(tmp_path, a=a, b=B) for a in ways}) == 1


@pytest.mark.parametrize(
    "a",
    [
        "from p.b import g\ndef f(g): return g()",
        "from p.b import g\ndef f():\n    g = 1\n    return g",
        "from p.b import g\ndef f(x): return [g for g in x]",
        "from p.b import g\ndef f(x: g) -> g: return x",
        "from p.b import g\ndef f(): raise ValueError(g())",
        "from p.b import g\nclass C:\n    g = 1\n    k = g\ndef f(): return C",
    ],
)
def test_a_name_of_its_own_an_annotation_or_a_text_is_no_use(tmp_path, a):
    assert "b.g" not in reached(tmp_path, a=a, b=B)


def test_a_class_hides_nothing_from_its_methods(tmp_path):
    a = "from p.b import g\nclass C:\n    g = 1\n    def m(self): return g()\n"
    assert "b.g" in reached(tmp_path, a=a + "def f(): return C", b=B)


def test_a_name_is_followed_through_a_package(tmp_path):
    a = "from p import sub\ndef f(): return sub.g()"
    sources = package(tmp_path / "p", a=a, b=B)
    package(tmp_path / "p" / "sub", inner="from p.b import g")
    (tmp_path / "p/sub/__init__.py").write_text("from p.sub.inner import g\n")
    assert Definition("p.b", "g") in sources.reached(Definition("p.a", "f"))


def test_a_module_handed_on_whole_is_used_whole(tmp_path):
    a = "from p import b\ndef f(): return vars(b)"
    assert {"b.g", "b.h", "b.other", "b.N"} <= reached(tmp_path, a=a, b=B)


def test_a_changed_constant_or_helper_is_noticed(tmp_path):
    a = "from p.b import g, N\ndef f(): return g(), N"
    before = form(tmp_path, a=a, b=B)
    assert form(tmp_path, a=a, b=B.replace("[1]", "[2]")) != before
    assert form(tmp_path, a=a, b=B.replace("return 1", "return 3")) != before
    assert form(tmp_path, a=a, b=B.replace("return 2", "return 3")) == before
