"""00.1: count the parameters."""

from courseware.grading.judging import Raises, Task, Wrong


def solution(model):
    return sum(p.numel() for p in model.parameters())


def _sum(count):
    """A wrong solution that adds up something else of each parameter."""
    return lambda model: sum(count(p) for p in model.parameters())


def _by_module(model):
    return sum(p.numel() for module in model.modules() for p in module.parameters())


def _by_name(model):
    return sum(p.numel() for n, p in model.named_parameters() if "weight" in n)


TASK = Task(
    title="Count the parameters",
    points=1,
    hints=(
        "`model.parameters()` gives all parameters, one tensor after the other.",
        "Each tensor knows how many numbers it holds: `tensor.numel()`.",
        "`sum(p.numel() for p in model.parameters())`",
    ),
    solution=solution,
    mistakes={
        "tensors": Wrong(
            _sum(lambda p: 1),
            "You counted tensors. Each holds many numbers: `numel()`.",
        ),
        "len": Wrong(
            _sum(len),
            "`len(p)`, or `p.shape[0]`, is the first dimension alone: use `numel()`.",
        ),
        "first": Wrong(
            lambda model: next(model.parameters()).numel(),
            "That is the first tensor alone. Is the `return` inside of the loop?",
        ),
        "bytes": Wrong(
            _sum(lambda p: p.nbytes),
            "That is their size in bytes; a float32 takes four. Count the numbers.",
        ),
        "frozen": Wrong(
            _sum(lambda p: p.numel() * p.requires_grad), "Frozen parameters count too."
        ),
        "weights": Wrong(
            _by_name,
            "Biases are parameters too: do not ask for the name.",
        ),
        "matrices": Wrong(
            _sum(lambda p: p.numel() * (p.ndim > 1)),
            "Biases and the weights of norms have one dimension, and are parameters too.",
        ),
        "buffers": Wrong(
            lambda model: sum(t.numel() for t in model.state_dict().values()),
            "`state_dict()` also holds buffers (BatchNorm's statistics) and lists a shared "
            "layer twice. Use `parameters()`.",
        ),
        "own": Wrong(
            lambda model: sum(p.numel() for p in model.parameters(recurse=False)),
            "`recurse=False` leaves out the layers inside: take `parameters()` as it is.",
        ),
        "twice": Wrong(
            _by_module,
            "`model.parameters()` holds those of all layers inside already. Going through "
            "`modules()` as well counts them again.",
        ),
        "children": Wrong(
            lambda model: sum(solution(child) for child in model.children()),
            "A layer that stands alone has no children, and still has parameters: take "
            "`model.parameters()`, which goes to any depth.",
        ),
        "no-brackets": Raises(
            "'method' object is not iterable",
            "`parameters` is a method: call it, `model.parameters()`.",
        ),
        "no-length": Raises(
            "'generator' has no len",
            "`parameters()` gives one tensor after the other and has no length. Go through "
            "it, and add up `numel()`.",
        ),
        "changed-requires_grad": "Frozen parameters count as they are: leave "
        "`requires_grad` alone.",
        "type": "Return a whole number, an `int`, as `numel()` gives it.",
        "value": "Add up `numel()` over `model.parameters()`.",
    },
)
