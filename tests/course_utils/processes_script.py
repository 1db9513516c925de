"""What `accelerate launch` runs in tests/course_utils/test_processes.py.

accelerate launch … processes_script.py OUT BATCH EPOCHS [--norm] [--resume FILE] …
"""

import argparse
import json

import torch
from accelerate import Accelerator
from torch import nn

from course_utils.training import Engine, evaluate, fit, make_loader


def pictures(n):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(n, 3, 8, 8, generator=generator)
    labels = torch.randint(4, (n,), generator=generator).tolist()
    return list(zip(images, labels, strict=True))


def small(norm):
    torch.manual_seed(0)
    norms = [nn.BatchNorm2d(6)] if norm else []
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), *norms, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 4),
    )  # fmt: skip


class Wakes:
    """Let the first layer learn from the second epoch on."""

    def on_epoch_start(self, state):
        for parameter in state.model[0].parameters():
            parameter.requires_grad_(state.epoch > 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("batch", type=int)
    parser.add_argument("epochs", type=int)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--norm", action="store_true")
    parser.add_argument("--wakes", action="store_true")
    parser.add_argument("--resume")
    options = parser.parse_args()
    accelerator = Accelerator(cpu=True)
    engine = Engine(accelerator=accelerator, accumulate=options.accumulate)
    net = small(options.norm)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    train = make_loader(pictures(options.pictures), batch_size=options.batch,
                        shuffle=True, seed=3)  # fmt: skip
    val = make_loader(pictures(37), batch_size=options.batch)
    history = fit(
        net, train, val, optimizer=optimizer, epochs=options.epochs, engine=engine,
        resume=options.resume, callbacks=Wakes() if options.wakes else (),
    )  # fmt: skip
    found = evaluate(net, val, engine=engine)
    if accelerator.is_main_process:
        columns = ["train_loss", "train_accuracy", "val_loss", "val_accuracy"]
        told = {"history": history[columns].to_dict("list"), "evaluated": found,
                "processes": accelerator.num_processes}  # fmt: skip
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(told, file)
    accelerator.end_training()


if __name__ == "__main__":
    main()
