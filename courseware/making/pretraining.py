"""Make the bundled weights: small nets trained on the source world, with their cards.

Every step draws fresh pictures. The pooled features answer one linear head for each
attribute (shape, texture, background, both hues, count, span), so that the net may not
learn to ignore any of them. Three more heads predict descriptors that every picture
has: a coarse thumbnail, histograms of its colours, and edge strengths by direction and
scale. The head for the shape is kept with the weights.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from course_utils.measured import read_measured, write_measured
from course_utils.storage import atomic_path, data_dir, sha256_file
from courseware.making.drawing.source_world import (
    ATTRIBUTES,
    GLYPHS,
    SHAPES,
    SIZE,
    draw_batch,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Recipe:
    """How one bundled net is trained."""

    model: str
    role: str = "backbone"
    create_kwargs: dict[str, int] = field(default_factory=dict)
    steps: int = 4000
    batch_size: int = 64
    lr: float = 3e-3
    weight_decay: float = 0.05
    warmup: int = 200
    glyphs: float = 0.0  # share of pictures with a sign of the invented alphabet
    bfloat16: bool = True
    half_precision_file: bool = False
    seed: int = 0


RECIPES = {
    recipe.model: recipe
    for recipe in (
        Recipe("test_resnet", steps=9000),
        Recipe("test_efficientnet", steps=20000, bfloat16=False, glyphs=0.5),
        Recipe("test_convnext", steps=7500, bfloat16=False, lr=2e-3),
        Recipe("test_vit", create_kwargs={"img_size": SIZE}, steps=9000,
               bfloat16=False, lr=1.2e-3, warmup=600),
        Recipe("resnet10t", role="teacher", steps=3000, lr=2e-3,
               half_precision_file=True),
    )
}  # fmt: skip


class AttributeHeads(nn.Module):
    """One linear head for each attribute of the source world, on pooled features."""

    def __init__(self, num_features: int, *, glyphs: bool = False):
        super().__init__()
        self.heads = nn.ModuleDict(
            {name: nn.Linear(num_features, len(k)) for name, k in ATTRIBUTES.items()}
        )

        if glyphs:
            self.heads["glyph"] = nn.Linear(num_features, len(GLYPHS))
        self.thumbnail = nn.Linear(num_features, 3 * 4 * 4)
        self.colours = nn.Linear(num_features, 2 * COLOUR_BINS)
        self.edges = nn.Linear(num_features, 2 * 3 * 4)

    def loss(self, features: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """Sum of the attributes' losses (shape and glyph twice) and the descriptors'.

        `targets` hold the attributes' labels and what `descriptors` finds.
        """
        losses = {
            name: F.cross_entropy(head(features), targets[name])
            for name, head in self.heads.items()
        }
        thumbnail = F.smooth_l1_loss(self.thumbnail(features), targets["thumbnail"])
        guess = self.colours(features).unflatten(1, (2, COLOUR_BINS))
        colours = F.cross_entropy(guess.transpose(1, 2), targets["colours"])
        edges = F.smooth_l1_loss(self.edges(features), targets["edges"])
        described = 4 * thumbnail + 2 * colours + 4 * edges
        forms = losses["shape"] + losses.get("glyph", 0.0)
        return sum(losses.values()) + forms + described


COLOUR_BINS = 64


def descriptors(images: Tensor) -> dict[str, Tensor]:
    """Thumbnail (B, 48), colours (B, 64, 2) and edges (B, 24) of uint8 (B, 3, H, W)."""
    return {
        "thumbnail": F.adaptive_avg_pool2d(images / 64.0 - 2, 4).flatten(1),
        "colours": colour_histograms(images),
        "edges": edge_strengths(images),
    }


def colour_histograms(images: Tensor) -> Tensor:
    """Share of each of 4 x 4 x 4 colours, in all and in the middle: (B, 64, 2)."""
    levels = (images // 64).long()
    index = levels[:, 0] * 16 + levels[:, 1] * 4 + levels[:, 2]  # (B, H, W)
    quarter = images.shape[-1] // 4
    middle = index[:, quarter:-quarter, quarter:-quarter]
    return torch.stack([_shares(index), _shares(middle)], dim=2)


def _shares(index: Tensor) -> Tensor:
    """Share of each colour among a picture's pixels: (B, H, W) -> (B, 64)."""
    rows = torch.arange(len(index), device=index.device).view(-1, 1, 1) * COLOUR_BINS
    cells = len(index) * COLOUR_BINS
    counts = torch.bincount((index + rows).flatten(), minlength=cells)
    return counts.view(len(index), COLOUR_BINS) / index[0].numel()


