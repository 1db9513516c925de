"""What a layer gives: one hook, one rule for the layout, one pooling."""

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset
from torchvision import models

from course_utils.activations import Layout, find_layer, layout_of, watched
from course_utils.architectures import build
from course_utils.features import extract_features, feature_maps
from course_utils.meta_tensors import build_on_meta

SWIN, MAMBA = "swin_t", "timm/test_mambaout"


class OwnMaps(nn.Module):
    """Maps as wide as they are high as they have channels, which come last or first."""

    def __init__(self, channels_last):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, stride=4)
        self.last = channels_last
        self.out = nn.Identity()
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        x = self.conv(x)
        x = self.out(x.permute(0, 2, 3, 1) if self.last else x)
        return self.fc(x.mean((1, 2) if self.last else (2, 3)))


LAYERS = [  # architecture, layer, channels, side, channels last
    ("swin_t", "features.7", 768, 7, True),
    ("swin_v2_t", "features.3", 192, 28, True),
    ("timm/swin_tiny_patch4_window7_224", "layers.3", 768, 7, True),
    (MAMBA, "stages.3", 64, 5, True),
    ("convnext_tiny", "features.7", 768, 7, False),
    ("timm/test_convnext", "stages.3", 64, 5, False),
    ("resnet18", "layer4", 512, 7, False),
    ("timm/davit_tiny", "stages.3", 768, 7, False),
    ("timm/poolformer_s12", "stages.3", 512, 7, False),
    ("maxvit_t", "blocks.3", 512, 7, False),
]


@pytest.mark.parametrize(("name", "layer", "channels", "side", "last"), LAYERS)
def test_channels_are_found_where_they_are(name, layer, channels, side, last):
    model = build_on_meta(name)
    layout = layout_of(model, layer)
    assert layout.channels_last is last
    shape = (2, side, side, channels) if last else (2, channels, side, side)
    output = torch.empty(shape, device="meta")
    assert layout.pooled(output).shape == (2, channels)
    assert layout.maps(output).shape == (2, channels, side, side)


@pytest.mark.parametrize("last", [True, False])
def test_maps_that_are_as_deep_as_they_are_wide_are_told_at_another_size(last):
    net = OwnMaps(last)
    net.image_size = 32  # maps of 8 x 8 with 8 channels
    assert layout_of(net, "out", shape=(1, 8, 8, 8)).channels_last is last


@pytest.mark.parametrize(("name", "layer"), [(SWIN, "features.7"), (MAMBA, "stages.3")])
def test_features_of_a_layer_whose_channels_come_last(name, layer):
    model = build(name).eval()
    side = 224 if name == SWIN else 160
    pictures = torch.randn(3, 3, side, side)
    data = TensorDataset(pictures, torch.arange(3) % 2)
    found = extract_features(model, data, layer=layer, cache=False).features
    with watched(find_layer(model, layer)) as seen, torch.inference_mode():
        model(pictures)
    assert torch.allclose(found, seen[0].mean((1, 2)), atol=1e-5)
    maps = feature_maps(model, pictures[0], layer)
    assert maps.shape == (seen[0].shape[3], *seen[0].shape[1:3])
    assert torch.allclose(maps, seen[0][0].permute(2, 0, 1), atol=1e-4)


def test_a_picture_that_is_not_square_is_read_by_the_same_rule():
    model = models.swin_t(weights=None).eval()
    data = TensorDataset(torch.randn(2, 3, 64, 96), torch.tensor([0, 1]))
    found = extract_features(model, data, layer="features.3", cache=False)
    assert found.features.shape == (2, 192)
    assert feature_maps(model, data[0][0], "features.3").shape == (192, 8, 12)


@pytest.mark.parametrize(
    ("tokens", "prefix", "aspect", "grid"),
    [
        (197, None, 1, (14, 14)),  # a class token
        (196, None, 1, (14, 14)),
        (198, None, 1, (14, 14)),  # and one for distillation
        (201, 5, 1, (14, 14)),  # and registers, as the model says
        (196, 5, 1, (14, 14)),  # a layer before they are added
        (25, 9, 1, (4, 4)),
        (141, 1, 224 / 160, (14, 10)),
        (140, None, 160 / 224, (10, 14)),
    ],
)
def test_tokens_are_laid_out_as_their_picture(tokens, prefix, aspect, grid):
    rows, columns = grid
    output = torch.arange(tokens).float()[None, :, None].expand(1, tokens, 2)
    maps = Layout(prefix_tokens=prefix).maps(output, aspect=aspect)
    assert maps.shape == (1, 2, rows, columns)
    first = tokens - rows * columns
    assert maps[0, 0, 0].tolist() == list(range(first, first + columns))


def test_tokens_that_make_no_grid_are_refused():
    with pytest.raises(ValueError, match="141 tokens make no grid"):
        Layout(prefix_tokens=1).maps(torch.zeros(1, 141, 2))


def test_maps_tokens_and_vectors_are_averaged_over_positions():
    maps = torch.randn(2, 5, 3, 3)
    tokens = maps.flatten(2).transpose(1, 2)  # (B, C, H, W) -> (B, N, C)
    wanted = maps.mean((2, 3))
    assert torch.allclose(Layout().pooled(maps), wanted)
    assert torch.allclose(Layout(True).pooled(maps.permute(0, 2, 3, 1)), wanted)
    assert torch.allclose(Layout().pooled(tokens), wanted)
    assert Layout().pooled(wanted) is wanted


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4, 5, 6)])
def test_other_shapes_are_refused(shape):
    for read in (Layout().pooled, Layout().maps):
        with pytest.raises(ValueError, match="maps .* tokens .* vectors"):
            read(torch.zeros(shape))


class Windows(nn.Module):
    """What attention over windows does: more rows than pictures."""

    def forward(self, x):
        return x.flatten(0, 1)


def test_rows_that_are_not_one_a_picture_are_refused():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), Windows(), nn.Unflatten(0, (-1, 4)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
    data = TensorDataset(torch.randn(2, 3, 8, 8), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="'1' works on .* not on one row a picture"):
        extract_features(net.eval(), data, layer="1", cache=False)


def test_a_layer_that_is_not_there_names_the_nearest():
    net = models.resnet18(weights=None)
    with pytest.raises(ValueError, match="'layer9'; did you mean layer"):
        find_layer(net, "layer9")
    with pytest.raises(ValueError, match="'xyz'; its children are conv1, bn1"):
        find_layer(net, "xyz")
    assert find_layer(net, "") is net


def test_a_layer_that_does_not_run_is_named():
    net = models.googlenet(weights=None, init_weights=False).eval()
    data = TensorDataset(torch.randn(2, 3, 64, 64), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="'aux1' was not run"):
        extract_features(net, data, layer="aux1", cache=False)


def test_watching_leaves_no_hook_also_after_an_error():
    net = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(RuntimeError), watched(net[0]), watched(net[0], inputs=True):
        net(torch.zeros(1, 3))
    assert not net[0]._forward_hooks and not net[0]._forward_pre_hooks
