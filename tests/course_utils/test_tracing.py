import pytest
import torch
from torch import nn

from course_utils.errors import CannotInspect
from course_utils.tracing import tensors_in, trace


class _Net(nn.Module):
    """Runs its layers in another order than it registers them, one of them twice."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 5)
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        x = self.twice(self.twice(self.stem(x)))
        pooled = x.mean((2, 3))
        return self.fc(torch.cat([pooled, pooled], 1))


def test_calls_come_in_order_of_execution():
    calls = sorted(trace(_Net()).calls.values(), key=lambda call: call.order)
    assert [call.path for call in calls] == ["", "stem", "twice", "fc"]


def test_shapes_leave_out_the_batch_and_macs_are_of_one_image():
    found = trace(_Net(), input_size=(3, 16, 16))
    stem, twice, fc = (found.calls[name] for name in ("stem", "twice", "fc"))
    assert (stem.input_shape, stem.output_shape) == ((3, 16, 16), (4, 8, 8))
    assert stem.macs == 3 * 4 * 9 * 64 and stem.output_bytes == 4 * 64 * 4
    assert (twice.calls, twice.macs) == (2, 2 * 4 * 4 * 9 * 64)
    assert fc.macs == 40 and found.output_shapes == [(2, 5)]


def test_work_that_belongs_to_no_child_counts_for_the_module_itself():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, x):
            x = x.flatten(2).transpose(1, 2)[..., :1].expand(-1, -1, 8)
            return self.attention(x, x, x)[0]

    calls = trace(Attend(), input_size=(3, 4, 4)).calls
    projections, products = 4 * 8 * 8 * 16, 2 * 16 * 16 * 8
    assert calls["attention"].macs == projections + products
    assert calls[""].macs == 0


def test_a_model_whose_steps_depend_on_values_is_refused_with_the_layer():
    class Choosy(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    model = nn.Sequential(nn.Conv2d(3, 4, 1), Choosy())
    with pytest.raises(CannotInspect, match=r"Sequential cannot run .* in 1: "):
        trace(model)


def test_an_image_that_is_too_small_is_refused_with_the_layer():
    model = nn.Sequential(nn.Conv2d(3, 4, 7))
    with pytest.raises(CannotInspect, match=r"\(2, 3, 4, 4\) without values in 0: "):
        trace(model, input_size=(3, 4, 4))


def test_tensors_are_found_in_nested_containers():
    a, b = torch.zeros(1), torch.zeros(2)
    assert tensors_in({"x": (a, [b, 3]), "y": None}) == [a, b]
