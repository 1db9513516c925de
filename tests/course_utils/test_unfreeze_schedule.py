import copy

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from course_utils.layer_groups import UnfreezeSchedule
from course_utils.training import fit, make_loader


class _Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.layer1 = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.layer2 = nn.Conv2d(4, 4, 3)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(self.stem(x))).mean((2, 3)))


def _net():
    torch.manual_seed(0)
    return _Net()


def _loader():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(12, 3, 10, 10, generator=generator)
    return make_loader(TensorDataset(images, torch.arange(12) % 3), batch_size=6)


def _learning(model):
    return {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad}


SCHEDULE = {1: ["fc"], 3: ["layer2"], 4: ["layer1", "stem"]}


def test_the_state_follows_from_the_epoch_alone():
    schedule = UnfreezeSchedule(SCHEDULE)
    learning = [schedule.trainable(epoch) for epoch in (1, 2, 3, 4, 9)]
    everything = {"fc", "layer2", "layer1", "stem"}
    assert learning == [{"fc"}, {"fc"}, {"fc", "layer2"}, everything, everything]
    model = _net()
    assert _learning(schedule.apply(model, 4)) == everything
    assert _learning(schedule.apply(model, 1)) == {"fc"}  # back again


def test_it_prints_and_can_be_edited_like_a_dictionary():
    schedule = UnfreezeSchedule({4: "layer2", 1: "fc"})
    assert str(schedule) == "from epoch 1: fc\nfrom epoch 4: layer2"
    schedule[6] = ["layer1"]
    del schedule[4]
    assert dict(schedule) == {1: ("fc",), 6: ("layer1",)}
    assert eval(repr(schedule)) == schedule


def test_gradual_wakes_one_stage_after_another():
    model = _net()
    assert dict(UnfreezeSchedule.gradual(model, every=3)) == {
        1: ("fc",), 4: ("layer2",), 7: ("layer1",), 10: ("stem",),
    }  # fmt: skip
    assert list(UnfreezeSchedule.gradual(model, last="layer2")) == [1, 2]


def test_the_table_marks_who_learns_when():
    table = UnfreezeSchedule(SCHEDULE).table(_net(), epochs=4)
    assert table.loc["layer2"].tolist() == [False, False, True, True]
    assert table.index.tolist() == ["stem", "layer1", "layer2", "fc"]


def _run(model, optimizer, epochs, history=None):
    return fit(
        model, _loader(), None, optimizer=optimizer, epochs=epochs, history=history,
        callbacks=[UnfreezeSchedule(SCHEDULE)], progress=False,
    )  # fmt: skip


def _sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def test_only_what_is_awake_moves_and_batchnorm_holds_still():
    model = _net()
    before = copy.deepcopy(model.state_dict())
    optimizer = _sgd(model)
    _run(model, optimizer, 3)
    after = model.state_dict()
    moved = {n.split(".")[0] for n, v in after.items() if not torch.equal(v, before[n])}
    assert moved == {"fc", "layer2"}
    assert model.stem.weight not in optimizer.state


@pytest.mark.parametrize("pause", [1, 2, 3, 4])
def test_a_resumed_run_is_bit_equal_to_one_that_never_stopped(pause):
    whole, parts = _net(), _net()
    _run(whole, _sgd(whole), 5)
    first = _sgd(parts)
    history = _run(parts, first, pause)
    again = _net()
    again.load_state_dict(parts.state_dict())
    second = _sgd(again)
    second.load_state_dict(first.state_dict())
    _run(again, second, 5, history)
    state = again.state_dict()
    assert all(torch.equal(state[n], v) for n, v in whole.state_dict().items())


@pytest.mark.parametrize(
    ("stages", "text"),
    [({}, "at least one entry"), ({0: ["fc"]}, "count from 1, got 0"),
     ({1: []}, "names no stage"), ({True: ["fc"]}, "count from 1")],
)  # fmt: skip
def test_schedules_that_make_no_sense_are_refused(stages, text):
    with pytest.raises(ValueError, match=text):
        UnfreezeSchedule(stages)


def test_unknown_stages_and_an_epoch_of_rest_are_named():
    with pytest.raises(ValueError, match="no stage 'layer9'; stages are stem"):
        UnfreezeSchedule({1: ["layer9"]}).apply(_net(), 1)
    with pytest.raises(ValueError, match="nothing learns in epoch 1.*for epoch 3"):
        UnfreezeSchedule({3: ["fc"]}).apply(_net(), 1)
    with pytest.raises(ValueError, match="no stage 'x'"):
        UnfreezeSchedule.gradual(_net(), last="x")
    for wrong in (None, [], "fc", {}):
        said = "stages must be a mapping|a schedule needs at least one entry"
        with pytest.raises((TypeError, ValueError), match=said):
            UnfreezeSchedule(wrong)
    with pytest.raises(ValueError, match="stages are names, such as"):
        UnfreezeSchedule({1: 5})
    with pytest.raises(ValueError, match="every must be"):
        UnfreezeSchedule.gradual(_net(), every=0)
