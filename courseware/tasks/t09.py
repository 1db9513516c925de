"""Exercise 09: the loss and its reduction, a moved teacher, temperature, answers kept."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from course_utils.distillation import distillation_loss
from courseware.grading.registry import task
from courseware.grading.values import ModelRecord, plain

# --- 09.1 ---------------------------------------------------------------------------


def _three(
    seed: int, shape: tuple[int, int], spread: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of student and teacher (B, C), and labels (B,)."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = spread * torch.randn(2, *shape, generator=generator)
    return student, teacher, torch.randint(shape[1], shape[:1], generator=generator)


@task(
    "09.1",
    title="The distillation loss by hand",
    points=3,
    hints=(
        "Two parts. For the soft one you need logarithms of probabilities: which function "
        "gives them without ever taking the logarithm of 0?",
        "F.kl_div(input, target) is KL(target ‖ input): the student's log-probabilities "
        'come first, and reduction="batchmean" divides by B only. With log_target=True '
        "the target is log-probabilities too.",
        "soft = F.kl_div(F.log_softmax(student_logits / T, dim=1), "
        "F.log_softmax(teacher_logits.detach() / T, dim=1), reduction='batchmean', "
        "log_target=True); then alpha * T**2 * soft + (1 - alpha) * the cross-entropy.",
    ),
)
def kd_loss(answer, c):
    shown = ((1, (4, 6), 2.0, 4.0, 0.7), (2, (7, 3), 3.0, 1.5, 0.2))
    hidden = ((3, (5, 5), 1.0, 2.5, 0.5), (4, (2, 9), 1.0, 0.5, 1.0),
              (5, (3, 4), 2.0, 8.0, 0.0))  # fmt: skip
    for seed, shape, spread, T, alpha in c.cases(shown, hidden=hidden):
        given = f"logits of shape {shape}, T = {T:g}, alpha = {alpha:g}"
        inputs = _three(seed, shape, spread)
        got = _loss_of(answer, c, inputs, T, alpha, given)
        _check_value(c, got, inputs, T, alpha, given)
        _check_gradients(c, answer, inputs, T, alpha, given)
    for seed, T in ((6, 1.0), (7, 4.0), (8, 0.5)):
        given = f"logits up to 600 apart, T = {T:g}, alpha = 0.7"
        _check_extreme(c, answer, _three(seed, (4, 5), 150.0), T, given)


def _loss_of(answer, c, inputs, T, alpha, given) -> Tensor:
    student, teacher, labels = inputs
    student = student.clone().requires_grad_()
    got = c.call(answer, student, teacher, labels, T, alpha, given=given)
    c.that(type(got) not in (int, float), "what your function returns", key="number",
           given=given, hint="A plain number has no graph behind it: backward() needs "
           "the tensor. Leave out .item() and float().")  # fmt: skip
    c.tensor(got, "the loss", shape=(), shape_hint="One number for the batch: sum over "
             "the classes, mean over the pictures.")  # fmt: skip
    return got


def _check_value(c, got, inputs, T, alpha, given):
    shown = {"given": given, "got": got}
    c.that(not bool(got.isnan()), "the loss", key="nan", hint="That is nan: a logarithm "
           "of something negative. kl_div takes the target as probabilities, unless you "
           "say log_target=True.", **shown)  # fmt: skip
    student, teacher, labels = (_exact(value) for value in inputs)
    right = distillation_loss(student, teacher, labels, T=T, alpha=alpha).item()
    for key, wrong in _mistaken(student, teacher, labels, T, alpha):
        c.that(not _near(got, wrong) or _near(wrong, right), "the loss", key=key,
               expected=right, hint=_MISTAKEN[key], **shown)  # fmt: skip
    c.close(got, right, "the loss", atol=1e-5, rtol=1e-5, given=given, hint="Compute "
            "both parts apart and print them: alpha · T² · KL, and (1 - alpha) · "
            "cross-entropy.")  # fmt: skip


def _exact(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


def _near(a: Tensor | float, b: float) -> bool:
    return math.isclose(float(a), b, rel_tol=2e-5, abs_tol=1e-5)


def _check_gradients(c, answer, inputs, T, alpha, given):
    student, teacher, labels = inputs
    student, teacher = student.clone().requires_grad_(), teacher.clone()
    teacher.requires_grad_()
    # Through a function of no arguments, so that the graph leads to our own tensors.
    got = c.call(lambda: answer(student, teacher * 1, labels, T, alpha), given=given)
    c.tensor(got, "the loss", shape=())
    c.that(got.requires_grad, "the gradient", key="no-gradient", given=given,
           hint="The loss does not depend on the student's logits any more: no detach(), "
           ".data or no_grad() around the student.")  # fmt: skip
    pair = c.call(lambda: torch.autograd.grad(got, (student, teacher),
                                              allow_unused=True), given=given)  # fmt: skip
    own, its = pair
    c.that(its is None, "the teacher's gradient", key="teacher-gradient", given=given,
           hint="A gradient flows into the teacher's logits, and the teacher would learn "
           "from its student: detach() them.")  # fmt: skip
    c.that(own is not None, "the gradient", key="no-gradient", given=given, hint="No "
           "gradient reaches the student's logits.")  # fmt: skip
    _check_own_gradient(c, own, inputs, T, alpha, "gradient", given)


def _check_own_gradient(c, own, inputs, T, alpha, key, given):
    student, teacher, labels = (_exact(value) for value in inputs)
    student = student.clone().requires_grad_()
    loss = distillation_loss(student, teacher, labels, T=T, alpha=alpha)
    (right,) = torch.autograd.grad(loss, student)
    c.close(own, right, "the gradient by the student's logits", key=key, atol=1e-4,
            given=given, hint="The loss is right and its gradient is not: a part of it "
            "is cut off from the student, or not finite. No detach() there, and no "
            "logarithm of a probability that is 0.")  # fmt: skip


def _check_extreme(c, answer, inputs, T, given):
    alpha = 0.7
    got = _loss_of(answer, c, inputs, T, alpha, given)
    student, teacher, labels = (_exact(value) for value in inputs)
    right = distillation_loss(student, teacher, labels, T=T, alpha=alpha).item()
    c.close(got, right, "the loss", key="log-of-zero", rtol=1e-4, given=given,
            hint="A probability has become 0 here, and its logarithm is lost. A small "
            "number added to it hides that and falsifies the loss: use log_softmax, "
            "and log_target=True.")  # fmt: skip
    student, teacher, labels = inputs
    student = student.clone().requires_grad_()
    loss = c.call(lambda: answer(student, teacher, labels, T, alpha), given=given)
    (own,) = c.call(lambda: torch.autograd.grad(loss, (student,)), given=given)
    _check_own_gradient(c, own, inputs, T, alpha, "log-of-zero", given)


_MISTAKEN = {
    "mean": 'reduction="mean" divides by the number of classes too: take "batchmean".',
    "sum": "The soft part is a sum over the batch: divide by the number of pictures.",
    "direction": "The divergence is the wrong way round. F.kl_div(input, target) is "
    "KL(target ‖ input): the student's log-probabilities first, the teacher second.",
    "student-softmax": "kl_div wants the student as *log*-probabilities: log_softmax.",
    "log-target": "With log_target=True the target has to be log-probabilities as well.",
    "multiplied": "The temperature divides the logits; multiplied, it sharpens them.",
    "one-temperature": "Both nets' logits are divided by T, the student's as well as the "
    "teacher's.",
    "no-temperature": "The temperature is missing: both logits are divided by T before "
    "the softmax.",
    "dim": "The softmax goes over the classes: dim=1, not over the batch.",
    "entropy": "That is the cross-entropy with the teacher's probabilities. Its gradient "
    "is the same, but KL has the teacher's own entropy taken off.",
    "sign": "The soft part has the wrong sign: a divergence is never negative.",
    "no-T2": "T² is missing. The soft part's gradient shrinks like 1 / T², and without "
    "the factor the teacher would hardly count at this temperature.",
    "T-once": "The soft part is multiplied by T², not by T.",
    "T2-on-all": "T² belongs to the soft part alone.",
    "hard-T": "The cross-entropy with the labels has no temperature: it takes the "
    "student's logits as they are.",
    "hard-teacher": "The cross-entropy is that of the student's logits with the labels.",
    "hard-sum": "The cross-entropy is a mean over the batch, not a sum.",
    "softmax-twice": "cross_entropy takes logits: it has the softmax inside.",
    "hard-soft": "The hard part is missing, or made of the teacher's answers: it uses "
    "the labels.",
    "swapped": "alpha is the teacher's share: it stands before the soft part.",
    "no-alpha": "The parts are added with weights: alpha and 1 - alpha.",
    "no-hard": "The hard part is missing: (1 - alpha) times the cross-entropy.",
    "no-soft": "The soft part is missing.",
    "hard-whole": "The hard part has a weight as well: 1 - alpha.",
}


def _mistaken(student, teacher, labels, T, alpha) -> Iterator[tuple[str, float]]:
    """(key, the loss) of the usual mistakes, single ones before pairs of them."""
    size, classes = student.shape
    counts = [("", 1.0), ("mean", 1 / classes), ("sum", size)]
    scales = [("", T**2), ("no-T2", 1.0), ("T-once", T)]
    shares = [
        ("", (alpha, 1 - alpha)),
        ("swapped", (1 - alpha, alpha)),
        ("no-alpha", (1.0, 1.0)),
        ("no-hard", (alpha, 0.0)),
        ("no-soft", (0.0, 1 - alpha)),
        ("hard-whole", (alpha, 1.0)),
        ("T2-on-all", (alpha, (1 - alpha) * T**2)),
    ]
    softs = [(key, value.item()) for key, value in _softs(student, teacher, T)]
    hards = [(key, value.item()) for key, value in _hards(student, teacher, labels, T)]
    made = []
    for parts in itertools.product(softs, counts, scales, hards, shares):
        mistakes = [key for key, _ in parts if key]
        soft, count, scale, hard, (own, other) = (value for _, value in parts)
        made.append((mistakes, own * soft * count * scale + other * hard))
    for mistakes, loss in sorted(made, key=lambda pair: len(pair[0])):
        if 1 <= len(mistakes) <= 2:
            yield mistakes[0], loss


def _softs(student: Tensor, teacher: Tensor, T: float) -> list[tuple[str, Tensor]]:
    """Soft parts without a factor, sums over the classes and means over the batch."""

    def divergence(own: Tensor, its: Tensor, dim: int = 1) -> Tensor:
        own, its = own.log_softmax(dim), its.log_softmax(dim)
        return (its.exp() * (its - own)).sum() / len(own)

    own, its = student / T, teacher / T
    p, log_q = its.softmax(1), own.log_softmax(1)
    size = len(student)
    return [
        ("", divergence(own, its)),
        ("direction", divergence(its, own)),
        ("student-softmax", (torch.xlogy(p, p) - p * own.softmax(1)).sum() / size),
        ("log-target", (p.exp() * (p - log_q)).sum() / size),
        ("multiplied", divergence(student * T, teacher * T)),
        ("one-temperature", divergence(student, its)),
        ("one-temperature", divergence(own, teacher)),
        ("no-temperature", divergence(student, teacher)),
        ("dim", divergence(own, its, dim=0)),
        ("entropy", -(p * log_q).sum() / size),
        ("sign", -divergence(own, its)),
    ]


def _hards(student, teacher, labels, T) -> list[tuple[str, Tensor]]:
    return [
        ("", F.cross_entropy(student, labels)),
        ("hard-T", F.cross_entropy(student / T, labels)),
        ("hard-teacher", F.cross_entropy(teacher, labels)),
        ("hard-sum", F.cross_entropy(student, labels, reduction="sum")),
        ("softmax-twice", F.cross_entropy(student.softmax(1), labels)),
        ("hard-soft", F.cross_entropy(student, teacher.argmax(1))),
    ]


# --- 09.2 ---------------------------------------------------------------------------


def _net(width: int, classes: int = 5) -> nn.Sequential:
    """A net with BatchNorm, for pictures (N, 3, 4, 4)."""
    maps = [nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*maps, nn.Linear(4 * width, classes))


def _teacher(*, training: bool, drops: bool) -> nn.Sequential:
    net = _net(6)
    net[1].running_mean += torch.rand(6)
    net[1].running_var *= 3
    if drops:
        net.insert(4, nn.Dropout(0.5))
    return net.train(training)


class _Seen:
    """How a net was run: its layers' modes, and whether a graph was built."""

    def __init__(self):
        self.training: list[bool] = []
        self.graph = False
        self.sizes: list[int] = []

    def note(self, net: nn.Module, inputs: tuple, output: object) -> None:
        self.training += [layer.training for layer in net.modules()]
        self.graph = self.graph or bool(getattr(output, "requires_grad", False))
        self.sizes.append(len(inputs[0]) if inputs else 0)


