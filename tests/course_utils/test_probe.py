import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_utils.probe import knn_probe, linear_probe, similarity_search


def _clusters(n=10, seed=0):
    """Three well separated classes in two dimensions."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[9.0, 9.0], [9.0, 0.0], [0.0, 30.0]])
    labels = torch.arange(3).repeat_interleave(n)
    return centres[labels] + torch.randn(3 * n, 2, generator=generator), labels


@pytest.mark.parametrize("fit", [linear_probe, knn_probe])
def test_probes_tell_separated_classes(fit):
    probe = fit(*_clusters())
    assert probe.score(*_clusters(seed=1)) == 1.0


@pytest.mark.parametrize("fit", [linear_probe, knn_probe])
def test_missing_labels_are_named(fit):
    features, labels = _clusters()
    labels[3] = -1
    with pytest.raises(ValueError, match="-1, which says that a label is missing"):
        fit(features, labels)
    with pytest.raises(ValueError, match=r"by task \(colour\): .*labels\['colour'\]"):
        fit(features, {"colour": labels})


def test_features_are_scaled_by_the_training_set_with_a_floor():
    features, labels = _clusters()
    scaler = linear_probe(features, labels)[0]
    variance = features.var(0, correction=0)
    assert scaler.mean_ == pytest.approx(features.mean(0).tolist())
    expected = (variance + variance.mean()).sqrt()
    assert scaler.scale_ == pytest.approx(expected.tolist())


def _mostly_still(n, seed):
    """Four features that tell five classes, and a thousand that hardly vary."""
    drawn = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(5, 4, generator=torch.Generator().manual_seed(9))
    labels = torch.arange(5).repeat_interleave(n)
    telling = centres[labels] + torch.randn(5 * n, 4, generator=drawn)
    still = 7 + 0.01 * torch.randn(5 * n, 1000, generator=drawn)
    return torch.cat([telling, still], 1), labels


def test_features_that_hardly_vary_do_not_drown_the_others():
    train, test = _mostly_still(5, seed=0), _mostly_still(100, seed=1)
    x, y = (part.numpy() for part in train)
    standardised = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    plain = LogisticRegression(max_iter=5000).fit(x, y)
    found = linear_probe(*train).score(*test)
    assert found >= plain.score(*test) - 0.02
    assert found >= standardised.score(*test) + 0.1


def test_constant_features_are_no_division_by_zero():
    x = torch.ones(6, 3)
    assert linear_probe(x, torch.arange(6) % 2).predict(x).tolist() == [0] * 6


def test_the_penalty_is_chosen_on_pictures_left_out():
    drawn = torch.Generator().manual_seed(0)
    labels = torch.arange(2).repeat_interleave(30)
    noise = torch.randn(60, 40, generator=drawn)
    strength = {"noise": 0.0, "signal": 4.0}
    chosen = {
        name: linear_probe(noise + size * labels[:, None], labels)[-1].C
        for name, size in strength.items()
    }
    assert chosen["noise"] == 0.01 < chosen["signal"]


def test_a_class_with_one_picture_leaves_nothing_to_choose_by():
    features, labels = torch.eye(3), torch.tensor([0, 1, 2])
    probe = linear_probe(features, labels)
    assert probe[-1].C == 1.0 and probe.predict(features).tolist() == [0, 1, 2]


def test_a_linear_probe_has_one_row_of_weights_a_class():
    assert linear_probe(*_clusters())[-1].coef_.shape == (3, 2)


def test_a_small_c_shrinks_the_weights():
    strong, weak = (linear_probe(*_clusters(), C=C)[-1].coef_ for C in (1e-3, 1.0))
    assert abs(strong).max() < abs(weak).max() / 5


def test_the_nearest_neighbour_of_a_training_picture_is_itself():
    features, labels = _clusters()
    mixed = labels[torch.randperm(30, generator=torch.Generator().manual_seed(0))]
    assert knn_probe(features, mixed, k=1).score(features, mixed) == 1.0


@pytest.mark.parametrize("k", [0, 31])
def test_k_must_be_a_number_of_pictures(k):
    with pytest.raises(
        ValueError, match=f"k must be a whole number from 1 to 30, got {k}"
    ):
        knn_probe(*_clusters(), k=k)


@pytest.mark.parametrize("fit", [linear_probe, knn_probe])
@pytest.mark.parametrize(
    ("features", "labels", "words"),
    [
        (torch.zeros(4, 2, 2), [0, 1, 0, 1], r"must be \(N, D\), got \(4, 2, 2\)"),
        (torch.zeros(3, 2), [0, 1, 0, 1], "3 features but 4 labels"),
        (torch.full((4, 2), float("inf")), [0, 1, 0, 1], "NaN or infinity"),
        (torch.zeros(4, 2), [1, 1, 1, 1], "one class only"),
    ],
)
def test_tables_that_cannot_be_learned_from_are_named(fit, features, labels, words):
    with pytest.raises(ValueError, match=words):
        fit(features, torch.tensor(labels))


def test_search_ranks_by_cosine_whatever_the_length():
    features = torch.tensor([[0.0, 2.0], [5.0, 5.0], [0.1, 0.0], [-3.0, 0.0]])
    indices, likeness = similarity_search(torch.tensor([4.0, 0.0]), features, k=4)
    assert indices.tolist() == [2, 1, 0, 3]
    assert likeness.tolist() == pytest.approx([1, 0.5**0.5, 0, -1], abs=1e-6)


@pytest.mark.parametrize("k", [0, 3])
def test_search_finds_no_more_rows_than_there_are(k):
    with pytest.raises(
        ValueError, match=f"k must be a whole number from 1 to 2, got {k}"
    ):
        similarity_search(torch.ones(3), torch.ones(2, 3), k=k)


@pytest.mark.parametrize("shape", [(1, 3), (4,)])
def test_search_names_shapes_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"query must be \(D,\) and features \(N, D\)"):
        similarity_search(torch.ones(shape), torch.ones(2, 3))


@pytest.mark.parametrize("C", [0, -1.0, float("nan"), float("inf"), "1"])
def test_the_strength_of_a_penalty_is_above_0(C):
    with pytest.raises(ValueError, match="C must be a number above 0"):
        linear_probe(torch.randn(6, 2), torch.arange(6) % 2, C=C)


def test_features_of_a_graph_and_of_half_precision_are_taken():
    drawn = torch.Generator().manual_seed(0)
    features, labels = torch.randn(12, 3, generator=drawn), torch.arange(12) % 2
    features[:, 0] += labels
    expected = linear_probe(features, labels).score(features, labels)
    for given in (features.clone().requires_grad_(), features.to(torch.bfloat16)):
        assert linear_probe(given, labels.int()).score(features, labels) == expected


@pytest.mark.parametrize(
    ("features", "labels", "error", "words"),
    [
        (None, [0, 1], TypeError, "features is a NoneType"),
        (torch.ones(2, 2), ["a", "b"], TypeError, "labels is a list"),
        (torch.ones(2, 2), [0.4, 1.0], ValueError, "whole numbers"),
        (torch.ones(2, 2), [[0], [1]], ValueError, "labels must be"),
        (torch.ones(2, 2), 1, ValueError, "labels must be"),
        (torch.ones(2, 2), {}, ValueError, "labels are by task"),
    ],
)
def test_what_is_no_table_is_named(features, labels, error, words):
    for probe in (linear_probe, knn_probe):
        with pytest.raises(error, match=words):
            probe(features, labels)


def test_a_search_in_nan_is_refused():
    broken = torch.ones(3, 2)
    broken[1] = float("nan")
    with pytest.raises(ValueError, match="features hold NaN"):
        similarity_search(torch.ones(2), broken, k=1)
    with pytest.raises(ValueError, match="query hold NaN"):
        similarity_search(broken[1], torch.ones(3, 2), k=1)
