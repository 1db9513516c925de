import copy
import random
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from course_utils.errors import CannotInspect, UnknownModel
from course_utils.heads import replace_head
from course_utils.inspection import KINDS, MemoryEstimate, inspect_model, kind_of
from course_utils.layer_groups import freeze
from course_utils.memory import StorageMeter, state_bytes


class _Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.body = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.tail = nn.Conv2d(4, 6, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(1))
        self.idle = nn.Linear(2, 2)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = self.tail(self.body(self.stem(x))) * self.scale
        return self.fc(x.mean((2, 3)))


def _rows(report):
    return report.layers.set_index("path")


def test_layers_come_in_order_of_execution_with_their_facts():
    rows = _rows(inspect_model(_Net(), input_size=(3, 8, 8)))
    assert list(rows.index) == [
        "", "stem", "body.0", "body.1", "body.2", "tail", "fc", "idle",
    ]  # fmt: skip
    assert rows["kind"].tolist() == [
        "block", "conv", "norm", "activation", "pool", "conv", "head", "fc",
    ]  # fmt: skip
    assert rows.loc["tail", "input_shape"] == (4, 4, 4)
    assert rows.loc["tail", "output_shape"] == (6, 4, 4)
    assert rows.loc["tail", "params"] == 4 * 6 * 9 + 6
    assert rows.loc["tail", "macs"] == 4 * 6 * 9 * 16
    assert rows.loc["tail", "activation_bytes"] == 6 * 16 * 4
    assert not rows.loc["idle", "called"] and rows.loc["idle", "output_shape"] is None


def test_totals_are_those_of_the_model():
    model = models.resnet18()
    report = inspect_model(model)
    assert report.num_params == sum(p.numel() for p in model.parameters())
    assert report.trainable_params == report.num_params
    assert report.macs == report.stages["macs"].sum() == 1_814_073_344
    assert report.stage_names == [
        "conv1", "layer1", "layer2", "layer3", "layer4", "fc",
    ]  # fmt: skip
    assert list(report.stages["output_shape"])[-2:] == [(512, 7, 7), (1000,)]


def test_trainable_is_all_partly_or_no():
    model = freeze(_Net(), until="tail")
    model.tail.bias.requires_grad = False
    report = inspect_model(model, input_size=(3, 8, 8))
    rows = _rows(report)
    assert rows.loc[["stem", "tail", "fc"], "trainable"].tolist() == [
        "no", "partly", "all",
    ]  # fmt: skip
    assert rows.loc["body.1", "trainable"] == ""
    assert report.trainable_params == 4 * 6 * 9 + 6 + (6 * 5 + 5)


def test_a_shared_layer_is_marked_and_counts_once():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
    model[2].weight = model[0].weight
    wrapped = nn.Sequential(nn.AdaptiveAvgPool2d((2, 2)), nn.Flatten(2), model)
    rows = _rows(inspect_model(wrapped, input_size=(3, 8, 8)))
    assert rows["shared"].to_dict() == {
        "0": False, "1": False, "2.0": True, "2.1": False, "2.2": True, "2.3": False,
    }  # fmt: skip
    assert (rows.loc["2.0", "params"], rows.loc["2.2", "params"]) == (20, 4)


@pytest.mark.parametrize("mode", [True, False])
def test_nothing_of_the_model_changes(mode):
    model = freeze(timm.create_model("test_resnet"), until="layer3").train(mode)
    model.layer1.eval()
    before = copy.deepcopy(model)
    inspect_model(model).memory(4)
    assert [m.training for m in model.modules()] == [
        m.training for m in before.modules()
    ]
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            model.state_dict().values(), before.state_dict().values(), strict=True
        )
    )
    flags = [p.requires_grad for p in model.parameters()]
    assert flags == [p.requires_grad for p in before.parameters()]
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert all(p.grad is None for p in model.parameters())


def test_the_random_generator_stays_as_it_was():
    model = models.vgg11(dropout=0.5)
    state = torch.get_rng_state()
    inspect_model(model).memory(2)
    assert torch.equal(state, torch.get_rng_state())