@contextmanager
def _seeing(net: nn.Module) -> Iterator[_Seen]:
    seen = _Seen()
    handle = net.register_forward_hook(seen.note)
    try:
        yield seen
    finally:
        handle.remove()


class _Loss:
    """A loss for `teach` that keeps what it was given."""

    def __init__(self):
        self.logits = self.answers = None

    def __call__(self, logits: Tensor, answers: Tensor, labels: Tensor) -> Tensor:
        self.logits, self.answers = logits, answers
        return distillation_loss(logits, answers, labels, T=2.0, alpha=0.6)


class _Lesson:
    """A student with stale gradients, a teacher and a batch; two of a seed are alike."""

    def __init__(self, seed: int, *, training: bool, drops: bool):
        torch.manual_seed(seed)
        self.teacher = _teacher(training=training, drops=drops)
        self.teacher[0].requires_grad_(False)  # in part frozen, which is to stay so
        self.student = _net(4)
        parameters = list(self.student.parameters())
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        self.optimizer = torch.optim.SGD(parameters, lr=0.2, momentum=0.9)
        self.images = torch.randn(6, 3, 4, 4)
        self.labels = torch.randint(5, (6,))
        self.loss = _Loss()
        self.answers = _answers_of(self.teacher, self.images)

    @property
    def given(self) -> tuple:
        """What `teach` is called with."""
        nets = self.student, self.teacher, self.optimizer
        return *nets, self.images, self.labels, self.loss

    def right_step(self, *, stale: bool = False) -> float:
        """Make the step as it should be, or on top of the stale gradients."""
        self.student.train()
        value = self.loss(self.student(self.images), self.answers, self.labels)
        if not stale:
            self.optimizer.zero_grad()
        value.backward()
        self.optimizer.step()
        return value.item()


