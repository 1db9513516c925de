import pytest
import timm
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torchvision import models
from torchvision.transforms import v2

from course_utils import fast_inference
from course_utils import features as extraction
from course_utils.features import (
    cache_folder,
    clear_cache,
    extract_features,
    feature_maps,
    fit_head,
)
from course_utils.heads import replace_head
from course_utils.layer_groups import freeze, trainable_parameters
from course_utils.training import fit, make_loader


@pytest.fixture(autouse=True)
def _own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))


class _Pictures(TensorDataset):
    """Random pictures with what the cache asks a dataset for."""

    def __init__(self, n=6, *, size=64, seed=0, transform=None):
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(n, 3, size, size, generator=generator)
        super().__init__(images, torch.arange(n) % 3)
        self.transform = transform or v2.Normalize([0.0] * 3, [1.0] * 3)
        self.fingerprint = f"{n} {size} {seed}"


def _net():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    return net.eval()


def _count_runs(monkeypatch):
    runs = []
    run = extraction._run
    monkeypatch.setattr(extraction, "_run", lambda *a: runs.append(1) or run(*a))
    return runs


# -- what comes out ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit"]
)
def test_features_of_timm_models_are_its_pre_logits(name):
    size = 160
    model, pictures = timm.create_model(name).eval(), _Pictures(3, size=size)
    with torch.inference_mode():
        maps = model.forward_features(pictures.tensors[0])
        expected = model.forward_head(maps, pre_logits=True)
    found = extract_features(model, pictures, cache=False)
    assert torch.allclose(found.features, expected, atol=1e-5)
    assert found.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5"])
def test_features_of_torchvision_models_are_what_an_identity_head_lets_through(name):
    model, pictures = models.get_model(name, weights=None).eval(), _Pictures(3)
    found = extract_features(model, pictures, cache=False).features
    model.fc = nn.Identity()
    with torch.inference_mode():
        assert torch.allclose(found, model(pictures.tensors[0]), atol=1e-5)


def test_a_model_without_a_head_gives_its_own_output():
    model, pictures = models.resnet18().eval(), _Pictures(3)
    with_head = extract_features(model, pictures, cache=False).features
    model.fc = nn.Identity()
    found = extract_features(model, pictures, cache=False).features
    with torch.inference_mode():
        expected = model(torch.stack([pictures[i][0] for i in range(3)]))
    assert torch.equal(found, expected) and torch.equal(found, with_head)


def test_an_encoder_gives_the_mean_of_its_tokens():
    model = timm.create_model("qwen3_vit_88m_enc", depth=1).eval()
    images = torch.rand(2, 3, 224, 224)
    data = TensorDataset(images, torch.tensor([0, 1]))
    with torch.inference_mode():
        expected = model(images).mean(1)
    assert torch.allclose(extract_features(model, data, cache=False).features, expected)


def test_squeezenets_convolution_head_gives_pooled_maps():
    model, pictures = models.squeezenet1_0().eval(), _Pictures(3)
    found = extract_features(model, pictures, cache=False).features
    with torch.inference_mode():
        expected = model.features(pictures.tensors[0]).mean((2, 3))
    assert found.shape == (3, 512) and torch.allclose(found, expected, atol=1e-6)


def test_a_model_without_a_head_gives_the_same_features():
    model, pictures = models.resnet18().eval(), _Pictures(3)
    expected = extract_features(model, pictures, cache=False).features
    found = extract_features(replace_head(model, 0), pictures, cache=False).features
    assert torch.equal(found, expected)


def test_a_layers_maps_are_averaged_over_positions():
    model, pictures = _net(), _Pictures()
    found = extract_features(model, pictures, layer="0", cache=False).features
    with torch.inference_mode():
        expected = model[0](pictures.tensors[0]).mean((2, 3))
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_layers_tokens_are_averaged():
    model = timm.create_model("test_vit").eval()
    pictures = _Pictures(2, size=160)
    found = extract_features(model, pictures, layer="blocks.1", cache=False)
    assert found.features.shape == (2, model.embed_dim)


@pytest.fixture
def copies(monkeypatch):
    """Let a copy serve however few pictures there are; give what it was for."""
    made = []
    make = fast_inference.fast_copy

    def keep(*args):
        made.append(make(*args))
        return made[-1]

    monkeypatch.setattr("course_utils.reading._FEW", 0)
    monkeypatch.setattr(fast_inference, "fast_copy", keep)
    return made


