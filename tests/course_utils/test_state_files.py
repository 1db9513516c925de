"""Files of weights by other hands: what wrote them, what is in them, what is refused."""

import os
import zipfile
from argparse import Namespace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torchvision import models

from course_utils.checkpoints import save_checkpoint
from course_utils.errors import CheckpointError, DamagedCheckpoint
from course_utils.heads import replace_head
from course_utils.state_files import compare_state, load_state, pick_state, read_file
from course_utils.weights import load_backbone

NET = "test_resnet"


@pytest.fixture(scope="module")
def net():
    """A net with 5 classes, each number its own."""
    torch.manual_seed(0)
    model = timm.create_model(NET, num_classes=5).eval()
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    return model


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.pth"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        return path

    return write


def _same(found, expected):
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        return torch.equal(found.eval()(images), expected.eval()(images))


def _prefixed(state, prefix):
    return {prefix + key: tensor for key, tensor in state.items()}


# -- what a file is ------------------------------------------------------------------

PAGE = b"\n<!DOCTYPE html>\n<html><body>404: Not found</body></html>" * 20
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 102\n"
NO_WEIGHTS = {
    "a web page": (PAGE, "is a web page, not weights"),
    "a pointer": (POINTER, "is a pointer of git-lfs.*git lfs pull"),
    "zeros": (bytes(5000), "nothing but 5,000 zero bytes"),
    "empty": (b"", "is empty"),
    "one byte": (b"x", r"no file of weights.*\(1 bytes\)"),
    "one byte of a pickle": (b"\x80", "damaged or cut short"),
    "chance": (np.random.default_rng(1).bytes(5000), "no file of weights"),
    "an error in JSON": (b'{"error": "not found"}', "no file of weights"),
    "the start of a pickle": (b"\x80\x02" + bytes(range(200, 250)), "damaged"),
}


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("what", NO_WEIGHTS)
def test_what_is_no_weights_is_called_what_it_is(write, what, ending):
    data, words = NO_WEIGHTS[what]
    path = write(data, f"a{ending}")
    with pytest.raises(DamagedCheckpoint, match=rf"a{ending} .*{words}"):
        load_backbone(NET, weights=path)


def test_a_zip_of_something_else_is_named(tmp_path):
    for member in ("a.npy", "x/constants.pkl"):
        path = tmp_path / "a.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, "x" * 100)
        with pytest.raises(DamagedCheckpoint, match="archive of something else"):
            read_file(path)


def test_the_contents_decide_not_the_ending(tmp_path, write, net):
    save_file(net.state_dict(), tmp_path / "a.pth")
    assert _same(load_backbone(NET, weights=tmp_path / "a.pth"), net)
    assert _same(
        load_backbone(NET, weights=write(net.state_dict(), "a.safetensors")), net
    )


def test_a_changed_bit_never_gives_other_weights(write):
    path = write({"w": torch.rand(50), "v": torch.rand(3)})
    data, expected = path.read_bytes(), read_file(path)
    for place in np.random.default_rng(0).integers(0, len(data), 120):
        changed = bytearray(data)
        changed[place] ^= 16
        try:
            found = read_file(write(bytes(changed)))
        except CheckpointError:
            continue
        assert all(torch.equal(found[key], expected[key]) for key in expected)


# -- wrappers ------------------------------------------------------------------------

WRAPPED = {
    "torch.compile": lambda m, s: _prefixed(s, "_orig_mod."),
    "compile and DDP": lambda m, s: _prefixed(s, "_orig_mod.module."),
    "DataParallel": lambda m, s: nn.DataParallel(m).state_dict(),
    "AveragedModel": lambda m, s: AveragedModel(m).state_dict(),
    "Lightning": lambda m, s: {
        "state_dict": _prefixed(s, "model.") | {"criterion.weight": torch.ones(5)},
        "epoch": 3,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}],
    },
    "model_state_dict": lambda m, s: {"model_state_dict": s, "loss": torch.tensor(1.0)},
    "net in state": lambda m, s: {"state": {"net": _prefixed(s, "module.")}},
    "ema": lambda m, s: {"ema": _prefixed(s, "module.")},
    "a backbone": lambda m, s: _prefixed(s, "backbone.") | {"heads.x": torch.ones(1)},
}