def _answers_of(teacher: nn.Module, images: Tensor) -> Tensor:
    """The logits in eval mode, of a copy."""
    with torch.no_grad():
        return copy.deepcopy(teacher).eval()(images)


def _weights(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()]).clone()


@task(
    "09.2",
    title="Find the bug: a teacher that is moved by its pupil",
    points=2,
    hints=(
        "What does train mode do to a net that only answers? And who needs a graph here?",
        "Teacher: eval(), then the forward pass under torch.no_grad(). Student: train() "
        "and a graph. They do not belong in one block.",
        "training = teacher.training; teacher.eval(); with torch.no_grad(): answers = "
        "teacher(images); teacher.train(training); student.train(); then the loss of "
        "student(images), zero_grad, backward, step.",
    ),
)
def teach(answer, c):
    for seed, training, drops, student_trains in (
        (1, True, False, True),
        (2, False, False, False),
        (3, True, True, False),
    ):
        given = (
            f"teacher in {'train' if training else 'eval'} mode, with BatchNorm"
            f"{' and dropout' if drops else ''}; student in "
            f"{'train' if student_trains else 'eval'} mode"
        )
        worlds = [_Lesson(seed, training=training, drops=drops) for _ in range(4)]
        for world in worlds[:2]:
            world.student.train(student_trains)
        _check_student_graph(answer, c, worlds[0], given)
        _examine_lesson(answer, c, *worlds[1:], given)


def _check_student_graph(answer, c, lesson, given):
    """Name the misconception behind an error, where there is one."""
    error, loss = c.attempt(answer, *lesson.given).error, lesson.loss
    swapped = _same_tensor(loss.logits, lesson.answers)
    c.that(not swapped or _same_tensor(loss.answers, lesson.answers), "the loss",
           key="swapped", given=given, hint="The student's logits come first, the "
           "teacher's second.")  # fmt: skip
    lost = "does not require grad" in str(error)
    c.that(not lost, "it runs without an error", key="student-no-graph", given=given,
           got=str(error)[:200], hint="The student was run under no_grad() as well, or "
           "detached: only the teacher is.")  # fmt: skip


def _examine_lesson(answer, c, lesson, twin, stale, given):
    record, before = ModelRecord(lesson.teacher), _weights(lesson.student)
    with _seeing(lesson.teacher) as teacher, _seeing(lesson.student) as student:
        got = c.call(answer, *lesson.given, given=given)
    _check_teacher(c, lesson, record, teacher, given)
    wanted = twin.right_step()
    stale.right_step(stale=True)
    _check_step(c, lesson, student, before, twin, stale, given)
    c.that(not isinstance(got, Tensor), "what your function returns", key="tensor",
           given=given, hint="The tensor keeps the whole graph alive: return "
           "value.item().")  # fmt: skip
    c.type(got, float, "what your function returns")
    c.number(got, wanted, "the loss", given=given, hint="Return the loss of this batch, "
             "as it was before the step.")  # fmt: skip


