import pytest
import torch
from torch import nn

from course_utils.errors import explained_channels
from course_utils.modes import device_of, inference, modes_kept


def _net():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5)).train()
    net[1].eval()
    return net


def _modes(net):
    return [module.training for module in net.modules()]


def test_a_model_runs_in_eval_without_gradients_and_comes_back_as_it_was():
    net = _net()
    with inference(net) as device:
        assert not any(_modes(net))
        assert not net(torch.ones(2, 2, device=device)).requires_grad
    assert _modes(net) == [True, True, False, True]
    assert torch.is_grad_enabled()


def test_it_comes_back_as_it_was_after_an_error():
    net = _net()
    with pytest.raises(KeyError), inference(net):
        raise KeyError
    assert _modes(net) == [True, True, False, True]


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 8, 8), torch.zeros(1, 8, 8)])
def test_images_with_other_channels_are_explained(images):
    words = r"images have 1 channels, but the model takes 3: .*convert\(\"RGB\"\)"
    with pytest.raises(ValueError, match=words), explained_channels():
        nn.Conv2d(3, 4, 3)(images)


@pytest.mark.parametrize(
    ("takes", "words"),
    [(1, r"takes 1: make them grey .*in_chans=3"), (4, r"takes 4: .*timm's in_chans")],
)
def test_models_of_other_channels_are_not_told_to_take_rgb(takes, words):
    with pytest.raises(ValueError, match=words) as caught, explained_channels():
        nn.Conv2d(takes, 4, 3)(torch.zeros(2, 3, 8, 8))
    assert "RGB" not in str(caught.value)


def test_a_model_without_parameters_is_where_its_buffers_are_or_on_the_cpu():
    with inference(nn.ReLU()) as device:
        assert device == torch.device("cpu")
    assert device_of(nn.BatchNorm2d(2, affine=False, device="meta")).type == "meta"


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        with explained_channels():
            nn.Linear(3, 4)(torch.zeros(2, 5))


def test_modes_are_given_back_one_by_one_also_after_an_error():
    net = _net()
    with pytest.raises(KeyError), modes_kept(net):
        net.eval()
        raise KeyError
    assert _modes(net) == [True, True, False, True]
