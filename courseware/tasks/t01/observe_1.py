"""01.1: the prepared picture."""

from __future__ import annotations

import torch

from courseware.grading.observing import Case, generator

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def cases(seed):
    draw = generator(seed + 1)
    means = tuple(round(x, 2) for x in torch.rand(3, generator=draw).tolist())
    side = 4 + seed % 4
    for height, width, brightest, (mean, std) in (
        (side, side + 2, 199, IMAGENET),
        (side + 1, side + 1, 199, (means, (0.5, 0.25, 1))),
        (70, 66, 199, IMAGENET),
        (side, side, 1, IMAGENET),
    ):
        # No pixel is at 255, so that dividing by the largest value is not right by chance.
        image = torch.randint(brightest + 1, (height, width, 3), generator=draw).byte()
        picture = f"a uint8 picture of shape {(*image.shape,)}"
        dark = ", none of whose pixels is above 1" * (brightest == 1)
        given = f"{picture}{dark}, mean {mean}, std {std}"
        yield Case(given, image=image, mean=mean, std=std)


def observe(prepare, case, seen):
    got = seen.call(prepare, case.image, case.mean, case.std)
    seen.note("the prepared picture", got)
