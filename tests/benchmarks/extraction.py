"""`extract_features` against the plain loop over the same pictures.

    python -m tests.benchmarks.extraction [NET…] [--all-torchvision] [--part 1/8] [--bf16]
        [--px 224] [--pictures 256] [--batch-size 64] [--repeats 3]

The plain loop is `for images, _ in DataLoader(dataset, batch_size): model(images)`, in
eval and inference mode, float32, channels first. Nets have no head and random weights;
their BatchNorm has seen some batches and has random factors and offsets. Both arms run in
turns; `ratio` is the median of plain over ours, `from` and `to` the spread of the repeats.
`apart` is the largest difference of features over the largest feature.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import models

from course_utils.architectures import build
from course_utils.features import extract_features
from course_utils.heads import replace_head

NETS = {"resnet50": 224, "mobilenet_v3_large": 224, "efficientnet_b0": 224,
        "tf_efficientnet_lite0": 96}  # fmt: skip
_OF_ONE_SIZE = ("vit_", "maxvit")


def with_statistics(name: str, px: int) -> nn.Module:
    """Build a net whose BatchNorm does something, and take its head off."""
    torch.manual_seed(0)
    auxiliary = name in ("googlenet", "inception_v3")
    options = {"init_weights": False, "aux_logits": False} if auxiliary else {}
    net = build(name, **options)
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm) and m.affine]
    for norm in norms:
        norm.momentum = None  # the mean of all batches
        nn.init.uniform_(norm.weight, 0.7, 1.3)
        nn.init.uniform_(norm.bias, -0.2, 0.2)
    if norms:
        with torch.no_grad():
            for _ in range(3):
                net.train()(torch.randn(4, 3, max(px, 96), max(px, 96)))
    return replace_head(net, 0).eval()


def plain(model: nn.Module, dataset: Dataset, batch_size: int) -> Tensor:
    """The loop that everyone writes."""
    rows = []
    with torch.inference_mode():
        for images, _ in DataLoader(dataset, batch_size):
            rows.append(model(images))
    return torch.cat(rows)


def ours(model: nn.Module, dataset: Dataset, batch_size: int, precision: str) -> Tensor:
    """The same in one call."""
    return extract_features(model, dataset, cache=False, batch_size=batch_size,
                            precision=precision).features  # fmt: skip


def timed(arm, *arguments) -> tuple[float, Tensor]:
    gc.collect()
    start = time.perf_counter()
    found = arm(*arguments)
    return time.perf_counter() - start, found


def compare(name: str, options: argparse.Namespace) -> dict:
    """Time both arms in turns."""
    px = options.px or NETS.get(name, 224)
    if name.startswith(_OF_ONE_SIZE):
        px = 224
    model, size = with_statistics(name, px), options.batch_size
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(options.pictures, 3, px, px, generator=generator)
    dataset = TensorDataset(pictures, torch.zeros(len(pictures), dtype=torch.long))
    precision = "bfloat16" if options.bf16 else "float32"
    plain(model, TensorDataset(*dataset[:4]), size)
    spent = []
    for _ in range(options.repeats):
        a, expected = timed(plain, model, dataset, size)
        b, found = timed(ours, model, dataset, size, precision)
        spent.append((a, b))
    ratios = [a / b for a, b in spent]
    apart = (found - expected).abs().max() / expected.abs().max()
    return {
        "net": name, "px": px, "plain s": statistics.median(a for a, _ in spent),
        "ours s": statistics.median(b for _, b in spent),
        "ratio": statistics.median(ratios), "from": min(ratios), "to": max(ratios),
        "apart": f"{float(apart):.1e}",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("nets", nargs="*")
    parser.add_argument("--all-torchvision", action="store_true")
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--px", type=int)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    nets = options.nets or list(NETS)
    if options.all_torchvision:
        nets = models.list_models(module=models)
    part, parts = map(int, options.part.split("/"))
    for place, name in enumerate(nets[part - 1 :: parts]):
        row = pd.DataFrame([compare(name, options)])
        row["net"] = row["net"].str.ljust(24)
        print(row.round(2).to_string(index=False, header=place == 0), flush=True)


if __name__ == "__main__":
    main()
