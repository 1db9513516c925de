import hashlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save
from torchvision import models

from course_utils import fetch as fetching
from course_utils.errors import UnknownModel, WeightsUnavailable
from course_utils.fetch import fetch
from course_utils.weights import imagenet_is_cached, load_backbone
from courseware import __main__ as cli
from courseware import fetch as command

TIMM = "test_resnet.r160_in1k"
COMMIT = "c0ffee" * 6 + "abcd"


class _Server:
    """A hub and torchvision's host in one, on 127.0.0.1; `mode` is how it answers."""

    def __init__(self):
        self.bodies: dict[str, bytes] = {}
        self.mode, self.asked = "well", []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                server.answer(self, False)

            def do_GET(self):
                server.answer(self, True)

            def log_message(self, *_):
                """Stay silent."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, request, with_body):
        self.asked.append((request.command, request.path))
        body = self.bodies.get(request.path)
        if body is None:
            request.send_error(404)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("X-Repo-Commit", COMMIT)
        if self.mode != "no checksum":
            request.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        request.end_headers()
        if with_body:
            cut = {
                "cut short": body[:-1000],
                "changed": body[:-1] + bytes([body[-1] ^ 1]),
            }
            request.wfile.write(cut.get(self.mode, body))


@pytest.fixture(scope="module")
def running():
    server = _Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def server(running, timm_file, torchvision_file):
    running.mode, running.asked = "well", []
    running.bodies = {
        "/timm/test_resnet.r160_in1k/resolve/main/model.safetensors": timm_file,
        torchvision_file.path: torchvision_file.body,
    }
    return running


@pytest.fixture(scope="module")
def timm_file():
    return save(timm.create_model("test_resnet").state_dict())


@pytest.fixture(scope="module")
def torchvision_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "net.pth"
    torch.save(models.squeezenet1_1().state_dict(), path)
    body = path.read_bytes()
    name = f"squeezenet1_1-{hashlib.sha256(body).hexdigest()[:8]}.pth"
    return SimpleNamespace(body=body, name=name, path=f"/models/{name}")


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch, torchvision_file):
    """Empty caches, and a torchvision whose squeezenet1_1 is the file made above."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    member = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    url = f"https://download.pytorch.org{torchvision_file.path}"
    fake = SimpleNamespace(
        url=url, name=member.name, meta=member.meta, transforms=member.transforms
    )
    for module in ("course_utils.fetch", "course_utils.weights.released"):
        monkeypatch.setattr(f"{module}.torchvision_weights", lambda *_: [fake])
    return tmp_path


def _files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_timm_weights_land_where_timm_loads_them_from(server, timm_file):
    path = fetch([TIMM], mirror=server.url, progress=False)[TIMM]
    assert path.read_bytes() == timm_file
    model = load_backbone(TIMM, weights="imagenet")
    assert model.weights_info.path == path
    expected = save(model.state_dict())
    assert hashlib.sha256(expected).digest() == hashlib.sha256(timm_file).digest()


def test_torchvision_weights_land_where_torchvision_loads_them_from(
    server, torchvision_file, caches
):
    path = fetch(["squeezenet1_1"], mirror=server.url, progress=False)["squeezenet1_1"]
    folder = caches / "torch" / "hub" / "checkpoints"
    assert path == folder / torchvision_file.name
    assert _files(folder) == [torchvision_file.name]
    info = load_backbone("squeezenet1_1", weights="imagenet").weights_info
    assert info.source == f"torchvision IMAGENET1K_V1, {torchvision_file.name}"


@pytest.mark.parametrize("name", [TIMM, "squeezenet1_1"])
def test_what_is_cached_is_not_downloaded_again(server, name, capsys):
    fetch([name], mirror=server.url, progress=False)
    server.asked.clear()
    capsys.readouterr()
    fetch([name], mirror=server.url)
    assert server.asked == []
    assert f"{name}: already here" in capsys.readouterr().out


def test_the_size_is_said_before_the_download(server, capsys, timm_file):
    fetch([TIMM], mirror=server.url, progress=False)
    size = len(timm_file) / 1e6
    assert f"{TIMM}: fetching {size:.1f} MB" in capsys.readouterr().out


def test_a_text_is_one_name(server, timm_file):
    assert (
        fetch(TIMM, mirror=server.url, progress=False)[TIMM].read_bytes() == timm_file
    )


def test_how_much_there_is_to_fetch_is_said_first_and_where_it_went_last(
    server, capsys, timm_file, torchvision_file
):
    fetch([TIMM, "squeezenet1_1"], mirror=server.url, progress=False)
    first, *_, last = capsys.readouterr().out.strip().split("\n")
    total = (len(timm_file) + len(torchvision_file.body)) / 1e6
    said = float(first.partition("2 files to fetch, about ")[2].split()[0])
    assert said == pytest.approx(total, rel=0.02)
    assert last.startswith("squeezenet1_1: in ") and torchvision_file.name in last


def test_the_size_is_known_without_a_network(server, timm_file):
    assert fetching.expected_size(TIMM) == pytest.approx(len(timm_file), rel=0.02)
    assert server.asked == []


def test_it_goes_on_after_a_model_that_fails_and_reports_it_at_the_end(
    server, torchvision_file, caches
):
    del server.bodies["/timm/test_resnet.r160_in1k/resolve/main/model.safetensors"]
    with pytest.raises(WeightsUnavailable, match=f"could not fetch {TIMM}. Try again"):
        fetch([TIMM, "squeezenet1_1"], mirror=server.url, progress=False)
    assert _files(caches) == [torchvision_file.name]