def _plainly(model, pictures, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("course_utils.reading._FEW", 2**40)
        return extract_features(model, pictures, cache=False, **options)


@pytest.mark.parametrize("layer", [
    None, "", "conv1", "bn1", "layer1", "layer2.0.conv1", "layer2.0.bn2",
    "layer2.0.downsample", "avgpool",
])  # fmt: skip
def test_a_faster_copy_gives_the_same_of_any_layer(layer, copies):
    model, pictures = models.resnet18(), _Pictures(12)
    model.train()(torch.randn(8, 3, 64, 64))
    model.layer1.requires_grad_(False)
    expected = _plainly(model, pictures, layer=layer)
    found = extract_features(model, pictures, layer=layer, cache=False)
    assert copies[0] is not None and model.training
    scale = expected.features.abs().max()
    assert (found.features - expected.features).abs().max() < 1e-4 * scale
    assert torch.equal(found.labels, expected.labels)


def test_a_layer_that_is_not_run_is_named_with_a_copy_too(copies):
    model = models.inception_v3(init_weights=False).eval()
    pictures = _Pictures(10, size=80)
    with pytest.raises(ValueError, match="layer 'AuxLogits.conv0' was not run"):
        extract_features(model, pictures, layer="AuxLogits.conv0", cache=False)
    assert copies == [None]


def test_pictures_that_change_their_size_are_run(copies):
    sizes = [64] * 10 + [96] * 10
    data = [(torch.randn(3, side, side), 0) for side in sizes]
    model = models.resnet18().eval()
    expected = _plainly(model, data, batch_size=10).features
    found = extract_features(model, data, cache=False, batch_size=10).features
    assert copies[0] is not None and torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_bfloat16_gives_nearly_the_same_and_is_kept_apart(name, monkeypatch, capsys):
    runs = _count_runs(monkeypatch)
    model, pictures = timm.create_model(name).eval(), _Pictures(size=160)
    exact = extract_features(model, pictures).features
    for _ in range(2):
        found = extract_features(model, pictures, precision="bfloat16").features
    assert len(runs) == 2 and found.dtype == torch.float32
    assert 0 < (found - exact).abs().max() < 0.05 * exact.abs().max()
    assert capsys.readouterr().out.count("bfloat16: values differ") == 1


def test_other_precisions_are_named():
    with pytest.raises(
        ValueError, match="precision must be 'float32' or 'bfloat16', got"
    ):
        extract_features(_net(), _Pictures(), precision="float16")


def test_bfloat16_of_a_net_in_another_type_is_refused_before_anything_is_read():
    data = _Items(lambda *item: 1 / 0)
    with pytest.raises(
        ValueError, match="this one works in float64, and does so without"
    ):
        extract_features(_net().double(), data, cache=False, precision="bfloat16")


def test_an_unknown_layer_is_named():
    with pytest.raises(ValueError, match="no layer 'layer9'; its children are 0, 1"):
        extract_features(_net(), _Pictures(), layer="layer9")


def test_the_batch_size_changes_nothing():
    one = extract_features(_net(), _Pictures(), cache=False, batch_size=1)
    all_at_once = extract_features(_net(), _Pictures(), cache=False)
    assert torch.allclose(one.features, all_at_once.features, atol=1e-6)


def test_without_cache_a_model_in_train_mode_runs_in_eval_and_stays_as_it_was():
    model = _net()
    expected = extract_features(model, _Pictures(), cache=False).features
    before = model[1].running_mean.clone()
    model.train()
    found = extract_features(model, _Pictures(), cache=False).features
    assert torch.equal(found, expected)
    assert model.training and torch.equal(model[1].running_mean, before)
    assert not model[5]._forward_pre_hooks


def test_features_carry_no_gradient_and_lie_on_the_cpu():
    found = extract_features(_net(), _Pictures()).features
    assert not found.requires_grad and found.dtype == torch.float32
    fit_head(found, torch.arange(6) % 3, 3, epochs=1)


def test_labels_that_are_no_numbers_are_named():
    pictures = [(torch.zeros(3, 64, 64), "rose"), (torch.zeros(3, 64, 64), "lily")]
    with pytest.raises(
        ValueError, match=r"labels as a tensor.* the number of its class"
    ):
        extract_features(_net(), pictures, cache=False)


def test_an_empty_dataset_is_named():
    with pytest.raises(ValueError, match="dataset is empty"):
        extract_features(_net(), _Pictures(0), cache=False)


# -- the cache -----------------------------------------------------------------------


def test_a_second_call_reads_the_cache(monkeypatch):
    runs = _count_runs(monkeypatch)
    first = extract_features(_net(), _Pictures())
    second = extract_features(_net(), _Pictures())
    assert len(runs) == 1
    assert torch.equal(first.features, second.features)
    assert torch.equal(first.labels, second.labels)
    assert clear_cache() == 1 and clear_cache() == 0


@pytest.mark.parametrize("what", ["weights", "batchnorm", "transform", "data", "layer"])
def test_the_cache_is_missed_when_something_changes(monkeypatch, what):
    runs = _count_runs(monkeypatch)
    extract_features(_net(), _Pictures())
    model, pictures, layer = _net(), _Pictures(), None
    if what == "weights":
        model[0].weight.data[0, 0, 0, 0] += 1e-6
    elif what == "batchnorm":
        model[1].running_var += 1e-3
    elif what == "transform":
        pictures = _Pictures(transform=v2.Normalize([0.5] * 3, [1.0] * 3))
    elif what == "data":
        pictures = _Pictures(seed=1)
    else:
        layer = "1"
    extract_features(model, pictures, layer=layer)
    assert len(runs) == 2


def test_a_new_head_does_not_miss_the_cache(monkeypatch):
    runs = _count_runs(monkeypatch)
    extract_features(_net(), _Pictures())
    extract_features(replace_head(_net(), 7), _Pictures())
    assert len(runs) == 1


def test_a_stage_named_like_the_head_is_not_taken_for_it(monkeypatch):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head_norm = nn.BatchNorm2d(3)
            self.head = nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.head_norm(x).mean((2, 3)))

    runs = _count_runs(monkeypatch)
    model = Net().eval()
    extract_features(model, _Pictures())
    model.head_norm.running_mean += 1
    extract_features(model, _Pictures())
    assert len(runs) == 2