def _check_step(c, lesson, seen, before, twin, stale, given):
    now = _weights(lesson.student)
    c.that(all(seen.training), "the student's mode", key="student-eval", given=given,
           hint="The student was in eval mode, at least in part: its BatchNorm has to "
           "learn too. It may come in eval mode; call student.train().")  # fmt: skip
    c.that(not torch.equal(now, before), "the student's step", key="no-step", given=given,
           hint="The student did not move: zero_grad, backward, step, in this "
           "order.")  # fmt: skip
    same = torch.allclose(now, _weights(stale.student), atol=1e-6)
    c.that(not same, "the student's step", key="stale-gradients", given=given,
           hint="Old gradients were added to those of this batch: optimizer.zero_grad() "
           "before backward().")  # fmt: skip
    c.close(now, _weights(twin.student), "the student's weights", key="step", given=given,
            hint="One step by the gradient of the given loss, for this batch.")  # fmt: skip
    means = [net.student[1].running_mean for net in (lesson, twin)]
    c.close(*means, "the student's BatchNorm", key="twice", given=given, hint="The "
            "student's statistics moved more than once: run it once a step, and do not "
            "put them back.")  # fmt: skip


def _check_teacher(c, lesson, record, seen, given):
    """How it was run, what it answered, and how it came back."""
    modes = seen.training
    c.that(not modes or not all(modes), "the teacher's mode", key="teacher-train",
           given=given, hint="The teacher answers in train mode: BatchNorm uses this "
           "batch and moves, dropout drops. teacher.eval() first.")  # fmt: skip
    c.that(not any(modes), "the teacher's mode", key="half-eval", given=given, hint="Some "
           "of the teacher's layers are in train mode still. teacher.eval() reaches all: "
           "BatchNorm and dropout alike.")  # fmt: skip
    right, loss = lesson.answers, lesson.loss
    c.that(isinstance(loss.answers, Tensor), "the loss", key="no-loss", given=given,
           hint="Call loss(student_logits, teacher_logits, labels), which is "
           "given.")  # fmt: skip
    detached = seen.graph and not loss.answers.requires_grad
    c.that(not detached, "the graph", key="detached", given=given, hint="detach() throws "
           "the teacher's graph away after it has been built, with the memory that it "
           "took. Under torch.no_grad() none is built.")  # fmt: skip
    graph = seen.graph or loss.answers.requires_grad
    c.that(not graph, "the graph", key="graph", given=given, hint="The teacher's pass is "
           "recorded for backward(): eval() does not stop that, torch.no_grad() "
           "does.")  # fmt: skip
    changed = record.changes()
    _check_kept(c, [k for k in changed if k != "mode"], given)
    c.that(_same_tensor(loss.answers, right), "the teacher's answers", key="answers",
           given=given, hint="Hand over the teacher's logits for these pictures, as they "
           "are.")  # fmt: skip
    _check_kept(c, changed, given)


_KEPT = {
    "weights": "The teacher's weights moved. Only the student's parameters learn.",
    "statistics": "The teacher's BatchNorm moved: eval() before its forward pass.",
    "requires_grad": "requires_grad of the teacher is another now. torch.no_grad() needs "
    "no such change.",
    "mode": "Give the teacher back in the mode that it came in: keep teacher.training, "
    "and teacher.train(training) afterwards.",
    "hooks": "Remove your hooks.",
    "layers": "Put back the teacher's layers.",
}


def _check_kept(c, changes, given):
    for kind in changes:
        c.fail("the teacher afterwards", key=f"changed-{kind}", given=given,
               got=f"{kind} changed", hint=_KEPT[kind])  # fmt: skip


def _same_tensor(a: object, b: Tensor, atol: float = 1e-4) -> bool:
    return (
        isinstance(a, Tensor)
        and a.shape == b.shape
        and torch.allclose(a.detach().to(b.dtype), b, atol=atol)
    )


# --- 09.3 ---------------------------------------------------------------------------


def _peaked(seed: int, shape: tuple[int, int], *, spread: float, lift: float) -> Tensor:
    """Logits (B, C) whose rows mostly prefer the same class, by `lift`."""
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(*shape, generator=generator)
    logits[:, 1] += lift
    return logits


@task(
    "09.3",
    title="How soft are the targets?",
    points=2,
    hints=(
        "First a function that gives the mean entropy in bits at one T. Print it for T = "
        "0.5, 1, 2, 4: it grows.",
        "Bits come from log2, or from log divided by math.log(2). Where p is 0, p * log p "
        "is nan in floating point: torch.xlogy(p, p) gives the 0 that is meant.",
        "low, high = 0.01, 100.0; 60 times: T = (low + high) / 2; if the entropy at T is "
        "below bits, T is too low (low = T), else high = T.",
    ),
)
def temperature_for(answer, c):
    shown = (
        (_peaked(1, (4, 6), spread=2.0, lift=10.0), 0.4),
        (_peaked(1, (4, 6), spread=2.0, lift=10.0), 1.8),
        (_peaked(2, (3, 5), spread=0.3, lift=0.5), 0.4),
    )
    hidden = (
        (_peaked(3, (5, 3), spread=30.0, lift=20.0), 1.2),
        (_peaked(4, (1, 8), spread=3.0, lift=0.0), 2.5),
        (_peaked(5, (16, 4), spread=12.0, lift=0.0), 0.05),
    )
    for logits, bits in c.cases(shown, hidden=hidden):
        given = f"logits of shape {tuple(logits.shape)}, bits = {bits:g}"
        got = c.call(answer, logits, bits, given=given)
        c.type(got, (float, int), "the temperature")
        shown_values = {"given": given, "got": got}
        c.that(0 < got < math.inf, "the temperature", key="not-positive", hint="A "
               "temperature is above 0, and finite.", **shown_values)  # fmt: skip
        _check_entropy(c, logits.double(), float(got), bits, shown_values)


