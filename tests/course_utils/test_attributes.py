"""Labels for several tasks, out of a table of attributes."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from course_utils.datasets import MISSING, load_dataset, with_attributes
from course_utils.errors import DatasetError


@pytest.fixture(scope="module")
def flowers():
    return load_dataset("flowers", per_class=8)


def test_attributes_become_labels_of_tasks(flowers):
    data = with_attributes(flowers.train, ["species", "colour", "petals"])
    image, labels = data[3]
    row = flowers.train.attributes.iloc[3]
    assert torch.equal(image, flowers.train[3][0])
    assert labels["species"] == int(flowers.train.labels[3])
    assert data.classes["colour"][labels["colour"]] == row["colour"]
    assert data.classes["petals"][labels["petals"]] == row["petals"]
    assert data.tasks["species"] == 5 and data.classes["species"] == flowers.classes


def test_batches_are_those_of_single_pictures(flowers):
    data = with_attributes(flowers.train, ["colour"])
    images, labels = next(iter(DataLoader(data, 4)))
    for i in range(4):
        assert torch.equal(images[i], data[i][0])
    assert labels["colour"].tolist() == [data[i][1]["colour"] for i in range(4)]
    assert labels["colour"].dtype == torch.long


def test_a_class_has_the_same_index_in_every_split(flowers):
    train = with_attributes(flowers.train, ["colour"])
    few = flowers.val.subset(flowers.val.attributes["colour"] == "white")
    val = with_attributes(few, ["colour"])
    assert val.classes == train.classes
    assert set(val.labels["colour"].tolist()) == {
        train.classes["colour"].index("white")
    }


def test_classes_may_be_named(flowers):
    few = flowers.val.subset(flowers.val.attributes["colour"] == "white")
    named = with_attributes(few, ["colour"], classes={"colour": ["white", "green"]})
    assert named.tasks == {"colour": 2} and not named.labels["colour"].any()
    with pytest.raises(
        DatasetError, match="colour: 'white' is none of its classes red"
    ):
        with_attributes(few, ["colour"], classes={"colour": ["red"]})


def test_hidden_labels_are_a_seeded_share_and_nested(flowers):
    def hidden(share, seed=0):
        data = with_attributes(flowers.train, ["species", "colour"],
                               hide={"colour": share}, seed=seed)  # fmt: skip
        assert (data.labels["species"] != MISSING).all()
        return set((data.labels["colour"] == MISSING).nonzero()[:, 0].tolist())

    n = len(flowers.train)
    assert len(hidden(0.25)) == n // 4 and hidden(0.25) == hidden(0.25)
    assert hidden(0.25) < hidden(0.5) and hidden(0.25) != hidden(0.25, seed=1)
    assert not hidden(0) and len(hidden(1)) == n


def test_a_value_that_the_table_lacks_is_a_missing_label(flowers):
    data = flowers.train.subset(range(6))
    data.attributes = data.attributes.assign(colour=["red", None] * 3)
    found = with_attributes(data, ["colour"])
    red = found.classes["colour"].index("red")
    assert found.labels["colour"].tolist() == [red, MISSING] * 3
    assert found.label_counts() == {"colour": 3}


def test_a_subset_keeps_labels_and_classes(flowers):
    data = with_attributes(flowers.train, ["colour"], hide={"colour": 0.5})
    for chosen in ([3, 1], np.arange(len(data)) % 2 == 1, range(2)):
        part = data.subset(chosen)
        places = np.arange(len(data))[np.asarray(chosen)]
        assert part.labels["colour"].tolist() == data.labels["colour"][places].tolist()
        assert torch.equal(part[0][0], data[places[0]][0])
        assert part.classes == data.classes


def test_a_column_of_your_own_is_a_task(flowers):
    data = flowers.train.subset(range(4))
    data.attributes = data.attributes.assign(tall=["no", "yes", "no", "yes"])
    assert with_attributes(data, ["tall"]).labels["tall"].tolist() == [0, 1, 0, 1]


def test_a_column_that_has_no_order_is_in_nobody_s_way(flowers):
    data = flowers.train.subset(range(4))
    data.attributes = data.attributes.assign(note=["old", 3, "new", 3])
    assert with_attributes(data, ["colour"]).labels["colour"].min() >= 0
    assert with_attributes(data, ["note"]).labels["note"].tolist() == [2, 0, 1, 0]


def test_another_transform_keeps_the_labels(flowers):
    data = with_attributes(flowers.train, ["colour"], hide={"colour": 0.5})
    plain = data.with_transform(None)
    assert plain.transform is None and data.transform is not None
    assert plain[0][0].max() <= 1 and plain[0][1] == data[0][1]
    assert data.fingerprint == plain.fingerprint
    other = with_attributes(flowers.train, ["colour"])
    assert other.fingerprint != data.fingerprint


def test_names_that_are_not_there_are_told(flowers):
    for names in (["color"], ["colour", "color"]):
        with pytest.raises(
            DatasetError, match="no attribute 'color'; there are species"
        ):
            with_attributes(flowers.train, names)
    with pytest.raises(DatasetError, match="name at least one"):
        with_attributes(flowers.train, [])
    with pytest.raises(DatasetError, match="'colour' is an attribute already"):
        with_attributes(flowers.train, ["colour"], label="colour")
    with pytest.raises(DatasetError, match="hide names 'petals', which is none"):
        with_attributes(flowers.train, ["colour"], hide={"petals": 0.5})
    with pytest.raises(
        ValueError, match=r"hide\['colour'\] must be a number from 0 to 1, got 2"
    ):
        with_attributes(flowers.train, ["colour"], hide={"colour": 2})
    with pytest.raises(DatasetError, match="a list has no table of attributes"):
        with_attributes([1], ["colour"])


def test_other_data_sets_name_their_own_classes():
    data = load_dataset("defects", per_class=2).train
    found = with_attributes(data, ["defect", "metal"], label="defect")
    assert found.classes["defect"] == data.classes and found.tasks["metal"] > 1
    assert "metal" in repr(found)


def test_one_name_is_taken_whole():
    data = load_dataset("flowers", per_class=2).train
    assert list(with_attributes(data, "colour").tasks) == ["colour"]
    with pytest.raises(DatasetError, match="no attribute 'color'; there are"):
        with_attributes(data, "color")
