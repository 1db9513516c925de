"""00.1: how many parameters are counted."""

import copy

from torch import nn

from courseware.grading.observing import Case


def cases(seed):
    width = 4 + seed
    frozen = nn.Sequential(nn.Linear(width, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
    frozen[0].requires_grad_(False)
    shared = nn.Linear(width, width)
    for net in (
        nn.Sequential(nn.Linear(width, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)),
        nn.Sequential(nn.Conv2d(3, 2 * width, 3), nn.BatchNorm2d(2 * width)),
        frozen,
        nn.Sequential(shared, nn.ReLU(), shared),
        nn.Conv2d(2, width, (1, 5), bias=False),
    ):
        yield Case(str(net), net=net)


def observe(count_parameters, case, seen):
    net = copy.deepcopy(case.net)
    found = seen.call(count_parameters, net, keeps=("requires_grad",))
    seen.note("the count", found)
