"""The start command: the course's settings for one JupyterLab, and nobody else's."""

import json
import os
import runpy
from types import SimpleNamespace

import pytest

from courseware import lab
from courseware.places import project_root


@pytest.fixture
def launched(monkeypatch):
    """What JupyterLab would have been started with."""
    from jupyterlab.labapp import LabApp

    calls = []
    monkeypatch.setattr(LabApp, "launch_instance", lambda argv: calls.append(argv))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return calls


def test_jupyterlab_gets_our_settings_and_further_options(launched):
    assert lab.main(["--no-browser", "--port", "8899"]) == 0
    root = f"--ServerApp.root_dir={project_root()}"
    assert launched == [[root, "--no-browser", "--port", "8899"]]
    assert os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0] == str(lab.SETTINGS)


def test_a_folder_of_ones_own_for_jupyterlab_stays(launched):
    mine = "--ServerApp.root_dir=mine"
    assert lab.main([mine]) == 0
    assert launched == [[mine]]


def test_notebooks_are_unpacked_where_one_says_and_nothing_is_overwritten(
    launched, tmp_path, capsys
):
    mine = tmp_path / "mine" / "exercises" / "00_start_here.ipynb"
    mine.parent.mkdir(parents=True)
    mine.write_text("my answers")
    assert lab.main(["--into", str(tmp_path / "mine")]) == 0
    assert launched == [[f"--ServerApp.root_dir={tmp_path.resolve() / 'mine'}"]]
    assert mine.read_text() == "my answers"
    found = {p.relative_to(tmp_path / "mine").as_posix()
             for p in tmp_path.rglob("*.ipynb")}  # fmt: skip
    assert found == {f"{folder}/{path.name}" for folder in ("notebooks", "exercises")
                     for path in (project_root() / folder).glob("*.ipynb")}  # fmt: skip
    assert f"{len(found) - 1} notebooks unpacked" in capsys.readouterr().out


def test_without_a_checkout_it_asks_for_a_folder(launched, monkeypatch):
    monkeypatch.setattr(lab, "is_checkout", lambda: False)
    with pytest.raises(FileNotFoundError, match="course lab --into my_course"):
        lab.main([])
    assert launched == []


def test_a_users_own_jupyter_folders_stay_behind_ours(tmp_path):
    env = lab.lab_environment({"JUPYTER_CONFIG_PATH": "mine"}, cwd=tmp_path)
    assert env["JUPYTER_CONFIG_PATH"] == f"{lab.SETTINGS}{os.pathsep}mine"


def test_a_relative_data_folder_is_seen_from_where_the_command_was_given(tmp_path):
    env = lab.lab_environment({"COURSE_DATA": "folder:a/../photos"}, cwd=tmp_path)
    assert env["COURSE_DATA"] == f"folder:{tmp_path.resolve() / 'photos'}"


def test_an_absolute_data_folder_and_a_name_stay(tmp_path):
    for chosen in (f"folder:{tmp_path.resolve()}", "cells"):
        env = lab.lab_environment({"COURSE_DATA": chosen}, cwd=tmp_path / "other")
        assert env["COURSE_DATA"] == chosen


@pytest.mark.parametrize("name", lab.FOLDERS)
def test_relative_caches_are_seen_from_there_too(name, tmp_path):
    env = lab.lab_environment({name: "cache"}, cwd=tmp_path)
    assert env[name] == str(tmp_path.resolve() / "cache")


def test_the_environment_that_was_given_is_not_changed(tmp_path):
    given = {"COURSE_DATA": "folder:photos"}
    lab.lab_environment(given, cwd=tmp_path)
    assert given == {"COURSE_DATA": "folder:photos"}


def test_settings_open_lesson_00_and_ask_the_network_nothing():
    c = SimpleNamespace(LabApp=SimpleNamespace())
    config = lab.SETTINGS / "jupyter_lab_config.py"
    runpy.run_path(str(config), init_globals={"get_config": lambda: c})
    assert c.LabApp.default_url == "/lab/tree/notebooks/00_start_here.ipynb"
    assert c.LabApp.check_for_updates_class == "jupyterlab.NeverCheckForUpdate"
    overrides = lab.SETTINGS / "labconfig" / "default_setting_overrides.json"
    settings = json.loads(overrides.read_text(encoding="utf-8"))
    notification = settings["@jupyterlab/apputils-extension:notification"]
    assert notification == {"fetchNews": "false", "checkForUpdates": False}
    kernels = settings["@jupyterlab/apputils-extension:kernels-settings"]
    assert kernels == {"commsOverSubshells": "disabled"}