def test_a_new_head_is_one_stage_and_its_layers_are_of_kind_head():
    model = replace_head(timm.create_model("test_resnet"), 3, dropout=0.1, hidden=8)
    report = inspect_model(model, input_size=(3, 64, 64))
    head = report.layers[report.layers["stage"] == "fc"]
    types = ["AdaptiveAvgPool2d", "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    assert head["type"].tolist() == types
    assert head["kind"].tolist() == ["pool", "other", *["head"] * 4]


def test_an_attention_layer_does_the_work_of_its_products():
    rows = _rows(inspect_model("vit_b_16"))
    kinds = rows["kind"].value_counts()
    assert kinds["attention"] == 12
    first = rows[rows["kind"] == "attention"].iloc[0]
    assert first["macs"] == 4 * 768 * 768 * 197 + 2 * 197 * 197 * 768


def test_every_layer_of_a_transformer_is_in_the_stage_that_holds_it():
    report = inspect_model("vit_b_16")
    inside = report.layers[report.layers["path"].str.startswith("encoder.layers.")]
    assert inside["stage"].nunique() == 12
    assert (report.stages["params"].iloc[1:12] > 7_000_000).all()


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Conv2d(3, 4, 1), "conv"), (nn.Linear(2, 2), "fc"), (nn.GELU(), "activation"),
        (nn.LayerNorm(3), "norm"), (nn.AvgPool2d(2), "pool"), (nn.Flatten(), "other"),
        (nn.MultiheadAttention(4, 2), "attention"),
        (nn.Sequential(nn.ReLU()), "block"),
    ],
)  # fmt: skip
def test_kinds_come_from_the_class(layer, kind):
    assert kind_of(layer) == kind and kind in KINDS


def test_a_name_is_inspected_at_another_size():
    small = inspect_model("vit_b_32", input_size=(3, 64, 64))
    assert small.input_size == (3, 64, 64)
    assert small.macs < inspect_model("vit_b_32").macs


def test_unknown_names_and_sizes_that_do_not_fit_are_clear_errors():
    with pytest.raises(UnknownModel, match="resnet18"):
        inspect_model("resnet_18")
    with pytest.raises(CannotInspect, match="input_size"):
        inspect_model("alexnet", input_size=(3, 16, 16))


def test_a_dense_block_gives_what_its_layers_gave_together():
    shapes = inspect_model("densenet121").stages.set_index("stage")["output_shape"]
    assert shapes["features.denseblock1"] == (256, 56, 56)
    assert shapes["features.denseblock4"] == (1024, 7, 7)


def test_inception_is_made_for_299_pixels():
    report = inspect_model("inception_v3")
    assert report.input_size == (3, 299, 299)
    assert report.memory(4, mode="full").total > report.memory(4, mode="frozen").total


def test_a_step_that_cannot_run_is_a_clear_error():
    report = inspect_model("inception_v3", input_size=(3, 96, 96))
    with pytest.raises(CannotInspect, match=r"training step of 2 pictures of \(3, 96"):
        report.memory(2)


@pytest.mark.parametrize(
    ("model", "size", "macs", "stages"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(2), nn.Conv1d(4, 5, 1)), (3, 4, 4),
         16 * (12 + 20), ["0", "2"]),
        (nn.Sequential(nn.Conv1d(6, 4, 3)), (6, 10), 6 * 4 * 3 * 8, ["0"]),
        (nn.Sequential(nn.Conv3d(3, 4, 1)), (3, 2, 4, 4), 12 * 32, ["0"]),
        (nn.Sequential(nn.ConvTranspose2d(3, 4, 2, stride=2)), (3, 4, 4), 48 * 16, ["0"]),
        (nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)), (8,), 40, ["0", "2"]),
        (nn.Sequential(nn.ReLU(), nn.Sigmoid()), (3, 4, 4), 0, ["Sequential"]),
        (nn.ParameterList([torch.ones(2)]), None, None, None),
    ],
)  # fmt: skip
def test_an_inspection_needs_no_head_and_no_picture(model, size, macs, stages):
    if size is None:
        with pytest.raises(CannotInspect, match="ParameterList cannot run"):
            inspect_model(model)
        return
    report = inspect_model(model, input_size=size)
    assert (report.macs, report.input_size) == (macs, size)
    assert report.stage_names == stages == report.stages["stage"].tolist()
    assert report.memory(2, mode="frozen").gradients <= report.memory(2).gradients


def test_a_net_that_draws_leaves_the_generators_as_they_were():
    class Draws(_Net):
        def forward(self, x):
            random.random(), np.random.rand(), torch.rand(1, device="cpu")
            return super().forward(x)

    model = Draws()
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    report = inspect_model(model, input_size=(3, 8, 8))
    report.memory(2), report.memory(2, mode="inference")
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    assert torch.equal(states[2], torch.get_rng_state())


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_an_inspection_within_no_gradients_counts_the_same(mode):
    expected = inspect_model("timm/test_resnet")
    with mode():
        report = inspect_model("timm/test_resnet")
        own = inspect_model(timm.create_model("test_resnet"))
        found = report.memory(4)
    assert report.macs == own.macs == expected.macs > 0
    assert found == expected.memory(4)


def test_a_type_is_the_models_own():
    half, single = (inspect_model(models.resnet18().to(kind)) for kind in
                    (torch.float16, torch.float32))  # fmt: skip
    assert half.macs == single.macs
    assert 2 * half.layers["activation_bytes"].sum() == (
        single.layers["activation_bytes"].sum()
    )
    assert half.memory(2).activations < single.memory(2).activations