def test_two_models_with_the_same_weights_do_not_share(monkeypatch):
    runs = _count_runs(monkeypatch)
    extract_features(_net(), _Pictures())
    other = _net()
    other[2] = nn.Tanh()
    extract_features(other, _Pictures())
    assert len(runs) == 2


def test_without_cache_nothing_is_kept():
    extract_features(_net(), _Pictures(), cache=False)
    assert not cache_folder().exists()


def test_a_damaged_cache_file_is_computed_again(monkeypatch, capsys):
    runs = _count_runs(monkeypatch)
    expected = extract_features(_net(), _Pictures())
    [file] = cache_folder().iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    found = extract_features(_net(), _Pictures())
    assert torch.equal(found.features, expected.features)
    assert len(runs) == 2
    assert "damaged: computing them again" in capsys.readouterr().out


def test_on_a_full_disk_the_features_are_given_all_the_same(full_disk, capsys):
    expected = extract_features(_net(), _Pictures(), cache=False)
    with full_disk(100):
        found = extract_features(_net(), _Pictures())
    assert torch.equal(found.features, expected.features)
    assert "could not be cached in" in capsys.readouterr().out
    assert list(cache_folder().iterdir()) == []


def test_every_bit_of_a_cached_file_counts(capsys):
    expected = extract_features(_net(), _Pictures())
    [file] = cache_folder().iterdir()
    whole = file.read_bytes()
    generator = torch.Generator().manual_seed(0)
    for place in torch.randint(8 * len(whole), (40,), generator=generator).tolist():
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert torch.equal(
            extract_features(_net(), _Pictures()).features, expected.features
        )
    assert capsys.readouterr().out.count("damaged: computing them again") == 40


def test_features_under_another_key_are_not_taken(capsys):
    extract_features(_net(), _Pictures())
    [file] = cache_folder().iterdir()
    expected = extract_features(_net(), _Pictures(seed=1), cache=False)
    other = extract_features(_net(), _Pictures(seed=1))
    [path] = {*cache_folder().iterdir()} - {file}
    path.write_bytes(file.read_bytes())
    other = extract_features(_net(), _Pictures(seed=1))
    assert torch.equal(other.features, expected.features)


def test_a_home_that_cannot_be_made_costs_no_features(monkeypatch, tmp_path, capsys):
    expected = extract_features(_net(), _Pictures(), cache=False)
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        found = extract_features(_net(), _Pictures())
        assert torch.equal(found.features, expected.features)
    assert capsys.readouterr().out.count("set COURSE_HOME to a folder") == 1


def test_writes_in_progress_are_left_alone():
    extract_features(_net(), _Pictures())
    (cache_folder() / ".abc.features.here-1-00000000.part").write_bytes(b"x")
    (cache_folder() / ".abc.safetensors").write_bytes(b"x")
    assert clear_cache() == 1 and len(list(cache_folder().iterdir())) == 2


