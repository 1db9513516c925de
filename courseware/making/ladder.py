"""A ladder of checkpoints: each bundled net, trained for a short, a middling, a long time.

Lesson 02 asks with them whether a net that is better at its source task also transfers
better (Kornblith et al., 2019, https://arxiv.org/abs/1805.08974).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from course_utils.storage import atomic_path, data_dir
from course_utils.weights import BUNDLED, build_bundled
from courseware.making.drawing.source_world import SHAPES, draw_batch
from courseware.making.pretraining import RECIPES, normalise, train

STEPS = (100, 400, 1600)  # of 64 pictures
RUNGS = tuple((name, steps) for name in BUNDLED for steps in STEPS)
_TEST_SEED = 10**9  # far from the seeds of any training step


def rung_path(name: str, steps: int) -> Path:
    """Return where a checkpoint of the ladder is stored."""
    return data_dir() / "weights" / "ladder" / f"{name}_{steps}.safetensors"


def train_rung(name: str, steps: int) -> Path:
    """Train one net from scratch for some steps of the source world, and store it.

    Its recipe is that of the bundled weights, less the glyphs, with the learning rate
    falling to 0 at its own last step. Stored in half precision.
    """
    recipe = RECIPES[name]
    warmup = min(recipe.warmup, steps // 4)
    model, _ = train(replace(recipe, steps=steps, warmup=warmup, glyphs=0.0))
    state = {
        key: value.half().contiguous() if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    }
    path = rung_path(name, steps)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        save_file(state, temporary)
    return path


def load_rung(name: str, steps: int) -> nn.Module:
    """Load a checkpoint of the ladder in eval mode, with its head for shapes."""
    model = build_bundled(name, num_classes=len(SHAPES))
    state = load_file(rung_path(name, steps))
    model.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    )
    return model.eval()


def source_accuracy(model: nn.Module, *, pictures: int = 1024) -> float:
    """Share of shapes named rightly, on pictures of the source world not trained on."""
    images, labels = draw_batch(pictures, seed=_TEST_SEED)
    with torch.inference_mode():
        guesses = [model(normalise(part)).argmax(1) for part in images.split(128)]
    right: Tensor = torch.cat(guesses) == labels["shape"]
    return right.double().mean().item()


def main(argv: list[str] | None = None) -> int:
    """Command line: `course ladder` trains all twelve again."""
    parser = argparse.ArgumentParser(prog="course ladder")
    parser.add_argument("models", nargs="*", help="such as test_vit; all by default")
    options = parser.parse_args(argv)
    for name, steps in RUNGS:
        if not options.models or name in options.models:
            print(train_rung(name, steps).name, flush=True)
    return 0