def edge_strengths(images: Tensor) -> Tensor:
    """Log strength of edges in 4 directions at 3 scales, whole and middle: (B, 24)."""
    grey = images.float().mean(1, keepdim=True) / 255
    found = []
    for _ in range(3):
        dx = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
        dy = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
        quarter = dx.shape[-1] // 4
        for direction in (dx, dy, (dx + dy) / 1.4, (dx - dy) / 1.4):
            strength = direction.abs()
            found.append(strength.mean((1, 2, 3)))
            middle = strength[..., quarter:-quarter, quarter:-quarter]
            found.append(middle.mean((1, 2, 3)))
        grey = F.avg_pool2d(grey, 2)
    return (torch.stack(found, dim=1) + 0.01).log() + 3


def normalise(images: Tensor) -> Tensor:
    """uint8 (B, 3, H, W) -> float, minus mean, divided by standard deviation."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


class _SourceBatches(Dataset):
    """Each step's pictures and targets, drawn from its seed when they are asked for."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe

    def __len__(self) -> int:
        return self.recipe.steps

    def __getitem__(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        recipe = self.recipe
        seed = recipe.seed * 10**7 + step
        images, labels = draw_batch(recipe.batch_size, seed=seed, glyphs=recipe.glyphs)
        return images, {**labels, **descriptors(images)}


def _batches(recipe: Recipe) -> DataLoader:
    """Load pictures and targets of all steps, drawn ahead by one worker process."""
    return DataLoader(_SourceBatches(recipe), batch_size=None, num_workers=1)


def train(
    recipe: Recipe, *, device: str = "cpu", progress: bool = True
) -> tuple[nn.Module, dict[str, float]]:
    """Train one net; return it with its shape head, and its last 50 steps' figures.

    BatchNorm statistics are those of training. The run repeats itself for the same
    recipe, machine and thread count.
    """
    if recipe.steps <= max(recipe.warmup, 2):
        raise ValueError(f"{recipe.model}: {recipe.steps} steps are too few for "
                         f"{recipe.warmup} of warm-up; take at least 3")  # fmt: skip
    torch.manual_seed(recipe.seed)
    model = timm.create_model(recipe.model, num_classes=0, **recipe.create_kwargs)
    model = model.to(device, memory_format=torch.channels_last).train()
    width = getattr(model, "head_hidden_size", model.num_features)
    heads = AttributeHeads(width, glyphs=recipe.glyphs > 0).to(device)
    parameters = [*model.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, total_steps=recipe.steps,
        pct_start=max(recipe.warmup, 2) / recipe.steps,  # it divides by warmup - 1
    )  # fmt: skip
    recent: list[tuple[float, float]] = []
    start = time.perf_counter()
    for step, (images, targets) in enumerate(_batches(recipe), start=1):
        images = images.to(device).contiguous(memory_format=torch.channels_last)
        targets = {name: target.to(device) for name, target in targets.items()}
        with torch.autocast(device, dtype=torch.bfloat16, enabled=recipe.bfloat16):
            features = model(normalise(images))
        features = features.float()
        loss = heads.loss(features, targets)
        if not torch.isfinite(loss):
            raise ValueError(f"{recipe.model}: loss {loss.item()} at step {step}; "
                             f"lower lr (now {recipe.lr})")  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        guess = heads.heads["shape"](features).argmax(1)
        known = targets["shape"] >= 0
        right = (guess == targets["shape"])[known].float().mean().item()
        recent = [*recent[-49:], (loss.item(), right)]
        if progress and step % 100 == 0:
            rate = step * recipe.batch_size / (time.perf_counter() - start)
            means = [sum(v) / len(recent) for v in zip(*recent, strict=True)]
            print(
                f"{recipe.model} step {step}/{recipe.steps} loss {means[0]:.3f} "
                f"shape {means[1]:.3f} {rate:.0f} images/s",
                flush=True,
            )
    figures = {"source_shape_accuracy": sum(r for _, r in recent) / len(recent)}
    return _with_shape_head(model, heads), figures


def _with_shape_head(model: nn.Module, heads: AttributeHeads) -> nn.Module:
    model.reset_classifier(len(SHAPES))
    model.get_classifier().load_state_dict(heads.heads["shape"].state_dict())
    return model.eval().to("cpu", memory_format=torch.contiguous_format)


def save(model: nn.Module, recipe: Recipe, *, minutes: float, folder: Path) -> Path:
    """Write `<model>.safetensors` and its card `<model>.json`; return the first."""
    dtype = torch.float16 if recipe.half_precision_file else None
    state = {
        name: tensor.to(dtype).contiguous()
        if dtype and tensor.is_floating_point()
        else tensor.contiguous()
        for name, tensor in model.state_dict().items()
    }
    path = folder / f"{recipe.model}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        save_file(state, temporary)
    card = {
        "model": recipe.model,
        "role": recipe.role,
        "create_kwargs": recipe.create_kwargs,
        "data": "courseware.making.drawing.source_world, drawn afresh at every step; "
        "no photograph, not ImageNet",
        "recipe": asdict(recipe),
        "seed": recipe.seed,
        "steps": recipe.steps,
        "images_seen": recipe.steps * recipe.batch_size,
        "minutes": round(minutes, 1),
        "licence": "CC BY 4.0",
        "sha256": sha256_file(path),
        "mean": MEAN,
        "std": STD,
        "image_size": SIZE,
        "interpolation": "bilinear",
        "classes": SHAPES,
    }
    with atomic_path(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return path


def pretrain(
    recipe: Recipe, *, device: str = "cpu", folder: Path | None = None
) -> Path:
    """Train one net by its recipe and store it with its card.

    Its figures are stored too, but not where another folder than the course's is given.
    """
    start = time.perf_counter()
    model, figures = train(recipe, device=device)
    minutes = (time.perf_counter() - start) / 60
    if folder is None:
        add_figures(recipe.model, figures)
    folder = folder or data_dir() / "weights"
    return save(model, recipe, minutes=minutes, folder=folder)


def add_figures(name: str, figures: dict) -> Path:
    """Store what was measured on a net's weights, beside what is there already."""
    stored = read_measured("bundled_weights")
    stored.content.setdefault(name, {}).update(figures)
    return write_measured("bundled_weights", stored.content, made_by=stored.made_by)


def main(argv: list[str] | None = None) -> int:
    """Command line: `course pretrain test_resnet`."""
    parser = argparse.ArgumentParser(prog="course pretrain")
    known = ", ".join(RECIPES)
    parser.add_argument("models", nargs="*", help=f"{known}; all by default")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--threads", type=int, help="threads that train; one more process draws"
    )
    parser.add_argument("--folder", type=Path, help="instead of data/weights")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.models if name not in RECIPES]:
        parser.error(f"no recipe for {unknown[0]!r}; there are {known}")
    # one core draws; a second thread of training would only wait for it
    torch.set_num_threads(options.threads or max(1, torch.get_num_threads() - 1))
    for name in options.models or RECIPES:
        recipe = RECIPES[name]
        if options.steps:
            warmup = min(recipe.warmup, options.steps // 3)
            recipe = replace(recipe, steps=options.steps, warmup=warmup)
        print(pretrain(recipe, device=options.device, folder=options.folder))
    return 0