def _check_entropy(c, logits, T, bits, shown):
    found = _bits(logits / T)
    right = abs(found - bits) <= 1.2e-3
    for key, other in _other_entropies(logits, T).items():
        c.that(right or not abs(other - bits) <= 2e-3, "the temperature", key=key,
               hint=_ENTROPY[key], **shown)  # fmt: skip
    c.that(right or 0.0102 < T < 99, "the temperature", key="bound", hint="That is an "
           "end of the range: the search runs the wrong way (a higher T gives more "
           "entropy), or compares with nan (0 · log 0: use torch.xlogy).",
           **shown)  # fmt: skip
    stopped = abs(T - 1) < 1e-3 and found > bits
    c.that(right or not stopped, "the temperature", key="below-one", hint="The search "
           "stops at 1. These answers are softer than asked for even there: T may be "
           "below 1, which sharpens them.", **shown)  # fmt: skip
    near = abs(found - bits) < 0.1
    c.that(right or not near, "the temperature", key="coarse", hint=f"Close, but the "
           f"entropy there is {found:.4f} bits. Halve the range more often.",
           **shown)  # fmt: skip
    c.that(right, "the temperature", key="value", hint=f"At this T the entropy is "
           f"{found:.3f} bits.", **shown)  # fmt: skip


def _bits(logits: Tensor, dim: int = 1) -> float:
    """Mean entropy of the softmax along a dimension, in bits."""
    p = logits.softmax(dim)
    return -torch.xlogy(p, p).sum(dim).mean().item() / math.log(2)


def _other_entropies(logits: Tensor, T: float) -> dict[str, float]:
    found, size = _bits(logits / T), len(logits)
    averaged = (logits / T).softmax(1).mean(0, keepdim=True)
    several = size > 1
    return {
        "nats": found * math.log(2),
        "decimal": found * math.log10(2),
        "multiplied": _bits(logits * T),
        "dim": _bits(logits / T, dim=0) if several else math.nan,
        "sum": found * size if several else math.nan,
        "classes": found / logits.shape[1],
        "average-first": _bits(averaged.log()) if several else math.nan,
        "first-picture": _bits(logits[:1] / T) if several else math.nan,
    }


_ENTROPY = {
    "nats": "There the entropy is right in nats, with the natural logarithm. Bits take "
    "log2.",
    "decimal": "There the entropy is right with log10. Bits take log2.",
    "multiplied": "That is 1 / T: the temperature divides the logits. A high one makes "
    "the targets softer.",
    "dim": "The softmax goes over the classes of each picture: dim=1.",
    "sum": "There the entropies of all pictures add up to `bits`. Take their mean.",
    "classes": "The entropy of a picture is a sum over its classes. Then take the mean "
    "over the pictures; .mean() alone divides by the classes too.",
    "average-first": "That is the entropy of the mean probabilities. Take the entropy of "
    "each picture, then the mean.",
    "first-picture": "There the first picture alone has this entropy. Take the mean over "
    "all of them.",
}


# --- 09.4 ---------------------------------------------------------------------------


class _Pictures(Dataset):
    """Pictures (3, 4, 4) in no order of their labels; by chance changed, if asked."""

    def __init__(self, count: int, *, augmented: bool = False):
        generator = torch.Generator().manual_seed(count)
        self.images = torch.randn(count, 3, 4, 4, generator=generator)
        self.labels = torch.randint(5, (count,), generator=generator).tolist()
        self.augmented = augmented

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images[index]  # raises IndexError beyond the end
        if self.augmented:
            image = image + 0.1 * torch.randn(3, 1, 1)
        return image, self.labels[index]