def test_what_the_key_cannot_tell_is_computed_and_said_once(monkeypatch, capsys):
    runs = _count_runs(monkeypatch)
    for scale in (1, 2, 2):
        pictures = _Pictures(transform=v2.Lambda(lambda x, scale=scale: scale * x))
        extract_features(_net(), pictures)
    assert len(runs) == 3 and not cache_folder().exists()
    said = capsys.readouterr().out
    assert (
        said.count("features are not cached: the transform's step Lambda: <lambda>")
        == 1
    )


def test_pictures_with_other_channels_are_named():
    grey = TensorDataset(torch.zeros(2, 1, 64, 64), torch.zeros(2))
    with pytest.raises(ValueError, match="1 channels, but the model takes 3"):
        extract_features(_net(), grey, cache=False)


def test_a_grey_net_given_colours_is_told_the_right_thing():
    grey = timm.create_model("test_resnet", in_chans=1).eval()
    with pytest.raises(
        ValueError, match=r"3 channels, but .* takes 1: make them grey with torchvision"
    ):
        extract_features(grey, _Pictures(), cache=False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_pictures_are_brought_to_the_nets_type(dtype):
    expected = extract_features(_net(), _Pictures(), cache=False).features
    found = extract_features(_net().to(dtype), _Pictures(), cache=False).features
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.05)
    assert feature_maps(_net().to(dtype), torch.rand(3, 12, 12), "0").shape[0] == 4


def test_pixels_that_are_no_floats_are_named_with_the_way_out():
    pixels = TensorDataset(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), torch.zeros(2))
    with pytest.raises(ValueError, match=r"images are \w+, the net works in float32"):
        extract_features(_net(), pixels, cache=False)


class _Items(Dataset):
    def __init__(self, make):
        self.make, self.data = make, _Pictures()

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.make(*self.data[index], index)


class _Stream(IterableDataset):
    def __iter__(self):
        yield from _Pictures()


@pytest.mark.parametrize("dataset", [
    _Items(lambda image, label, index: {"pixel_values": image, "labels": label}),
    _Items(lambda image, label, index: {"mask": image, "target": label, "x": image}),
    _Items(lambda image, label, index: (image, label, index)),
    _Items(lambda image, label, index: [image, label, {"path": str(index)}]),
    _Stream(),
])  # fmt: skip
def test_batches_of_other_kinds_are_read(dataset):
    expected = extract_features(_net(), _Pictures(), cache=False)
    found = extract_features(_net(), dataset, cache=False, batch_size=4)
    assert torch.allclose(found.features, expected.features, atol=1e-6)
    assert torch.equal(found.labels, expected.labels)


@pytest.mark.parametrize(("dataset", "words"), [
    (_Items(lambda image, label, index: image), "this one is Tensor"),
    (_Items(lambda image, label, index: {"a": image, "b": image, "y": 1}),
     "a dictionary of a, b, y"),
    (_Items(lambda image, label, index: {"image": image}), "a dictionary of image"),
    (_Items(lambda image, label, index: (Image.new("RGB", (8, 8)), label)),
     "must end in tensors of one size"),
    (_Items(lambda image, label, index: (image[:, index:], label)),
     "must end in tensors of one size"),
    (DataLoader(_Pictures()), "not a loader: loader.dataset"),
])  # fmt: skip
def test_batches_that_cannot_be_read_are_named(dataset, words):
    with pytest.raises(ValueError, match=words):
        extract_features(_net(), dataset, cache=False)


@pytest.mark.parametrize(
    "image", [Image.new("RGB", (8, 8)), torch.zeros(1, 3, 8, 8), None]
)
def test_maps_are_of_one_prepared_picture(image):
    with pytest.raises(
        ValueError, match=r"one prepared picture .*weights_info.transform"
    ):
        feature_maps(_net(), image, "0")


@pytest.mark.parametrize("layer", [3, ["0"], b"0"])
def test_a_layer_is_a_name(layer):
    with pytest.raises(TypeError, match="layer must be a string or None, got"):
        extract_features(_net(), _Pictures(), layer=layer, cache=False)


def test_a_random_transform_is_refused_unless_uncached():
    pictures = _Pictures(transform=v2.RandomHorizontalFlip())
    with pytest.raises(ValueError, match=r"transform is random .* cache=False"):
        extract_features(_net(), pictures)
    extract_features(_net(), pictures, cache=False)


def test_train_mode_is_refused_with_the_cache():
    with pytest.raises(ValueError, match=r"train mode.*call model.eval\(\)"):
        extract_features(_net().train(), _Pictures())


