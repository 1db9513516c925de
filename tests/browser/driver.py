"""Drive the course's JupyterLab in a headless Chromium, as a learner would see it.

    with Lab(folder) as lab, Browser(lab) as browser:
        notebook = browser.open("notebooks/04_feature_extraction.ipynb")
        notebook.run_all()
        assert notebook.errors() == []

What a person sees counts: `ink` measures painted pixels, since an empty picture is in
the page like any other.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as TookTooLong

START, STEP, RUN = 120, 60, 300  # seconds for the server, for a step, for Run All
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome; `CHROMIUM` names one."""
    chosen = os.environ.get("CHROMIUM")
    return chosen or next(filter(None, map(shutil.which, BROWSERS)), None)


class Lab:
    """JupyterLab on 127.0.0.1, by the course's start command, without user folders."""

    def __init__(self, root: Path, *, env: dict[str, str] | None = None):
        self.root, self.env = Path(root).resolve(), env or {}

    def __enter__(self) -> Lab:
        self.home = Path(tempfile.mkdtemp(prefix="lab-"))
        self.log = self.home / "lab.log"
        self.port, self.token = _free_port(), os.urandom(12).hex()
        self.url = f"http://127.0.0.1:{self.port}"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self._command(), env=self._environment(), stdout=log,
                stderr=subprocess.STDOUT, cwd=self.home, start_new_session=True,
            )  # fmt: skip
        try:
            self._wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()  # the server ends its kernels
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own
            self.process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)

    def _command(self) -> list[str]:
        return [
            sys.executable, "-m", "courseware", "lab",
            "--no-browser", "--allow-root", "--expose-app-in-browser",
            f"--ServerApp.root_dir={self.root}", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
        ours = {f"JUPYTER_{name}": str(self.home / name) for name in names}
        lab = ("SETTINGS_DIR", "WORKSPACES_DIR")
        ours |= {f"JUPYTERLAB_{name}": str(self.home / name) for name in lab}
        ours |= {"IPYTHONDIR": str(self.home / "ipython")}
        return {**os.environ, **ours, **self.env}

    def get(self, path: str) -> bytes:
        """Ask the server."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def _wait_until_up(self) -> None:
        end = time.monotonic() + START
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.get("/api/status")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")


class Browser:
    """Chromium with an empty profile; notes errors, and requests to elsewhere."""

    def __init__(self, lab: Lab, *, size: tuple[int, int] = (1280, 800)):
        self.lab, self.size = lab, size
        self.errors: list[str] = []
        self.external: list[str] = []

    def __enter__(self) -> Browser:
        self.playwright = sync_playwright().start()
        try:
            self.chromium = self.playwright.chromium.launch(
                executable_path=find_chromium(), args=list(QUIET)
            )
        except BaseException:
            self.playwright.stop()
            raise
        width, height = self.size
        self.context = self.chromium.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        self.context.set_default_timeout(STEP * 1000)
        self.context.on("request", self._note_request)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)[:500]))
        self.page.on("console", self._note_message)
        return self

    def __exit__(self, *_: object) -> None:
        self.chromium.close()
        self.playwright.stop()

    def _note_request(self, request) -> None:
        ours = (self.lab.url, "ws" + self.lab.url[4:], "data:", "blob:")
        if not request.url.startswith(ours):
            self.external.append(request.url[:200])

    def _note_message(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text[:500])

    def start(self) -> None:
        """Open what the server opens by itself."""
        self.page.goto(f"{self.lab.url}/?token={self.lab.token}")

    def open(self, path: str) -> Notebook:
        """Open a notebook and wait until its kernel is idle."""
        if self.page.url.startswith(self.lab.url):
            self.page.evaluate(
                "path => void jupyterapp.commands.execute('docmanager:open', {path})",
                path,
            )
        else:
            place = f"{self.lab.url}/lab/tree/{path}?token={self.lab.token}&reset"
            self.page.goto(place)
        return self.notebook(path)

    def notebook(self, path: str) -> Notebook:
        """Return a notebook that is being opened, once its kernel is idle."""
        notebook = Notebook(self.page, path)
        notebook.wait_ready()
        return notebook


# In the page. The panel of an open notebook, by its path:
PANEL = """const panel = [...(window.jupyterapp?.shell.widgets('main') ?? [])]
  .find(w => w.context?.path === path && w.content?.widgets);"""
# Messages to the kernel that have no idle status yet, and when the last one passed:
WATCH = """const kernel = panel.context.sessionContext.session.kernel;
  window.driven ??= {};
  if (window.driven[path]?.id === kernel.id) return;
  const state = window.driven[path] = {id: kernel.id, pending: new Set(), last: 0};
  kernel.anyMessage.connect((_, {msg, direction}) => {
    state.last = performance.now();
    if (direction === 'send' && msg.channel === 'shell')
      state.pending.add(msg.header.msg_id);
    if (msg.header.msg_type === 'status' && msg.content.execution_state === 'idle')
      state.pending.delete(msg.parent_header.msg_id);
  });"""
READY = """const session = panel.context.sessionContext;
  return panel.context.isReady && session.isReady
    && session.session?.kernel?.status === 'idle';"""
SETTLED = """const state = window.driven[path];
  return state.pending.size === 0 && performance.now() - state.last > 100
    && [...panel.content.widgets].every(c => c.model.type !== 'code'
         || (c.model.executionState !== 'running' && c.prompt !== '*'));"""
ALL_RAN = """const code = [...panel.content.widgets].map(c => c.model)
    .filter(m => m.type === 'code' && m.sharedModel.source.trim());
  return code.every(m => m.executionCount)
    || code.some(m => m.outputs.toJSON().some(o => o.output_type === 'error'));"""
CLEAR = """for (const c of panel.content.widgets)
  if (c.model.type === 'code') c.model.clearExecution();"""
OUTPUTS = """return [...panel.model.cells].map(
  c => c.type === 'code' ? c.outputs.toJSON() : []);"""
SOURCES = "return [...panel.model.cells].map(c => c.sharedModel.source);"
COUNT = "return panel.content.widgets[args.index].model.executionCount;"


class Notebook:
    """An open notebook; cells are counted from 0, text cells included."""

    def __init__(self, page: Page, path: str):
        self.page, self.path = page, path
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    # -- looking -----------------------------------------------------------------------

    def cell(self, index: int) -> Locator:
        """Return a cell, scrolled to: what is out of view is not painted."""
        cell = self.panel.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')
        cell.scroll_into_view_if_needed()
        return cell

    def output(self, index: int) -> Locator:
        """Return a cell's output, scrolled to."""
        output = self.cell(index).locator(".jp-Cell-outputWrapper")
        output.scroll_into_view_if_needed()
        return output

    def outputs(self) -> list[list[dict]]:
        """Return the outputs of each cell, from the notebook's model."""
        return self._ask(OUTPUTS)

    def errors(self) -> list[str]:
        """Return the error outputs of all cells."""
        every = [output for outputs in self.outputs() for output in outputs]
        errors = [output for output in every if output["output_type"] == "error"]
        return [f"{error['ename']}: {error['evalue']}" for error in errors]

    def find(self, text: str) -> int:
        """Return the index of the only cell whose source holds a text."""
        sources = self._ask(SOURCES)
        (index,) = [i for i, source in enumerate(sources) if text in source]
        return index

    def figures(self) -> list[int]:
        """Return the indices of cells that show a picture."""
        return [
            index
            for index, outputs in enumerate(self.outputs())
            if any("image/png" in output.get("data", {}) for output in outputs)
        ]

    # -- doing -------------------------------------------------------------------------

    def menu(self, *labels: str) -> None:
        """Choose from the menu bar, as a person does."""
        bar = self.page.locator(".lm-MenuBar-item")
        bar.get_by_text(labels[0], exact=True).click()
        items = self.page.locator(".lm-Menu-itemLabel:visible")
        for label in labels[1:]:
            items.get_by_text(label, exact=True).click()

    def run_all(self) -> None:
        """Run all cells by the menu; return when all, or a broken one, are done."""
        self._ask(CLEAR)
        self.menu("Run", "Run All Cells")
        self._wait(ALL_RAN, seconds=RUN)
        self.wait_settled(seconds=RUN)

    def run_cell(self, index: int) -> None:
        """Run one cell by Shift+Enter, and wait for it."""
        before = self._ask(COUNT, index=index)
        self.cell(index).locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Shift+Enter")
        changed = (
            COUNT.replace("return ", "const now = ")
            + "return now && now !== args.before;"
        )
        self._wait(changed, index=index, before=before)
        self.wait_settled()

    def write(self, index: int, source: str) -> None:
        """Replace the text of a cell, by the keyboard."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)
        self._wait(
            "return panel.content.widgets[args.index].model.sharedModel.source"
            " === args.source;",
            index=index,
            source=source,
        )

    # -- waiting -----------------------------------------------------------------------

    def wait_ready(self) -> None:
        """Wait for the document, its kernel, and the end of the splash screen."""
        self._wait(READY)
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)
        expect(self.panel.locator(".jp-Cell").first).to_be_visible()
        self._ask(WATCH)

    def wait_settled(self, *, seconds: float = STEP) -> None:
        """Wait until no cell runs and the kernel has answered every message."""
        self._wait(SETTLED, seconds=seconds)

    def _ask(self, body: str, **args):
        code = f"args => {{ const path = args.path; {PANEL} {body} }}"
        return self.page.evaluate(code, {"path": self.path, **args})

    def _wait(self, body: str, *, seconds: float = STEP, **args) -> None:
        found = f"{PANEL} if (!panel) return false; {body}"
        code = f"args => {{ const path = args.path; {found} }}"
        try:
            self.page.wait_for_function(
                code, arg={"path": self.path, **args}, timeout=seconds * 1000
            )
        except TookTooLong:
            dialogs = self.page.locator(".jp-Dialog-content").all_inner_texts()
            raise TimeoutError(
                f"{self.path}: not within {seconds} s: {body}\ndialogs: {dialogs}"
            ) from None


def ink(shown: Locator) -> float:
    """Return the share of painted pixels unlike the most frequent: 0 is blank."""
    shown.scroll_into_view_if_needed()
    picture = Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
    area = picture.width * picture.height
    return 1 - max(count for count, _ in picture.getcolors(area)) / area


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
