"""The mistakes that 10.1 and 10.2 share: of heads, and of what comes out of them."""

from courseware.grading.judging import At, Raises, When

_OWN = "each task has logits of its own"
_SHAPE = "the shape of the logits"
AGREE = {_OWN: lambda got, right: True}  # two heads may begin alike


def _one_shape(it):
    """All tasks get logits of one shape, though they have not as many classes."""
    found, right = ({*map(tuple, shapes.values())} for shapes in (it.got, it.right))
    return len(found) == 1 < len(right) and len(*found) == 2


HEADS = {
    "items": Raises(
        "to unpack",
        "A dict gives its keys alone: `for task, classes in tasks.items()` gives both.",
    ),
    "one-head": When(
        lambda it: it.fact == _SHAPE and _one_shape(it),
        "All tasks get logits of one shape: is one head there for all of them? Make one "
        "for each task, with as many outputs as it has classes.",
    ),
    "shape": At(
        _SHAPE,
        "One row a picture, one logit a class of that task.",
    ),
    "detached": At(
        "the loss of each task moves the backbone",
        "A task's loss does not reach the backbone that was given or built: nothing is to "
        "be detached or frozen, no_grad() has no place here, and a head does not start "
        "with zeros.",
    ),
    "not-registered": When(
        lambda it: it.fact == "values in the heads" and it.got == 0,
        "parameters() does not give the heads': an optimiser would never train them. A "
        "plain dict or list hides modules; nn.ModuleDict registers them. And make them "
        "in `__init__`, not in `forward`.",
    ),
    "shared-head": When(
        lambda it: it.fact == "values in the heads" and not it.seen(_OWN),
        "Two tasks get the same logits: each needs a head of its own.",
    ),
    "head": At(
        "values in the heads",
        "A head is one `nn.Linear(num_features, classes)`, with its bias, and nothing "
        "stands beside backbone and heads.",
    ),
    "idle": At(
        "every head takes part",
        "A head has no part in the logits: are others made where they are computed, or is "
        "it frozen?",
    ),
    "softmax": At(
        "the logits are no probabilities",
        "These are probabilities, or their logarithms. Return the head's logits: "
        "cross_entropy does the softmax itself.",
    ),
    "chance": At(
        "pictures with the same features get the same logits",
        "Pictures with the same features get different logits: no dropout belongs into a "
        "head, or in front of it.",
    ),
    "not-linear": At(
        "the logits are linear in the features",
        "The logits do not depend linearly on the features: no activation belongs in front "
        "of a head, into it or behind it.",
    ),
}