class _Half(nn.Sequential):
    """A net that answers in half precision, as under autocast."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).half()


@task(
    "09.4",
    title="Ask the teacher once",
    points=2,
    hints=(
        "A DataLoader with its default order goes through all pictures, the last small "
        "batch included. What must the teacher's mode be meanwhile?",
        "First refuse: if dataset.augmented: raise ValueError(…). Then eval(), "
        "inference_mode(), collect the logits of each batch, and torch.cat them.",
        "with torch.inference_mode(): answers = [teacher(images) for images, _ in "
        "DataLoader(dataset, batch_size=64)]; teacher.train(training); return "
        "torch.cat(answers).float()",
    ),
)
def cache_answers(answer, c):
    for count, training, half in (
        (130, True, False),
        (5, False, False),
        (70, True, True),
        (64, False, True),
    ):
        torch.manual_seed(count)
        teacher = _teacher(training=training, drops=training)
        teacher[0].requires_grad_(False)  # in part frozen, which is to stay so
        teacher = _Half(*teacher).train(training) if half else teacher
        given = (
            f"{count} pictures, teacher in {'train' if training else 'eval'} mode"
            f"{', which answers in half precision' if half else ''}"
        )
        _check_answers(c, answer, teacher, _Pictures(count), given)
    _check_refusal(c, answer)


def _check_answers(c, answer, teacher, dataset, given):
    right = _answers_of(teacher, dataset.images).float()
    twin, record = copy.deepcopy(teacher), ModelRecord(teacher)
    with _seeing(twin) as seen:
        error = c.attempt(answer, twin, dataset).error
    c.that(not isinstance(error, ValueError) or bool(seen.sizes), "the answers",
           key="refuses-all", given=given, got=str(error)[:200], hint="This dataset is "
           "not augmented: refuse only where dataset.augmented is True.")  # fmt: skip
    with _seeing(teacher) as seen:
        got = c.call(answer, teacher, dataset, given=given)
    changed = record.changes()
    c.type(got, Tensor, "what your function returns")
    _check_rows(c, got, right, given)
    c.that(not any(seen.training), "the teacher's mode", key="train-mode", given=given,
           hint="The teacher answered in train mode: its answers then depend on the "
           "batch and on chance. teacher.eval() first.")  # fmt: skip
    c.that(not seen.graph and not got.requires_grad, "gradients", key="gradients",
           given=given, hint="A graph was built for each answer, which costs memory: "
           "torch.inference_mode() or no_grad().")  # fmt: skip
    atol = 2e-3 if isinstance(teacher, _Half) else 1e-5  # half rounds by batch
    _check_cached(c, got, right, atol, given)
    c.that(max(seen.sizes, default=0) <= 64, "the batches", key="one-batch", given=given,
           got=f"a batch of {max(seen.sizes, default=0)}", hint="All pictures at once "
           "do not fit into memory when there are many: at most 64 a batch.")  # fmt: skip
    _check_kept(c, changed, given)


def _check_rows(c, got, right, given):
    """(N, C), with the last batch."""
    n, sizes = len(right), {"expected": tuple(right.shape), "got": tuple(got.shape)}
    c.that(got.ndim != 1, "the answers", key="classes", given=given, hint="These are "
           "classes. Keep the logits of all classes: what the teacher thinks of the "
           "others is what the student learns from.", **sizes)  # fmt: skip
    short = got.ndim == 2 and len(got) < n
    c.that(not short or len(got) > 64, "the answers", key="one-kept", given=given,
           hint="These are the answers of one batch. Collect those of all.",
           **sizes)  # fmt: skip
    c.that(not short, "the answers", key="last-batch", given=given, hint="The last "
           "pictures are missing: they do not fill a batch. No drop_last.",
           **sizes)  # fmt: skip
    c.tensor(got, "the answers", shape=right.shape, shape_hint="A row for each picture: "
             "put the batches together with torch.cat, not stack.")  # fmt: skip


def _check_cached(c, got, right, atol, given):
    shown = {"given": given, "expected": right, "got": got}
    for key, other in (("probabilities", right.softmax(1)),
                       ("log-probabilities", right.log_softmax(1))):  # fmt: skip
        c.that(not _same_tensor(got.float(), other, atol), "the answers", key=key,
               hint=f"These are {key}. Keep the logits: a temperature is applied to "
               "them later.", **shown)  # fmt: skip
    rows = torch.cdist(got.detach().double(), right.double()).min(1)
    mixed = bool((rows.values < atol).all()) and len(set(rows.indices.tolist())) > 1
    c.that(not mixed or _same_tensor(got.float(), right, atol), "the answers",
           key="order", hint="The rows are right, but not in the dataset's order: no "
           "shuffle, and no random sampler.", **shown)  # fmt: skip
    near, same = (_same_tensor(got.float(), right, gap) for gap in (5e-3, atol))
    c.that(same or not near, "the answers", key="rounded", hint="Nearly: the answers were "
           "rounded on the way, as through half precision. Keep float32 as it is.",
           **shown)  # fmt: skip
    c.close(got, right, "the answers", atol=atol, given=given, hint="Row i is the "
            "teacher's logits for dataset[i], in eval mode.")  # fmt: skip
    c.tensor(got, "the answers", dtype=torch.float32, dtype_hint="Return float32, "
             "whatever the teacher answers in: .float().")  # fmt: skip


def _check_refusal(c, answer):
    given = "a dataset with augmented = True"
    torch.manual_seed(0)
    teacher = _teacher(training=True, drops=False)
    record = ModelRecord(teacher)
    error = c.attempt(answer, teacher, _Pictures(9, augmented=True)).error
    c.that(error is not None, "augmentation", key="not-refused", given=given,
           expected="ValueError", got="an answer", hint="Its pictures are transformed by "
           "chance, so a kept answer belongs to another crop than the student sees: "
           "raise ValueError.")  # fmt: skip
    c.that(isinstance(error, ValueError), "augmentation", key="other-error", given=given,
           expected="ValueError", got=type(error).__name__, hint="Refuse with `raise "
           "ValueError(…)`.")  # fmt: skip
    _check_kept(c, record.changes(), given)


# --- 09.5 ---------------------------------------------------------------------------

_SHARE = 0.7 / (0.7 + 0.3 * 4**2)
_SHARES = (
    ("unchanged", 0.7, "The teacher's part of the step does shrink: T² is a factor of 16 "
     "here, and it is missing in one of the two parts only."),
    ("not-normalised", 0.7 / 16, "0.7 / 16 is the weight of T² · KL that is left. The "
     "weights 0.7 / 16 and 0.3 do not add up to 1 any more: divide by their sum."),
    ("T-once", 0.7 / (0.7 + 0.3 * 4), "That is for a factor of T. T² is 16."),
    ("T-once", 0.7 / 4, "That is for a factor of T, and the weights do not add up to 1."),
    ("other-way", 0.7 * 16 / (0.7 * 16 + 0.3), "That is what T² would do a second time. "
     "Without it, the teacher counts for less."),
    ("labels", 1 - _SHARE, "That is the labels' share. Asked for is the teacher's, "
     "alpha."),
)  # fmt: skip


@task(
    "09.5",
    title="The T² that was forgotten",
    points=1,
    hints=(
        "Write the right loss with an unknown share a: a · 16 · KL + (1 - a) · CE. Its "
        "direction depends on the ratio of the two weights only.",
        "The forgotten one has the ratio 0.7 : 0.3, the right one 16 a : (1 - a).",
        "16 a / (1 - a) = 0.7 / 0.3. Solve it for a.",
    ),
)
def share_without_t2(answer, c, measured=None):
    """`measured`: the share whose gradient has the same direction, found by trying."""
    holds = measured is None or (
        type(measured) is float and abs(measured - _SHARE) < 0.003
    )
    c.that(holds, "the measurement", key="measurement", got=str(measured)[:80],
           hint="`measured` is not what the cells above measure: run them as they were "
           "handed out, after your answer.")  # fmt: skip
    c.type(answer, (float, int), "the answer")
    told = f" Measured above: {measured:.3f}." if measured is not None else ""
    c.that(not abs(answer / 100 - _SHARE) < 6e-3, "the share", key="percent", got=answer,
           hint="Write it as a share from 0 to 1, not in per cent.")  # fmt: skip
    for key, wrong, why in _SHARES:
        c.that(not abs(answer - wrong) < 5e-3, "the share", key=key, got=answer,
               hint=why + told)  # fmt: skip
    c.that(0 <= answer <= 1, "the share", key="range", got=answer, hint="A share lies "
           "from 0 to 1.")  # fmt: skip
    c.that(abs(answer - _SHARE) < 6e-3, "the share", key="value", got=answer,
           hint="Compare the ratio of the two parts' weights, with T² and "
           "without." + told)  # fmt: skip


# --- 09.6 ---------------------------------------------------------------------------

_HOLDS = {"A": "b", "B": "d"}
_DOES_NOT_HOLD = {
    "A": {
        "a": "That would be alpha = 0. alpha is the teacher's share.",
        "c": "With alpha = 1 the labels have the weight 0, and nothing compares the "
        "teacher's answers with them.{labels}",
        "d": "T² keeps the *length* of the gradient about the same. How soft the targets "
        "are still depends on T.",
    },
    "B": {
        "a": "Shape and dtype fit, so nothing refuses: a net takes any numbers.{accuracy}",
        "b": "In eval mode BatchNorm uses the statistics of its training, which fit "
        "normalised pictures only.{accuracy}",
        "c": "The same crop for both is right, but each net needs its own "
        "normalisation: to the teacher these are other pictures.{accuracy}",
    },
}


@task(
    "09.6",
    title="Only the teacher, and a teacher who sees badly",
    points=1,
    hints=(
        "A: put alpha = 1 into the formula. What is left of the labels? B: what tells a "
        "net that its input is not normalised?",
        "A: (1 - alpha) is 0. B: BatchNorm in eval mode applies stored numbers, those of "
        "normalised pictures.",
        "A: no label is used at all. B: nothing fails, only the answers get worse.",
    ),
)
def what_holds(answer, c, measured=None):
    """`measured`: what other labels change, and the accuracy with and without norm."""
    said = {"labels": "", "accuracy": ""}
    if measured is not None:
        _check_facts(c, measured)
        said["labels"] = " Measured: other labels change nothing of the gradient."
        said["accuracy"] = (
            f" Measured: {measured['own']:.0%} right when normalised, "
            f"{measured['raw']:.0%} when not."
        )
    why = {
        case: {letter: text.format(**said) for letter, text in wrong.items()}
        for case, wrong in _DOES_NOT_HOLD.items()
    }
    c.choices(answer, _HOLDS, why)


def _check_facts(c, measured):
    names = ("labels", "own", "raw")
    holds = type(measured) is dict and all(
        type(measured.get(n)) is float for n in names
    )
    holds = holds and measured["labels"] < 1e-6 and measured["own"] > measured["raw"]
    c.that(holds, "the measurement", key="measurement", got=str(measured)[:200],
           hint="`measured` is not what the cells above measure: run them as they were "
           "handed out, after your answer.")  # fmt: skip


# --- 09.7 ---------------------------------------------------------------------------

_SIZES = {"A": (32, 5), "B": (32, 100), "C": (32, 1000), "D": (8, 1000)}  # (B, C)


@task(
    "09.7",
    title="A teacher who fades as classes are added",
    points=2,
    hints=(
        "How many numbers does kl_div hold before it reduces them, and by how many does "
        "each reduction divide? For the share you need two gradients, one of each term.",
        "A mean over B pictures and C classes divides by B · C, where a divergence is a "
        "sum over the classes. torch.autograd.grad(term, logits) gives the gradient of "
        "one term alone; logits is a clone with requires_grad_().",
        "(a,) = torch.autograd.grad(times * F.kl_div(logits.log_softmax(1), "
        "teacher_logits.log_softmax(1), reduction=reduction, log_target=True), logits), "
        "(b,) the same of the cross-entropy; a.norm() / (a.norm() + b.norm()), with "
        ".item(). The numbers to predict are the numbers of classes.",
    ),
)
def soft_share(answer, c, predicted=None):
    """`predicted`: by which number the soft part is too weak in each of four cases."""
    shown = ((1, (6, 5), "batchmean", 2.5), (2, (6, 5), "mean", 4.0))
    hidden = ((3, (7, 4), "sum", 0.3), (4, (3, 40), "mean", 40.0),
              (5, (1, 3), "batchmean", 1.0))  # fmt: skip
    for seed, shape, reduction, times in c.cases(shown, hidden=hidden):
        given = f'logits of shape {shape}, reduction="{reduction}", times = {times:g}'
        inputs = *_three(seed, shape, 2.0), reduction, times
        _check_share(c, c.call(answer, *inputs, given=given), inputs, given)
    if predicted is not None:
        _check_prediction(c, predicted)


def _check_share(c, got, inputs, given):
    c.type(got, float, "the share")
    shown = {"given": given, "got": got}
    c.that(not math.isnan(got), "the share", key="nan", hint="That is nan: a logarithm of "
           "something negative. kl_div takes the target as probabilities, unless you say "
           "log_target=True.", **shown)  # fmt: skip
    *nets, reduction, times = inputs
    nets = [_exact(value) for value in nets]
    right = _part(*_pulls(*nets, _strengths(nets[0].shape, times)[reduction]))
    for key, wrong in _mistaken_shares(*nets, reduction, times):
        c.that(not _near(got, wrong) or _near(wrong, right), "the share", key=key,
               expected=right, hint=_SHARE_HINTS[key], **shown)  # fmt: skip
    c.close(got, right, "the share", atol=1e-6, rtol=1e-4, given=given, hint="Compute "
            "both gradients apart and print their lengths. kl_div takes the student's "
            "log-probabilities first; both softmaxes go over the classes; there is no "
            "temperature here.")  # fmt: skip


def _pulls(student, teacher, labels, strength) -> tuple[Tensor, Tensor]:
    """Gradients (B, C) by the student's logits: strength · summed KL, cross-entropy."""
    p, q = teacher.softmax(1), student.softmax(1)
    wanted = F.one_hot(labels, student.shape[1])
    return strength * (q - p), (q - wanted) / len(labels)