@pytest.mark.parametrize("what", WRAPPED)
def test_what_wrappers_write_comes_off_with_a_word(what, net, write, capsys):
    path = write(WRAPPED[what](net, net.state_dict()), f"{what.replace(' ', '')}.pth")
    model = load_backbone(NET, weights=path)
    assert _same(model, net)
    said = capsys.readouterr().out
    assert "taken off" in said or "its '" in said
    assert model.weights_info.source in said


def test_the_checkpoint_of_a_run_gives_its_model_not_a_callbacks(net, tmp_path):
    class Best:
        def state_dict(self):
            return {"weights": {k: v * 0 for k, v in net.state_dict().items()}}

        def load_state_dict(self, state_dict):
            raise AssertionError("only its model is asked for")

    path = save_checkpoint(tmp_path / "a.pt", model=net, epoch=1, callbacks=[Best()])
    assert _same(load_backbone(NET, weights=path), net)


def test_a_running_average_comes_first_and_what_is_left_is_said(net, write):
    other = {key: tensor * 0 for key, tensor in net.state_dict().items()}
    for key, average in (("state_dict", "state_dict_ema"), ("model", "model_ema")):
        path = write({key: other, average: net.state_dict()})
        model = load_backbone(NET, weights=path)
        assert _same(model, net)
        assert f"its {average!r}; not its {key!r}" in model.weights_info.source


@pytest.mark.parametrize("nested", [True, False])
def test_two_that_fit_are_not_guessed_at(net, write, nested):
    state = net.state_dict()
    content = {"student": state, "teacher": state}
    if not nested:
        content = {f"{k}.{n}": t for k, s in content.items() for n, t in s.items()}
    with pytest.raises(CheckpointError, match="several sets .*'student.*'teacher"):
        load_backbone(NET, weights=write(content))


def test_a_file_of_another_net_is_refused_however_its_names_end(write):
    path = write({"model": models.densenet121().state_dict()})
    with pytest.raises(CheckpointError, match="does not fit ResNet: 102 keys missing"):
        load_backbone("resnet18", weights=path)


def test_versions_of_modules_survive_a_prefix():
    saved = nn.Sequential(models.mnasnet0_5())
    state, words = pick_state(models.mnasnet0_5(), saved.state_dict(), source="a")
    assert words == ["prefix '0.' taken off"]
    assert load_state(models.mnasnet0_5(), state, source="a") == []


# -- heads ---------------------------------------------------------------------------