def test_without_a_network_the_first_sentence_says_what_to_do(caches):
    with pytest.raises(WeightsUnavailable) as error:
        fetch([TIMM, "squeezenet1_1"], mirror="http://127.0.0.1:9", progress=False)
    first, *details = str(error.value).split("\n")
    assert first.startswith(
        f"could not fetch {TIMM}, squeezenet1_1. This machine reached"
    )
    assert "connect it" in first and "http" not in first and str(caches) not in first
    places = ("hub/models--timm--test_resnet.r160_in1k", "torch/hub/checkpoints")
    assert all(str(caches / p) in d for p, d in zip(places, details[1:3], strict=True))


def test_weights_that_are_not_on_timms_hub_can_be_loaded_by_path(server):
    with pytest.raises(
        WeightsUnavailable, match="load it by weights=path, from .*github.com"
    ):
        fetch("gcvit_base.in1k", mirror=server.url)


def test_the_mirror_can_come_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("COURSE_MIRROR", server.url + "/")
    fetch(["squeezenet1_1"], progress=False)
    assert imagenet_is_cached("squeezenet1_1")


@pytest.mark.parametrize("name", [TIMM, "squeezenet1_1"])
@pytest.mark.parametrize("mode", ["cut short", "changed"])
def test_a_damaged_download_leaves_nothing(server, name, mode, caches):
    server.mode = mode
    start = time.perf_counter()
    with pytest.raises(WeightsUnavailable) as error:
        fetch([name], mirror=server.url, progress=False)
    assert time.perf_counter() - start < 3
    assert "arrived cut short or changed" in str(error.value)
    assert _files(caches) == []
    assert not imagenet_is_cached(name)


@pytest.mark.parametrize("name", [TIMM, "squeezenet1_1"])
@pytest.mark.parametrize("trouble", ["404", "refused"])
def test_no_file_and_no_server_are_said_quickly(server, name, trouble, caches):
    server.bodies = {}
    mirror = server.url if trouble == "404" else "http://127.0.0.1:9"
    start = time.perf_counter()
    with pytest.raises(WeightsUnavailable) as error:
        fetch([name], mirror=mirror, progress=False)
    assert time.perf_counter() - start < 3
    for words in (name, trouble, "COURSE_MIRROR", 'weights="random"'):
        assert words in str(error.value)
    assert _files(caches) == []


def test_a_host_without_a_name_is_said_quickly(caches):
    start = time.perf_counter()
    with pytest.raises(WeightsUnavailable, match="could not fetch"):
        fetch([TIMM], mirror="http://no-such-host.invalid", progress=False)
    assert time.perf_counter() - start < 3


def test_a_network_that_swallows_everything_is_said_quickly(caches, monkeypatch):
    asleep = threading.Event()

    def lost(*address, **options):
        asleep.wait(20)
        raise OSError("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", lost)
    start = time.perf_counter()
    with pytest.raises(WeightsUnavailable, match="huggingface.co does not answer"):
        fetch([TIMM], mirror="https://huggingface.co", progress=False)
    assert time.perf_counter() - start < 3
    asleep.set()


def test_offline_mode_is_respected(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsUnavailable, match="ffline"):
        fetch([TIMM], mirror=server.url, progress=False)
    assert server.asked == []


def test_a_server_without_a_checksum_is_refused(server, caches):
    server.mode = "no checksum"
    with pytest.raises(WeightsUnavailable, match="commit and SHA-256"):
        fetch([TIMM], mirror=server.url, progress=False)
    assert _files(caches) == []


def test_an_unknown_name_stops_before_any_download(server):
    with pytest.raises(UnknownModel, match="resnet18"):
        fetch([TIMM, "resnet1888"], mirror=server.url)
    assert server.asked == []


@pytest.mark.parametrize("names", [None, 3, [None]])
def test_names_that_are_no_texts_are_refused(names):
    with pytest.raises(TypeError, match='a name is a text, such as "resnet18"'):
        fetch(names)


def test_a_mistake_in_the_program_is_not_called_a_failed_download(monkeypatch, server):
    def broken(url):
        raise TypeError("a bug")

    monkeypatch.setattr(fetching, "_ask_hub", broken)
    with pytest.raises(TypeError, match="a bug"):
        fetch([TIMM], mirror=server.url)


def test_every_name_of_the_list_has_weights_to_fetch(monkeypatch):
    monkeypatch.undo()
    for name in command.FETCH_LIST:
        library, model_name, tag = fetching.parse_name(name)
        if library == "timm":
            assert fetching.timm_config(model_name, tag).hf_hub_id == f"timm/{name}"
        else:
            checksum = fetching.torchvision_weights(model_name)[0].url[-12:-4]
            assert int(checksum, 16)


def test_main_fetches_the_list_by_default(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "fetch", lambda names, **_: asked.append(names))
    assert command.main([]) == 0 and asked == [command.FETCH_LIST]


def test_main_fetches_data_alone(monkeypatch, capsys):
    monkeypatch.setattr(command, "fetch", None)
    monkeypatch.setattr(command, "fetch_dataset", lambda name: f"/there/{name}")
    assert command.main(["--data", "imagenette", "eurosat"]) == 0
    assert "eurosat: in /there/eurosat" in capsys.readouterr().out


def test_the_command_says_what_failed_and_returns_1(server, capsys):
    server.bodies = {}
    assert cli.main(["fetch", TIMM, "--mirror", server.url]) == 1
    assert f"could not fetch {TIMM}" in capsys.readouterr().err
