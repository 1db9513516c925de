"""What a training run has a state of: parameters, a step's modules, loaders' orders."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.modes import modes_kept
from course_utils.runtime import generators_kept


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """List the parameters that an optimiser holds, group by group.

    >>> import torch
    >>> from course_utils.run_state import parameters_of
    >>> net = torch.nn.Linear(4, 2)
    >>> [tuple(p.shape) for p in parameters_of(torch.optim.SGD(net.parameters()))]
    [(2, 4), (2,)]
    """
    return [p for group in optimizer.param_groups for p in group["params"]]


def modules_of(step: Callable) -> dict[str, nn.Module]:
    """Name the modules that a step is, or keeps as attributes: "step", "step.weights".

    >>> from course_utils.multitask import MultiTaskStep, UncertaintyWeights
    >>> from course_utils.run_state import modules_of
    >>> list(modules_of(MultiTaskStep(weights=UncertaintyWeights(["species"]))))
    ['step.weights']
    """
    owner = getattr(step, "__self__", step)  # of a bound method
    if isinstance(owner, nn.Module):
        return {"step": owner}
    found = getattr(owner, "__dict__", {}).items()
    return {f"step.{n}": part for n, part in found if isinstance(part, nn.Module)}


class Orders:
    """The generators that loaders shuffle by, together, as something with a state.

    >>> from course_utils.run_state import Orders
    >>> from course_utils.training import make_loader
    >>> loader = make_loader([(0, 0), (1, 1)], shuffle=True, seed=3)
    >>> Orders(loader).generators == [loader.generator]
    True
    """

    def __init__(self, *loaders: Any):
        found = []
        for loader in loaders:
            batches = getattr(loader, "batch_sampler", None)
            inner = [getattr(place, "sampler", None) for place in (loader, batches)]
            found += [getattr(p, "generator", None) for p in (loader, batches, *inner)]
        known = {id(g): g for g in found if isinstance(g, torch.Generator)}
        self.generators = list(known.values())

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return all states."""
        return {"states": [one.get_state() for one in self.generators]}

    def load_state_dict(self, state_dict: dict[str, list[Tensor]]) -> None:
        """Put the generators back to what `state_dict` returned."""
        for one, state in zip(self.generators, state_dict["states"], strict=True):
            one.set_state(state)


@contextmanager
def undone(model: nn.Module, optimizer: Optimizer, *loaders: Any) -> Iterator[None]:
    """Put back all that training changes, in place, to the bit; also after an error.

    That is: weights, buffers (BatchNorm's too), gradients, the optimiser's state, modes,
    and the random generators, the loaders' own too. No tensor is replaced.

    >>> import torch
    >>> from course_utils.run_state import undone
    >>> net = torch.nn.Linear(4, 2)
    >>> optimizer, before = torch.optim.SGD(net.parameters(), lr=1.0), net.weight.clone()
    >>> with undone(net, optimizer):
    ...     net(torch.ones(1, 4)).sum().backward()
    ...     optimizer.step()
    >>> torch.equal(net.weight, before), net.weight.grad
    (True, None)
    """
    learning = [*model.parameters(), *parameters_of(optimizer)]  # a loss can learn too
    parameters = list({id(p): p for p in learning}.values())
    tensors = [*parameters, *model.buffers()]
    values = [t.detach().clone() for t in tensors]
    gradients = [p.grad for p in parameters]
    state = copy.deepcopy(optimizer.state_dict())
    orders = Orders(*loaders)
    order = orders.state_dict()
    for parameter in parameters:
        parameter.grad = None
    try:
        with generators_kept(), modes_kept(model):
            yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.load_state_dict(state)
        orders.load_state_dict(order)
