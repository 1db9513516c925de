"""The widgets' browser side: how modules are joined, and what the static check holds.

The check is deno's (static/deno.json): formatter, linter, and TypeScript's checker with
`strict` less two options. `noImplicitAny` is off, for traits are `any`, and types stand
only where they tell the reader something; `strictNullChecks` is off, for what a class
draws later is undefined in its constructor.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils.widgets.architecture_static import compact
from course_utils.widgets.base import STATIC, asset, script

SCRIPTS = sorted(path.stem for path in STATIC.glob("*.js"))
ENTRIES = [name for name in SCRIPTS if "export default" in asset(f"{name}.js")]
WIDTH = 100


def write_modules(folder, **sources):
    for name, source in sources.items():
        (folder / f"{name}.js").write_text(source, encoding="utf-8")
    return folder


# -- the joiner ------------------------------------------------------------------------


def test_a_script_alone_is_left_as_it_is(tmp_path):
    source = "// @ts-check\nfunction render() {}\n\nexport default { render };\n"
    assert script("entry", write_modules(tmp_path, entry=source)) == source


def test_a_module_follows_what_it_imports_and_stands_once(tmp_path):
    write_modules(
        tmp_path,
        base="export const one = 1;\n",
        middle='import { one } from "./base.js";\nexport const two = one + one;\n',
        entry=(
            'import { two } from "./middle.js";\nimport { one } from "./base.js";\n'
            "export default { render: () => one + two };\n"
        ),
    )
    assert script("entry", tmp_path) == (
        "const one = 1;\n\nconst two = one + one;\n\n"
        "export default { render: () => one + two };\n"
    )


def test_imports_over_several_lines_and_every_kind_of_export_are_joined(tmp_path):
    write_modules(
        tmp_path,
        base=(
            "export const a = 1;\nexport let b = 2;\nexport function c() {}\n"
            "export async function d() {}\nexport class E {}\n"
        ),
        entry='import {\n  a,\n  b,\n  c,\n} from "./base.js";\nexport default { a };\n',
    )
    joined = script("entry", tmp_path)
    assert "import" not in joined
    assert re.findall(r"^export.*", joined, re.MULTILINE) == ["export default { a };"]


def test_an_unknown_module_is_named_with_those_that_lead_to_it(tmp_path):
    entry = 'import { fade } from "./effects.js";\n'
    write_modules(tmp_path, entry=entry)
    with pytest.raises(FileNotFoundError, match=r"effects\.js.*entry\.js → effects"):
        script("entry", tmp_path)


def test_a_name_that_two_modules_declare_is_refused(tmp_path):
    write_modules(
        tmp_path,
        base="function fill() {}\nexport const make = () => fill();\n",
        entry='import { make } from "./base.js";\nconst fill = make();\n',
    )
    with pytest.raises(ValueError, match=r"base\.js and entry\.js both declare `fill`"):
        script("entry", tmp_path)


def test_names_inside_functions_may_repeat(tmp_path):
    write_modules(
        tmp_path,
        base="export function make() {\n  const fill = 1;\n  return fill;\n}\n",
        entry='import { make } from "./base.js";\nconst fill = make();\n',
    )
    assert "const fill = make();" in script("entry", tmp_path)


def test_modules_that_import_each_other_are_refused(tmp_path):
    write_modules(
        tmp_path,
        a='import { b } from "./b.js";\nexport const a = 1;\n',
        b='import { a } from "./a.js";\nexport const b = 1;\n',
    )
    with pytest.raises(ValueError, match=r"each other: a\.js → b\.js → a\.js"):
        script("a", tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        'import * as base from "./base.js";',
        'import { make as build } from "./base.js";',
        'import make from "./base.js";',
        'import "./base.js";',
        'import { make } from "https://example.org/base.js";',
        "export { make };",
        'export * from "./base.js";',
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path, line):
    write_modules(tmp_path, base="export const make = 1;\n", entry=line + "\n")
    with pytest.raises(ValueError, match=r"entry\.js: cannot join") as refused:
        script("entry", tmp_path)
    assert line in str(refused.value)


# -- the scripts -----------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_widget_is_joined_without_a_clash(entry):
    joined = script(entry)
    assert joined.endswith("\nexport default { render };\n")
    assert not re.search(r"^import\b", joined, re.MULTILINE)
    assert joined.count("export default") == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_asks_for_the_check(name):
    assert asset(f"{name}.js").startswith("// @ts-check\n")


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.[cj]s*")), ids=lambda p: p.name)
def test_lines_can_be_read_without_scrolling(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    long = [(n, len(line)) for n, line in enumerate(lines, 1) if len(line) > WIDTH]
    assert long == []


@pytest.mark.parametrize("name", ["compact", "compactParts", "plural", "clamp", "gap"])
def test_a_shared_helper_is_declared_once(name):
    declared = re.compile(rf"\b(?:const|let|function) {name}\b *[=(]")
    found = {one for one in SCRIPTS if declared.search(asset(f"{one}.js"))}
    assert found == {"base"}


# -- deno ------------------------------------------------------------------------------


@pytest.fixture
def deno(tmp_path):
    """Runs deno without network; a cache of its own, nothing outside the folder."""
    beside = shutil.which("deno", path=str(Path(sys.executable).parent))
    program = beside or shutil.which("deno")
    if program is None:
        pytest.skip("deno is not installed: pip install -e '.[author]'")
    ours = {"DENO_DIR": str(tmp_path / "deno"), "DENO_NO_UPDATE_CHECK": "1"}

    def run(*arguments, folder=STATIC):
        return subprocess.run(
            [program, *arguments], cwd=folder, env={**os.environ, **ours, "NO_COLOR": "1"},
            capture_output=True, text=True, encoding="utf-8", timeout=120,
        )  # fmt: skip

    return run


@pytest.fixture
def copied(tmp_path):
    return Path(shutil.copytree(STATIC, tmp_path / "static"))


def test_scripts_and_styles_are_formatted(deno):
    done = deno("fmt", "--check")
    assert done.returncode == 0, done.stderr


def test_the_linter_has_no_complaint(deno):
    done = deno("lint")
    assert done.returncode == 0, done.stderr


def test_the_checker_has_no_complaint(deno):
    done = deno("check", "--no-remote", ".")
    assert done.returncode == 0, done.stderr
    assert {f"{name}.js" for name in SCRIPTS} == {*re.findall(r"\w+\.js", done.stderr)}


def test_the_checker_has_no_complaint_about_joined_scripts(deno, copied):
    for entry in ENTRIES:
        (copied / f"{entry}.js").write_text(script(entry), encoding="utf-8")
    done = deno("check", "--no-remote", ".", folder=copied)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("box.append(", "box.apend(", "'apend' does not exist"),
        ("frame(el, label)", "frame(el)", "Expected 2 arguments, but got 1"),
        ("send(model, {", "sent(model, {", "Cannot find name 'sent'"),
        ("makeSwitch, send", "makeSwich, send", "no exported member .*'makeSwich'"),
        ('make("img"', 'make("image"', "'\"image\"' is not assignable"),
        ("image.hidden = ", "image.hidden == ", "eqeqeq"),
    ],
)
def test_mistakes_are_refused(deno, copied, right, wrong, complaint):
    path = copied / "pictures.js"
    source = path.read_text(encoding="utf-8")
    assert right in source
    path.write_text(source.replace(right, wrong), encoding="utf-8")
    runs = [deno("check", "--no-remote", path.name, folder=copied)]
    runs.append(deno("lint", path.name, folder=copied))
    assert any(done.returncode for done in runs)
    assert re.search(complaint, "".join(done.stderr for done in runs))


def test_both_forms_write_numbers_alike(deno, tmp_path):
    counts = [0, 7, 999, 1_000, 9_540, 64_000, 999_999, 11_689_512, 1.81e9, 2.5e13]
    base = (STATIC / "base.js").as_uri()
    source = f"""
        import {{ compact }} from "{base}";
        console.log(JSON.stringify({json.dumps(counts)}.map((n) => compact(n))));
    """
    (tmp_path / "numbers.js").write_text(source, encoding="utf-8")
    done = deno("run", "--no-remote", "--no-config", "numbers.js", folder=tmp_path)
    assert json.loads(done.stdout) == [compact(n) for n in counts], done.stderr
