"""A JupyterLab with a copy of the notebooks, and a browser, for all browser tests."""

import shutil

import pytest

from courseware.places import project_root


def pytest_collect_file():
    """Skip this folder where the author's tools are not installed."""
    pytest.importorskip("playwright", reason="no Playwright, an author's tool")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    from tests.browser.driver import Lab, find_chromium

    if find_chromium() is None:
        pytest.skip("no Chromium: install one, or set CHROMIUM to the path of a Chrome")
    folder = tmp_path_factory.mktemp("course")
    for name in ("notebooks", "exercises"):  # JupyterLab saves what it has open
        shutil.copytree(
            project_root() / name, folder / name, ignore=shutil.ignore_patterns(".*")
        )
    with Lab(folder) as started:
        yield started


@pytest.fixture
def browser(lab):
    from tests.browser.driver import Browser

    with Browser(lab) as opened:
        yield opened