def test_a_file_without_a_head_gives_a_net_without_one_with_a_word(net, write):
    body = {k: v for k, v in net.state_dict().items() if not k.startswith("fc.")}
    model = load_backbone(NET, weights=write(body))
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, model.num_features)
    assert "it holds no head" in model.weights_info.source
    assert load_backbone(NET, weights=write(body), num_classes=0).num_classes == 0
    classifier = load_backbone(NET, weights=write(body), num_classes=3)
    assert classifier(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert torch.equal(classifier.conv1[0].weight, net.conv1[0].weight)


def test_a_part_of_a_head_is_not_taken_for_none(net, write):
    state = {k: v for k, v in net.state_dict().items() if k != "fc.bias"}
    with pytest.raises(CheckpointError, match="1 keys missing, such as fc.bias"):
        load_backbone(NET, weights=write(state))


def test_a_head_of_another_make_is_left_out_for_a_new_one(write):
    saved = replace_head(models.resnet18(), 5, hidden=8)
    path = write(saved.state_dict())
    with pytest.raises(CheckpointError, match="Only the head differs.*num_classes=N"):
        load_backbone("resnet18", weights=path)
    model = load_backbone("resnet18", weights=path, num_classes=3)
    assert "its head left out" in model.weights_info.source
    assert torch.equal(model.layer4[1].conv2.weight, saved.layer4[1].conv2.weight)
    assert model.fc.out_features == 3
    bare = load_backbone("resnet18", weights=path, num_classes=0)
    assert bare(torch.zeros(1, 3, 64, 64)).shape == (1, 512)


def test_a_body_that_differs_is_refused_whatever_the_head(write):
    state = models.resnet18(num_classes=5).state_dict()
    del state["layer1.0.conv1.weight"]
    with pytest.raises(CheckpointError, match="layer1.0.conv1.weight"):
        load_backbone("resnet18", weights=write(state), num_classes=3)


@pytest.mark.parametrize(
    ("name", "aux"), [("googlenet", ("aux1", "aux2")), ("inception_v3", ("AuxLogits",))]
)
def test_a_file_without_auxiliary_classifiers_loads_with_a_word(name, aux, write):
    saved = models.get_model(name, aux_logits=False, init_weights=False)
    saved.transform_input = True
    model = load_backbone(name, weights=write(saved.state_dict()))
    assert "no auxiliary classifiers" in model.weights_info.source
    assert [getattr(model, one) for one in aux] == [None] * len(aux)
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        assert torch.equal(model(images), saved.eval()(images))
    assert not isinstance(model.train()(images), tuple)


def test_an_encoder_without_a_head_takes_its_file(write):
    saved = timm.create_model("vit_small_patch14_dinov2", depth=1, img_size=28)
    model = timm.create_model("vit_small_patch14_dinov2", depth=1, img_size=28)
    assert load_state(model, saved.state_dict(), source="a") == []


def test_a_classifier_is_made_for_a_net_that_comes_without_one(write):
    name, options = "vit_small_patch14_dinov2", {"depth": 1, "img_size": 28}
    saved = timm.create_model(name, num_classes=4, **options)
    model = timm.create_model(name, **options)
    load_state(model, saved.state_dict(), source="a")
    assert torch.equal(model.head.weight, saved.head.weight)


def test_a_file_by_its_authors_is_read_as_timm_reads_it():
    options = {"depth": 1, "img_size": 28}
    saved = timm.create_model("vit_small_patch14_dinov2", **options)
    state = saved.state_dict() | {"mask_token": torch.zeros(1, 384)}
    model = timm.create_model("vit_small_patch14_dinov2", depth=1, img_size=56)
    assert load_state(model, state, source="a") == ["converted as timm does"]
    assert torch.equal(model.blocks[0].mlp.fc1.weight, saved.blocks[0].mlp.fc1.weight)


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"]
)
def test_a_vits_file_for_another_side_builds_it_at_that(name, write):
    saved = timm.create_model(name, img_size=96, num_classes=5).eval()
    model = load_backbone(name, weights=write(saved.state_dict()))
    assert torch.equal(model.pos_embed, saved.pos_embed)
    info = model.weights_info
    assert (info.image_size, info.resize_size) == (96, round(96 * 248 / 224))
    assert "made for 96 px" in info.source


# -- torch's own judgement -----------------------------------------------------------


def test_what_torch_loads_strictly_is_not_refused(write):
    state = models.resnet18().state_dict()
    old = {k: v for k, v in state.items() if "num_batches" not in k}
    models.resnet18().load_state_dict(old)
    assert load_backbone("resnet18", weights=write(old)).conv1 is not None


def test_shapes_that_differ_are_named(write):
    state = timm.create_model(NET).state_dict()
    state["conv1.0.weight"] = torch.zeros(1, 3, 3, 3)
    model = timm.create_model(NET)
    with pytest.raises(
        CheckpointError, match="1 shapes differ, such as conv1.0.weight"
    ):
        load_state(model, state, source="a")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(net, write, value):
    state = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    state["layer2.0.bn1.weight"][1] = value
    with pytest.raises(CheckpointError, match=r"NaN or infinite.*layer2.0.bn1.weight"):
        load_backbone(NET, weights=write(state))


def test_statistics_that_are_no_numbers_are_refused(net, write):
    state = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    state["layer2.0.bn1.running_var"][1] = float("nan")
    with pytest.raises(CheckpointError, match="layer2.0.bn1.running_var"):
        load_backbone(NET, weights=write(state))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_a_wrappers_prefix_is_named_where_it_is_compared(net, prefix):
    assert f'Strip the prefix "{prefix}"' in compare_state(
        net, _prefixed(net.state_dict(), prefix)
    )


def test_what_scripts_save_beside_the_weights_does_no_harm(net, write):
    beside = {"args": Namespace(lr=0.1), "best": np.float64(0.9), "seen": np.int64(3)}
    assert _same(
        load_backbone(NET, weights=write({"model": net.state_dict()} | beside)), net
    )


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("old", [True, False])
def test_code_never_runs_however_it_is_wrapped(tmp_path, monkeypatch, net, old):
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": net.state_dict(), "callbacks": [_Evil()]}
    torch.save(content, "a.ckpt", _use_new_zipfile_serialization=not old)
    with pytest.raises(CheckpointError, match=r"pickled code \(posix.mkdir\)"):
        load_backbone(NET, weights="a.ckpt")
    assert not (tmp_path / "ran").exists()