def test_other_default_types_and_devices_change_nothing():
    model, expected = models.resnet18(), inspect_model("resnet18")
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        found = inspect_model(model)
        assert inspect_model("resnet18").macs == expected.macs
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert found.layers.equals(expected.layers)
    assert found.memory(2) == expected.memory(2)


class _Named(nn.Module):
    """Several outputs, by name or in a dataclass."""

    def __init__(self, kind):
        super().__init__()
        self.body, self.fc, self.kind = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), kind

    def forward(self, x):
        maps = self.body(x)
        logits = self.fc(maps.mean((2, 3)))
        return self.kind(logits=logits, maps=maps, best=logits.argmax(1))


@dataclass
class _Output:
    logits: torch.Tensor
    maps: torch.Tensor
    best: torch.Tensor


@pytest.mark.parametrize("kind", [dict, _Output, namedtuple("Out", "logits maps best")])
def test_named_outputs_are_read(kind):
    report = inspect_model(_Named(kind), input_size=(3, 8, 8))
    assert report.stage_names == ["body", "fc"]
    assert report.memory(2).gradients == 4 * report.num_params


def test_one_channel_is_seen_at_the_first_layer():
    report = inspect_model(timm.create_model("test_resnet", in_chans=1))
    assert report.input_size == (1, 160, 160)
    assert report.stage_names == inspect_model("timm/test_resnet").stage_names


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m)])
def test_a_wrapped_model_is_inspected_as_the_net_within(wrap):
    net = models.resnet18()
    assert inspect_model(wrap(net)).layers.equals(inspect_model(net).layers)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_scripted_child_is_named():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), torch.jit.script(nn.ReLU()))
    with pytest.raises(
        CannotInspect, match="Sequential in 1 is compiled by TorchScript"
    ):
        inspect_model(model)


# -- memory ------------------------------------------------------------------------------


def _measured(model, batch_size, optimizer):
    """Peak bytes of the third step, when the optimiser holds its state."""
    model.train()
    images = torch.randn(batch_size, 3, 64, 64)
    labels = torch.zeros(batch_size, dtype=torch.long)
    for _ in range(3):
        optimizer.zero_grad()
        meter = StorageMeter()
        with meter:
            loss = F.cross_entropy(model(images.clone()), labels)
            loss.backward()
        optimizer.step()
        del loss
    state = sum(
        value.nbytes for entry in optimizer.state.values() for value in entry.values()
        if torch.is_tensor(value)
    )  # fmt: skip
    return state_bytes(model) + state + meter.peak


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_memory_is_that_of_a_real_step(name, frozen):
    options = {"img_size": 64} if name == "test_vit" else {}
    model = timm.create_model(name, **options)
    if frozen:
        freeze(model)
    learn = [p for p in model.parameters() if p.requires_grad]
    measured = _measured(model, 8, torch.optim.AdamW(learn))
    report = inspect_model(model, input_size=(3, 64, 64))
    mode = "frozen" if frozen else "full"
    found = report.memory(8, mode=mode, optimizer="adam")
    assert found.peak == pytest.approx(measured, rel=0.05)
    assert found.total >= 0.9 * found.peak


def test_memory_falls_with_each_stage_that_is_frozen():
    report = inspect_model("timm/test_resnet")
    names = report.stage_names
    totals = [
        report.memory(16, frozen=names[:k], optimizer="adam").total
        for k in range(len(names))
    ]
    assert totals == sorted(totals, reverse=True) and totals[0] > 2 * totals[-1]
    assert totals[0] == report.memory(16, mode="full", optimizer="adam").total
    assert totals[-1] == report.memory(16, mode="frozen", optimizer="adam").total


def test_parts_are_weights_gradients_state_and_activations():
    report = inspect_model("resnet18")
    sgd, adam = (report.memory(2, optimizer=name) for name in ("sgd", "adam"))
    assert sgd.gradients == sgd.optimizer == 4 * report.num_params
    assert adam.optimizer == 2 * sgd.optimizer
    rest = report.memory(2, mode="inference")
    assert (rest.gradients, rest.optimizer) == (0, 0)
    assert rest.total == rest.weights + rest.activations < sgd.total
    assert MemoryEstimate(1, 2, 3, 4, 8).total == 10


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mode": "train"}, "inference, frozen, full"),
        ({"mode": None, "frozen": ["fc"]}, "inference, frozen, full, got None"),
        ({"optimizer": ["sgd"]}, "sgd, adam, got"),
        ({"frozen": "layer9"}, "no stage 'layer9'; stages are conv1"),
        ({"optimizer": "lion"}, "sgd, adam"),
        ({"frozen": ["layer9"]}, "no stage 'layer9'; stages are conv1"),
    ],
)
def test_bad_options_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        inspect_model("resnet18").memory(2, **options)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, float("nan"), "4", None])
def test_a_batch_of_none_is_refused(wrong):
    with pytest.raises(ValueError, match=f"batch_size must be .* 1, got {wrong!r}"):
        inspect_model("timm/test_resnet").memory(wrong)
