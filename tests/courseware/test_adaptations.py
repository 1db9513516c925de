"""What the claims' arms share: pictures, wrong labels, schedules, widths, BatchNorm."""

import numpy as np
import pytest
import torch
from torch import nn

from courseware.claims import adaptations
from courseware.claims.adaptations import Task, label, splits
from courseware.claims.topics.learning_curves import validation
from courseware.claims.topics.rates import compared, width
from courseware.claims.topics.unfreezing import in_bundles, mislabelled
from courseware.making.drawing import flowers, tied
from courseware.making.drawing.flowers import CLASSES, GROUNDS


@pytest.fixture(scope="module")
def task():
    return Task.draw(
        "test_resnet", "flowers", 0, per_class=2, val_per_class=3, epochs=1
    )


def test_a_task_holds_few_pictures_and_those_of_elsewhere(task):
    assert (len(task.pictures), len(task.val), len(task.test)) == (10, 15, 600)
    assert len(task.elsewhere) == 600 and task.classes == 5


def test_a_run_takes_its_steps_and_its_passes(task, monkeypatch):
    seen = []
    monkeypatch.setattr(adaptations, "fit", lambda *a, **o: seen.append(o["epochs"]))
    for steps, epochs in ((1, 3), (7, 3), (1, 1)):
        Task(**{**vars(task), "steps": steps, "epochs": epochs}).train(task.new(), None)
    assert seen == [3, 7, 1]


def test_a_run_that_diverges_is_scored_as_it_stands(task):
    model = task.new()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e30)
    Task(**{**vars(task), "epochs": 5}).train(model, optimizer)
    assert 0 <= task.score(model) <= 0.5


@pytest.mark.parametrize("held", [True, False])
def test_batchnorm_is_held_or_trained(task, held):
    before = dict(task.new().named_buffers())
    after = dict(task.tuned(1e-3, held=held).named_buffers())
    same = torch.equal(before["bn1.running_mean"], after["bn1.running_mean"])
    assert same is held


def test_answers_are_learned_in_the_place_of_labels(task):
    wanted = nn.functional.one_hot((task.pictures.labels + 1) % 5, 5) * 20.0
    taught = Task(**{**vars(task), "answers": wanted, "epochs": 30})
    model = taught.tuned(3e-3)
    said = torch.cat([model(x[None]).argmax(1) for x, _ in task.pictures])
    assert torch.equal(said, wanted.argmax(1))


def test_the_search_keeps_what_validates_best(task):
    model, rate = task.search((1e-9, 1e-3))
    assert rate == 1e-3 and task.valued(model) > task.valued(task.new())


def test_pictures_are_read_once(task):
    assert adaptations.ready(task.test) is adaptations.ready(task.test)
    assert splits("test_resnet", "flowers") is splits("test_resnet", "flowers")


def test_folders_are_called_photographs():
    assert label("folder:/here/flowers") == "photographs" and label("cells") == "cells"


@pytest.mark.parametrize("own", [True, False])
def test_a_species_stands_on_its_ground_or_on_any_other(own, monkeypatch):
    seen = []

    def draw(species, rng, *, ground):
        seen.append(CLASSES.index(species) == GROUNDS.index(ground))
        return flowers.draw(species, rng, ground=ground)

    monkeypatch.setattr(tied, "draw", draw)
    tied._drawn.cache_clear()
    pictures = tied.tied_flowers(3, seed=1, tied=own)
    tied._drawn.cache_clear()
    assert seen == [own] * 15 and pictures.class_counts()["daisy"] == 3
    with pytest.raises(ValueError):
        flowers.draw("daisy", np.random.default_rng(0), ground="sea")


def test_a_share_of_the_labels_is_wrong(task):
    wrong = mislabelled(task.pictures, 0.3, seed=1)
    assert (wrong.labels != task.pictures.labels).sum() == 3
    assert torch.equal(
        mislabelled(task.pictures, 0.0, seed=1).labels, task.pictures.labels
    )


def test_the_head_wakes_first_and_the_stem_last():
    schedule = in_bundles(adaptations.pretrained("test_resnet", num_classes=5))
    assert schedule.starts(1) == ("fc",) and schedule.starts(5)[-1] == "layer4"
    assert set(schedule) == {1, 5, 9, 13} and len(schedule.trainable(13)) == 6


def test_widths_are_decades_between_rates_on_a_straight_line():
    flat = {1e-3: 0.9, 1e-2: 0.9, 1e-1: 0.9}
    peak = {1e-3: 0.5, 1e-2: 0.9, 1e-1: 0.5}
    assert width(flat, 0.9) == pytest.approx(2, abs=0.01)
    assert width(peak, 0.87) == pytest.approx(2 * 0.03 / 0.4, abs=0.01)
    found = compared({"one rate": peak, "halved": flat})
    assert found["wider by halved"] == pytest.approx(2 - 2 * 0.03 / 0.4, abs=0.01)


def test_validation_is_what_a_customer_could_spare():
    assert [validation(n) for n in (2, 5, 10, 50)] == [5, 5, 10, 20]
