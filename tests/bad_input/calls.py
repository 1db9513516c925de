"""Good calls of public callables, one argument of which the tests then spoil.

Every entry gives the arguments of a call that works, made anew for each call, and for
each argument the bad values that it may take after all (`Right`), with the reason.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.utils.data import TensorDataset

from course_utils import (
    checkpoints,
    cut,
    datasets,
    distillation,
    features,
    heads,
    inspection,
    layer_groups,
    lr_finder,
    lr_schedules,
    measured,
    memory,
    meta_tensors,
    metrics,
    multitask,
    param_groups,
    plots,
    predictions,
    probe,
    runtime,
    study,
    training,
    weights,
    widgets,
    zoo,
)
from courseware import claims, grading
from courseware.claims import missing_class
from courseware.claims.topics import memory as memory_claim
from courseware.making import drawing

CLASSES = 3
BAD: dict[str, Any] = {
    "None": None,
    "wrong type": object(),
    "empty": "",
    "0": 0,
    "-1": -1,
    "NaN": float("nan"),
    "inf": float("inf"),
    "wrong shape": torch.zeros(2, 3, 1, 4, 1),
    "wrong dtype": torch.zeros(3, dtype=torch.complex64),
    "missing path": Path("no/such/file.pth"),
}


@dataclass(frozen=True)
class Call:
    """A call that works, and which of the bad values an argument may take after all."""

    function: Callable
    arguments: Callable[[], dict[str, Any]]
    right: Mapping[str, str] = field(default_factory=dict)


def net(num_classes: int = CLASSES):
    return weights.load_backbone("test_resnet", num_classes=num_classes)


def student():
    return weights.load_backbone("test_resnet", weights="random", num_classes=CLASSES)


def pictures(count: int = 6) -> torch.Tensor:
    return torch.linspace(-1, 1, count * 3 * 32 * 32).reshape(count, 3, 32, 32)


def labels(count: int = 6) -> torch.Tensor:
    return torch.arange(count) % CLASSES


def dataset():
    return TensorDataset(pictures(), labels())


def loader():
    return training.make_loader(dataset(), batch_size=3)


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.01)


def learning(**more):
    """A net and an optimiser of its parameters."""
    model = net()
    return {"model": model, "optimizer": sgd(model), **more}


def drawn():
    return datasets.load_dataset("flowers", per_class=3, image_size=32).train


def rows(count: int = 12) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(0))


def photo() -> Image.Image:
    return Image.new("RGB", (40, 32), "green")


def two_tasks():
    backbone = weights.load_backbone("test_resnet", num_classes=0)
    return multitask.MultiTaskModel(backbone, {"a": 2, "b": 3})


def task_batch():
    return pictures(), {"a": labels() % 2, "b": labels()}


def interval():
    return metrics.mean_interval([0.1, 0.2, 0.3])


def curve():
    rates = [10.0**k for k in range(-5, 0)]
    return {"lrs": rates, "losses": [2, 1.9, 1.5, 1, 1.2], "scales": [1.0]}


def figures():
    return zoo.zoo_table()


def question():
    return widgets.Question("Which?", ["a", "b"], answer=0, why=["yes", "no"])


def _folder() -> Path:
    return Path(tempfile.mkdtemp())


def saved() -> Path:
    path = _folder() / "a.pt"
    return checkpoints.save_checkpoint(path, model=net(), epoch=1)


def square(x: float) -> dict[str, float]:
    return {"y": x * x}


def study_folder() -> Path:
    folder = _folder()
    study.run_study(square, {"x": [1.0, 2.0]}, folder, progress=False)
    return folder


def cut_net():
    return cut.CutModel(layer_groups.freeze(net()), input_size=(3, 32, 32))


def grouped():
    model = net()
    return {"model": model, "groups": param_groups.param_groups(model, 0.1, ratio=0.5)}


def logits() -> torch.Tensor:
    return rows(6)[:, :CLASSES]


CALLS = [
    # weights and data
    Call(weights.load_backbone, lambda: {"name": "test_resnet"}, {"num_classes": "0"}),
    Call(weights.find_weights, lambda: {"name": "test_resnet"}),
    Call(weights.imagenet_is_cached, lambda: {"name": "test_resnet"}),
    Call(
        datasets.load_dataset,
        lambda: {"name": "flowers", "per_class": 2, "image_size": 32},
        {"seed": "0, -1"},
    ),
    Call(datasets.default_dataset, dict, {"default": "empty"}),
    Call(
        datasets.training_transform,
        lambda: {"weights_info": net().weights_info, "image_size": 32},
        {"flip": "0", "jitter": "0"},
    ),
    Call(
        datasets.with_attributes,
        lambda: {"dataset": drawn(), "names": ["colour"]},
        {"seed": "0", "label": "empty"},
    ),
    Call(measured.read_measured, lambda: {"name": "latency"}),
    # architectures
    Call(inspection.inspect_model, lambda: {"model": "test_resnet"}),
    Call(meta_tensors.build_on_meta, lambda: {"name": "test_resnet"}),
    Call(memory.state_bytes, lambda: {"model": net()}),
    Call(heads.find_heads, lambda: {"model": net()}),
    Call(heads.feature_dim, lambda: {"model": net()}),
    Call(
        heads.replace_head,
        lambda: {"model": net(), "num_classes": 4},
        {"num_classes": "0", "dropout": "0"},
    ),
    Call(heads.check_head, lambda: {"model": net(), "num_classes": CLASSES}),
    Call(layer_groups.layer_groups, lambda: {"model": net()}),
    Call(layer_groups.freeze, lambda: {"model": net()}),
    Call(layer_groups.unfreeze, lambda: {"model": net()}),
    Call(layer_groups.hold_batchnorm, lambda: {"model": net()}),
    Call(layer_groups.trainable_parameters, lambda: {"model": net()}),
    Call(layer_groups.UnfreezeSchedule, lambda: {"stages": {1: "fc"}}),
    Call(
        param_groups.param_groups,
        lambda: {"model": net(), "lr": 0.1, "ratio": 0.5},
        {"min_scale": "0", "weight_decay": "0"},
    ),
    Call(param_groups.check_groups, grouped),
    Call(param_groups.group_table, lambda: {"groups": grouped()["groups"]}),
    # training
    Call(
        training.make_loader,
        lambda: {"dataset": dataset()},
        {"seed": "0, -1", "workers": "0"},
    ),
    Call(
        training.classification_step,
        lambda: {"model": net(), "batch": (pictures(), labels())},
    ),
    Call(training.evaluate, lambda: {"model": net(), "loader": loader()}),
    Call(
        training.train_one_epoch,
        lambda: learning(loader=loader(), progress=False),
        {"clip_norm": "inf"},  # measures the norm, and clips nothing
    ),
    Call(
        training.fit,
        lambda: learning(train=loader(), val=None, epochs=1, progress=False),
        {
            "val": "None",
            "clip_norm": "inf",
            "callbacks": "None, empty",
            "resume": "missing path",  # it makes the folder
        },
    ),
    Call(training.Engine, dict, {"augment": "None"}),
    Call(training.profile, lambda: learning(loader=loader(), batches=1)),
    Call(training.EarlyStopping, dict),
    Call(training.BestWeights, dict),
    Call(lr_finder.lr_range_test, lambda: learning(loader=loader(), num_iter=5)),
    Call(lr_finder.LRCurve, curve, {"stopped": "empty"}),
    Call(
        lr_schedules.lr_schedule,
        lambda: {"optimizer": sgd(net()), "steps": 10},
        {"warmup": "0", "drops": "0"},
    ),
    Call(
        checkpoints.save_checkpoint,
        lambda: {"path": _folder() / "a.pt", "model": net(), "epoch": 1},
        {"epoch": "0", "path": "missing path"},  # it makes the folder
    ),
    Call(checkpoints.load_checkpoint, lambda: {"path": saved(), "model": net()}),
    # features
    Call(
        features.extract_features,
        lambda: {"model": net(), "dataset": dataset(), "cache": False},
        {"layer": "empty"},  # the name of the whole, as in PyTorch
    ),
    Call(
        features.feature_maps,
        lambda: {"model": net(), "image": pictures()[0], "layer": "layer1"},
    ),
    Call(
        features.fit_head,
        lambda: {"features": rows(), "labels": labels(12), "num_classes": CLASSES},
        {"seed": "0, -1"},
    ),
    Call(probe.linear_probe, lambda: {"features": rows(), "labels": labels(12)}),
    Call(probe.knn_probe, lambda: {"features": rows(), "labels": labels(12)}),
    Call(probe.similarity_search, lambda: {"query": rows()[0], "features": rows()}),
    Call(cut.CutModel, lambda: {"model": layer_groups.freeze(net())}),
    Call(cut.cached_activations, lambda: {"cut": cut_net(), "dataset": dataset()}),
    Call(
        predictions.top_k,
        lambda: {"model": weights.load_backbone("test_resnet"), "image": photo()},
        {"classes": "None"},
    ),
    Call(predictions.predict, lambda: {"model": net(), "data": dataset()}),
    Call(predictions.recorded_top_k, lambda: {"photo": "hopper"}),
    # metrics, plots
    Call(metrics.accuracy, lambda: {"predictions": logits(), "labels": labels()}),
    Call(
        metrics.confusion_matrix, lambda: {"predictions": labels(), "labels": labels()}
    ),
    Call(metrics.mean_interval, lambda: {"values": [0.1, 0.2, 0.4]}),
    Call(metrics.paired_interval, lambda: {"a": [0.1, 0.2, 0.4], "b": [0.2, 0.2, 0.3]}),
    Call(
        plots.plot_intervals,
        lambda: {"arms": {"a": interval()}, "title": "A"},
        {"title": "empty", "xlabel": "empty", "alt": "empty"},
    ),
    Call(
        plots.plot_seeds,
        lambda: {"rows": {"a": [1.0, 2.0]}, "title": "A"},
        {"title": "empty", "xlabel": "empty", "alt": "empty"},
    ),
    Call(
        plots.plot_curves,
        lambda: {"panels": {"a": {"b": {1: [0.5, 0.6]}}}, "title": "A", "xlabel": "x"},
        {"title": "empty", "xlabel": "empty", "ylabel": "empty", "alt": "empty"},
    ),
    Call(
        plots.show_images,
        lambda: {"images": pictures()},
        {"title": "empty", "alt": "empty"},
    ),
    Call(runtime.seed_everything, dict, {"seed": "0, -1"}),
    Call(runtime.set_threads, lambda: {"n": 1}),
    # further lessons
    Call(
        distillation.distillation_loss,
        lambda: {
            "student_logits": logits(),
            "teacher_logits": logits(),
            "labels": labels(),
        },
        {"alpha": "0"},
    ),
    Call(distillation.Teacher, lambda: {"model": net()}),
    Call(distillation.cached_logits, lambda: {"teacher": net(), "dataset": dataset()}),
    Call(
        distillation.TaughtDataset,
        lambda: {"dataset": dataset(), "logits": torch.zeros(len(dataset()), CLASSES)},
    ),
    Call(distillation.DistillationStep, lambda: {"teacher": net()}, {"alpha": "0"}),
    Call(distillation.CachedDistillationStep, dict, {"alpha": "0"}),
    Call(
        distillation.FeatureDistillation,
        lambda: {
            "student": student(),
            "teacher": net(),
            "layers": ("layer3", "layer3"),
        },
        {"weight": "0"},
    ),
    Call(
        multitask.MultiTaskModel,
        lambda: {
            "backbone": weights.load_backbone("test_resnet", num_classes=0),
            "tasks": {"a": 2},
        },
    ),
    Call(multitask.MultiTaskStep, dict),
    Call(multitask.UncertaintyWeights, lambda: {"tasks": ["a", "b"]}),
    Call(
        multitask.gradient_cosine, lambda: {"model": two_tasks(), "batch": task_batch()}
    ),
    Call(zoo.zoo_table, dict),
    Call(zoo.best_under, lambda: {"table": figures(), "params": 30}, {"params": "inf"}),
    Call(zoo.pareto_front, lambda: {"table": figures(), "cost": "params"}),
    Call(zoo.family_of, lambda: {"name": "resnet18"}, {"name": "empty"}),
    Call(
        zoo.measure_latency,
        lambda: {
            "model": net(),
            "image_size": 32,
            "repeats": 2,
            "warmup": 0,
            "max_seconds": 1,
        },
        {"warmup": "0", "max_seconds": "0"},  # then three passes
    ),
    Call(
        study.run_study,
        lambda: {
            "run": square,
            "grid": {"x": [1.0]},
            "folder": _folder(),
            "progress": False,
        },
        {"folder": "missing path"},  # it makes one
    ),
    Call(study.read_study, lambda: {"folder": study_folder()}),
    # widgets
    Call(widgets.ArchitectureExplorer, lambda: {"model": "test_resnet"}),
    Call(
        widgets.FeatureMapViewer,
        lambda: {"model": net(), "image": photo()},
        {"opacity": "0"},
    ),
    Call(widgets.FetchButton, lambda: {"names": ["resnet18"]}),
    Call(widgets.FlowSwitcher, lambda: {"stages": [("a", 3), ("head", 2)]}),
    Call(widgets.FreezePlanner, lambda: {"model": "test_resnet"}),
    Call(
        widgets.LossWeightExplorer,
        lambda: {"record": measured.read_measured("loss_weights").content},
        {"weight": "0"},
    ),
    Call(
        widgets.PictureSwitcher,
        lambda: {"pictures": {"a": photo()}},
        {"label": "empty"},
    ),
    Call(
        widgets.Question,
        lambda: {"prompt": "?", "choices": ["a", "b"], "answer": 1, "why": ["n", "y"]},
        {"answer": "0", "prompt": "empty"},
    ),
    Call(widgets.Quiz, lambda: {"questions": [question()]}),
    Call(widgets.TemperatureExplorer, lambda: {"teacher": net(5), "pictures": drawn()}),
    Call(widgets.TrainingMonitor, dict, {"title": "empty"}),
    Call(widgets.ZooExplorer, dict),
    # the course
    Call(claims.load_claim, lambda: {"id": "C1"}),
    Call(claims.load_photographs, lambda: {"id": "C6"}),
    Call(
        missing_class.best_bias,
        lambda: {"logits": logits(), "labels": labels(), "k": 0},
        {"k": "0"},
    ),
    Call(
        missing_class.shift_bias,
        lambda: {"model": net(), "k": 0, "shift": 0.5},
        {"k": "0", "shift": "0, -1"},
    ),
    Call(missing_class.without_class, lambda: {"dataset": drawn(), "k": 0}, {"k": "0"}),
    Call(
        memory_claim.training_bytes,
        lambda: {"model": net(), "batch_size": 2, "optimizer": "sgd"},
    ),
    Call(
        grading.check,
        lambda: {"task_id": "00.1", "answer": 3},
        {"answer": ", ".join(BAD)},
    ),
    Call(grading.hint, lambda: {"task_id": "00.1", "level": 1}),
    Call(
        drawing.source_world.draw_batch,
        lambda: {"n": 2, "seed": 0},
        {"seed": "0, -1", "glyphs": "0"},
    ),
]
# Errors that are not ours, and why they may stay: (callable, argument, bad value).
RAW: dict[tuple[str, str, str], str] = {}