def _strengths(shape: tuple[int, int], times: float) -> dict[str, float]:
    """By what each reduction, and `times`, multiply the sum of all B · C numbers."""
    size, classes = shape
    divisors = {"mean": size * classes, "batchmean": size, "sum": 1}
    return {name: times / divisor for name, divisor in divisors.items()}


def _part(a: Tensor, b: Tensor) -> float:
    return (a.norm() / (a.norm() + b.norm())).item()


def _mistaken_shares(
    student: Tensor, teacher: Tensor, labels: Tensor, reduction: str, times: float
) -> Iterator[tuple[str, float]]:
    """(key, the share) of the usual mistakes."""
    nets, strengths = (student, teacher, labels), _strengths(student.shape, times)
    strength = strengths.pop(reduction)
    a, b = _pulls(*nets, strength)
    for other in strengths.values():
        yield "reduction", _part(_pulls(*nets, other)[0], b)
    yield "times", _part(a / times, b)
    yield "hard-sum", _part(a, b * len(labels))
    yield "gathered", _part(a, a + b)
    yield "gathered", _part(a + b, b)
    yield "length-of-sum", (a.norm() / (a + b).norm()).item()
    yield "ratio", (a.norm() / b.norm()).item()
    yield "labels", _part(b, a)
    yield "percent", 100 * _part(a, b)
    yield "squares", _part(a.norm() ** 2, b.norm() ** 2)
    yield "absolute", _part(a.abs().sum(), b.abs().sum())
    yield "per-picture", (a.norm(dim=1) / (a.norm(dim=1) + b.norm(dim=1))).mean().item()
    yield "swapped", _part(*_pulls(teacher, student, labels, strength))
    yield "direction", _part(strength * _reversed_pull(student, teacher), b)
    log_p, log_q = teacher.log_softmax(1), student.log_softmax(1)
    soft = strength * (log_p.exp() * (log_p - log_q)).sum()
    yield "values", (soft / (soft + F.cross_entropy(student, labels))).item()


