"""A JupyterLab with a copy of the notebooks, and a browser, for all browser tests."""

import os
import shutil

import pytest

from courseware.places import project_root
from tests.browser.driver import Browser, Lab, find_chromium


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    if find_chromium() is None:
        lacking = "no Chromium: install one, or set CHROMIUM to the path of a Chrome"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lacking)
    folder = tmp_path_factory.mktemp("course")
    for name in ("notebooks", "exercises"):  # JupyterLab saves what it has open
        shutil.copytree(
            project_root() / name, folder / name, ignore=shutil.ignore_patterns(".*")
        )
    with Lab(folder) as started:
        yield started


@pytest.fixture
def browser(lab):
    with Browser(lab) as opened:
        yield opened