def test_a_dataset_without_a_fingerprint_is_refused():
    with pytest.raises(ValueError, match="TensorDataset has no fingerprint"):
        extract_features(_net(), TensorDataset(torch.zeros(2, 3, 8, 8)))


# -- maps and heads ------------------------------------------------------------------


def test_feature_maps_are_the_layers_output():
    model, image = _net(), torch.randn(3, 12, 12)
    maps = feature_maps(model, image, "0")
    assert torch.equal(maps, model[0](image[None])[0])


def test_tokens_become_maps_without_the_class_token():
    model = timm.create_model("test_vit").eval()
    maps = feature_maps(model, torch.randn(3, 160, 160), "blocks.0")
    assert maps.shape == (model.embed_dim, 10, 10)


def test_a_layer_without_maps_is_named():
    with pytest.raises(ValueError, match=r"layer '5' gives \(3,\), not maps"):
        feature_maps(_net(), torch.randn(3, 12, 12), "5")


@pytest.mark.parametrize("name", ["resnet18", "test_resnet", "test_vit"])
def test_a_head_on_features_equals_one_behind_the_frozen_backbone(name):
    size, classes, seed = 160 if name == "test_vit" else 32, 3, 5
    pictures = _Pictures(10, size=size)
    torch.manual_seed(1)
    model = models.resnet18() if name == "resnet18" else timm.create_model(name)
    found = extract_features(model.eval(), pictures, cache=False)
    head = fit_head(*found, classes, epochs=3, lr=0.01, batch_size=4, seed=seed)
    torch.manual_seed(seed)
    freeze(replace_head(model, classes))
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=0.01)
    loader = make_loader(pictures, batch_size=4, shuffle=True, seed=seed)
    fit(model, loader, None, optimizer=optimizer, epochs=3)
    expected = model.head if name == "test_vit" else model.fc
    assert (head.weight - expected.weight).abs().max() < 1e-4
    assert (head.bias - expected.bias).abs().max() < 1e-4


def test_fit_head_leaves_torchs_generator_alone():
    before = torch.get_rng_state()
    fit_head(
        torch.randn(4, 2, generator=torch.Generator()), torch.tensor([0, 1] * 2), 2
    )
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (torch.zeros(3, 2), "3 features but 4 labels"),
        (torch.full((4, 2), float("nan")), "NaN or infinity"),
    ],
)
def test_features_that_cannot_be_learned_from_are_named(features, words):
    with pytest.raises(ValueError, match=words):
        fit_head(features, torch.tensor([0, 1, 0, 1]), 2)


def test_a_head_learns_under_another_default_type():
    torch.set_default_dtype(torch.float64)
    try:
        head = fit_head(
            torch.rand(4, 2).float(), torch.tensor([0, 1, 0, 1]), 2, epochs=1
        )
    finally:
        torch.set_default_dtype(torch.float32)
    assert head.weight.dtype == torch.float64


@pytest.mark.parametrize("option", [{"epochs": 0}, {"epochs": -3}, {"epochs": 2.5}])
def test_epochs_that_train_nothing_are_named(option):
    with pytest.raises(ValueError, match="epochs must be"):
        fit_head(torch.zeros(2, 2), torch.tensor([0, 1]), 2, **option)


@pytest.mark.parametrize("classes", [0, 1, -2, 2.0])
def test_a_head_of_fewer_than_two_classes_is_refused(classes):
    with pytest.raises(ValueError, match="num_classes must be"):
        fit_head(torch.zeros(2, 2), torch.tensor([0, 0]), classes)


def test_labels_of_another_whole_type_are_taken():
    head = fit_head(torch.rand(4, 2), torch.tensor([0, 1, 0, 1], dtype=torch.int32), 2)
    assert head.out_features == 2


@pytest.mark.parametrize("lr", [0, -1e-3, float("nan"), float("inf")])
def test_a_rate_that_learns_nothing_is_named(lr):
    with pytest.raises(ValueError, match=f"lr must be a number above 0, got {lr}"):
        fit_head(torch.zeros(2, 2), torch.tensor([0, 1]), 2, lr=lr)


def test_missing_labels_are_named():
    with pytest.raises(ValueError, match="-1, which says that a label is missing"):
        fit_head(torch.zeros(2, 2), torch.tensor([0, -1]), 2)


def test_labels_outside_the_head_are_named():
    with pytest.raises(ValueError, match=r"head has 2 classes \(0 to 1\)"):
        fit_head(torch.zeros(2, 2), torch.tensor([0, 2]), 2)