def _reversed_pull(student: Tensor, teacher: Tensor) -> Tensor:
    """The gradient (B, C) of the summed KL(student ‖ teacher)."""
    ratio = student.log_softmax(1) - teacher.log_softmax(1)
    q = student.softmax(1)
    return q * (ratio - (q * ratio).sum(1, keepdim=True))


_SHARE_HINTS = {
    "reduction": "That is the share for another reduction: hand the argument on to "
    "kl_div, reduction=reduction.",
    "times": "`times` is without effect: it multiplies the divergence, and only that.",
    "hard-sum": "The cross-entropy is a mean over the pictures, not a sum.",
    "gathered": "backward() adds to .grad: the second gradient has the first one in it. "
    "Use torch.autograd.grad, or set logits.grad = None between the two.",
    "length-of-sum": "You divide by the length of the whole gradient, in which the two "
    "may cancel. Divide by the sum of both lengths.",
    "ratio": "That is the teacher's length over the labels'. A share is a part of the "
    "whole: divide by the sum of both lengths.",
    "labels": "That is the labels' share: the teacher's length goes above the line.",
    "percent": "A share from 0 to 1, not in per cent.",
    "squares": "These are squared lengths: take the root first, as .norm() does.",
    "absolute": "That is the sum of absolute values. The length is the root of the sum "
    "of the squares: .norm().",
    "per-picture": "That is the mean of a share for each picture. Take the length over "
    "the whole batch.",
    "swapped": "The nets are swapped: the student's logits are those with the gradient.",
    "direction": "The divergence is the wrong way round. F.kl_div(input, target) is "
    "KL(target ‖ input): the student's log-probabilities first, the teacher second.",
    "values": "That is the share of the loss. A step follows gradients, not values: take "
    "the gradient of each term, and its length.",
}


def _check_prediction(c, predicted):
    c.that(predicted is not Ellipsis, "the prediction", key="not-predicted",
           hint="The function is right. Fill in `times_too_weak` as well: a number for "
           "each case.")  # fmt: skip
    c.type(predicted, dict, "times_too_weak")
    numbers = {plain(name): plain(value) for name, value in predicted.items()}
    c.that(numbers.keys() == _SIZES.keys(), "the prediction", key="cases",
           got=list(numbers), expected=list(_SIZES), hint="Give a number for each "
           "case.")  # fmt: skip
    for case, (size, classes) in _SIZES.items():
        number, name = numbers[case], f"the prediction for case {case}"
        c.type(number, (int, float), name)
        for key, wrong in _wrong_numbers(size, classes):
            c.that(not math.isclose(number, wrong, rel_tol=5e-3), name, key=key,
                   got=number, hint=_NUMBER_HINTS[key])  # fmt: skip
        c.that(math.isclose(number, classes, rel_tol=5e-3), name, key="number",
               got=number, hint='By how many does "mean" divide the sum, by how many '
               '"batchmean"? The cells above show what your number makes of '
               "it.")  # fmt: skip


def _wrong_numbers(size: int, classes: int) -> tuple[tuple[str, float], ...]:
    return (
        ("both-counted", size * classes),
        ("pictures", size),
        ("inverse", 1 / classes),
        ("nothing", 1),
        ("batch", classes * 32 / size if size != 32 else math.nan),
        ("batch", classes * size / 32 if size != 32 else math.nan),
    )


_NUMBER_HINTS = {
    "both-counted": '"mean" does divide by both, B · C. But "batchmean" divides by B '
    "too, and rightly: what is too much is the rest.",
    "pictures": 'Both reductions divide by the number of pictures; only "mean" divides '
    "by something else as well.",
    "inverse": "That is how strong the soft part is left. Asked for is the number that "
    "makes up for it, above 1.",
    "nothing": 'Times 1 changes nothing, and with "mean" the soft part is too weak.',
    "batch": "Another number of pictures changes nothing here: both reductions take "
    "their mean.",
}
