"""Answers to the tasks 09.1 to 09.7."""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from tests.answers import With

# --- 09.1 ---------------------------------------------------------------------------


def kd_probabilities(student_logits, teacher_logits, labels, T, alpha):
    soft = F.kl_div(
        F.log_softmax(student_logits / T, dim=1),
        F.softmax(teacher_logits.detach() / T, dim=1),
        reduction="batchmean",
    )
    return alpha * soft * T * T + (1 - alpha) * F.cross_entropy(student_logits, labels)


def kd_by_formula(student_logits, teacher_logits, labels, T, alpha):
    log_q = torch.log_softmax(student_logits / T, -1)
    log_p = torch.log_softmax(teacher_logits.detach() / T, -1)
    soft = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    rows = torch.arange(len(labels))
    hard = -student_logits.log_softmax(-1)[rows, labels].mean()
    return alpha * T**2 * soft + (1 - alpha) * hard


def kd_two_cross_entropies(student_logits, teacher_logits, labels, T, alpha):
    with torch.no_grad():
        p = (teacher_logits / T).softmax(dim=1)
        entropy = torch.special.entr(p).sum(dim=1).mean()
    soft = F.cross_entropy(student_logits / T, p) - entropy
    hard = nn.CrossEntropyLoss()(student_logits, labels)
    return alpha * T**2 * soft + (1 - alpha) * hard


def kd_in_double(student_logits, teacher_logits, labels, T, alpha):
    student, teacher = student_logits.double(), teacher_logits.double().detach()
    soft = nn.KLDivLoss(reduction="sum", log_target=True)(
        F.log_softmax(student / T, 1), F.log_softmax(teacher / T, 1)
    )
    soft = soft / student.shape[0]
    return torch.lerp(F.cross_entropy(student, labels), T**2 * soft, alpha)


def _kd(
    s,
    t,
    labels,
    T,
    alpha,
    *,
    reduction="batchmean",
    factor=None,
    hard=None,
    shares=None,
    dim=1,
):
    """The right loss, with one thing changed."""
    p, log_q = F.softmax(t.detach() / T, dim), F.log_softmax(s / T, dim)
    soft = F.kl_div(log_q, p, reduction=reduction) * (
        T**2 if factor is None else factor
    )
    hard = F.cross_entropy(s, labels) if hard is None else hard
    own, other = shares or (alpha, 1 - alpha)
    return own * soft + other * hard


def kd_no_t2(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, factor=1)


def kd_t_once(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, factor=T)


def kd_mean(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, reduction="mean")


def kd_mean_without_t2(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, reduction="mean", factor=1)


def kd_sum(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, reduction="sum")


def kd_none(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, reduction="none").mean(1)


def kd_over_the_batch(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, dim=0)


def kd_hard_at_t(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, hard=F.cross_entropy(s / T, labels))


def kd_hard_softmax(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, hard=F.cross_entropy(s.softmax(1), labels))


def kd_hard_of_teacher(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, hard=F.cross_entropy(t.detach(), labels))


def kd_hard_answers(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, hard=F.cross_entropy(s, t.argmax(1)))


def kd_hard_sum(s, t, labels, T, alpha):
    hard = F.cross_entropy(s, labels, reduction="sum")
    return _kd(s, t, labels, T, alpha, hard=hard)


def kd_swapped(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, 1 - alpha)


def kd_unweighted(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, shares=(1, 1))


def kd_hard_whole(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, shares=(alpha, 1))


def kd_soft_only(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, shares=(alpha, 0))


def kd_hard_only(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, shares=(0, 1 - alpha))


def kd_t2_on_all(s, t, labels, T, alpha):
    return T**2 * _kd(s, t, labels, T, alpha, factor=1)


def _with_soft(s, labels, T, alpha, soft):
    return alpha * T**2 * soft + (1 - alpha) * F.cross_entropy(s, labels)


def kd_wrong_way(s, t, labels, T, alpha):
    q, log_p = F.softmax(s / T, 1), F.log_softmax(t.detach() / T, 1)
    soft = F.kl_div(log_p, q, reduction="batchmean")
    return _with_soft(s, labels, T, alpha, soft)


def kd_student_softmax(s, t, labels, T, alpha):
    q, p = F.softmax(s / T, 1), F.softmax(t.detach() / T, 1)
    return _with_soft(s, labels, T, alpha, F.kl_div(q, p, reduction="batchmean"))


def kd_log_target_missing(s, t, labels, T, alpha):
    log_q, log_p = F.log_softmax(s / T, 1), F.log_softmax(t.detach() / T, 1)
    return _with_soft(
        s, labels, T, alpha, F.kl_div(log_q, log_p, reduction="batchmean")
    )


def kd_log_target_of_probabilities(s, t, labels, T, alpha):
    log_q, p = F.log_softmax(s / T, 1), F.softmax(t.detach() / T, 1)
    soft = F.kl_div(log_q, p, reduction="batchmean", log_target=True)
    return _with_soft(s, labels, T, alpha, soft)


def kd_multiplied(s, t, labels, T, alpha):
    log_q, p = F.log_softmax(s * T, 1), F.softmax(t.detach() * T, 1)
    return _with_soft(s, labels, T, alpha, F.kl_div(log_q, p, reduction="batchmean"))


def kd_only_teacher_softened(s, t, labels, T, alpha):
    log_q, p = F.log_softmax(s, 1), F.softmax(t.detach() / T, 1)
    return _with_soft(s, labels, T, alpha, F.kl_div(log_q, p, reduction="batchmean"))


def kd_only_student_softened(s, t, labels, T, alpha):
    log_q, p = F.log_softmax(s / T, 1), F.softmax(t.detach(), 1)
    return _with_soft(s, labels, T, alpha, F.kl_div(log_q, p, reduction="batchmean"))


def kd_no_temperature(s, t, labels, T, alpha):
    log_q, p = F.log_softmax(s, 1), F.softmax(t.detach(), 1)
    return _with_soft(s, labels, T, alpha, F.kl_div(log_q, p, reduction="batchmean"))


def kd_probabilities_divided(s, t, labels, T, alpha):
    log_q, p = (F.softmax(s, 1) / T).log(), F.softmax(t.detach(), 1) / T
    return _with_soft(s, labels, T, alpha, F.kl_div(log_q, p, reduction="batchmean"))


def kd_soft_cross_entropy(s, t, labels, T, alpha):
    soft = F.cross_entropy(s / T, F.softmax(t.detach() / T, 1))
    return _with_soft(s, labels, T, alpha, soft)


def kd_sign(s, t, labels, T, alpha):
    log_q, log_p = F.log_softmax(s / T, 1), F.log_softmax(t.detach() / T, 1)
    soft = (log_p.exp() * (log_q - log_p)).sum(1).mean()
    return _with_soft(s, labels, T, alpha, soft)


def kd_squares(s, t, labels, T, alpha):
    return _with_soft(s, labels, T, alpha, F.mse_loss(s / T, t.detach() / T))


def kd_absolute_values(s, t, labels, T, alpha):
    return _with_soft(s, labels, T, alpha, F.l1_loss(s / T, t.detach() / T))


def kd_clamped(s, t, labels, T, alpha):
    return _kd(s.clamp(-50, 50), t.clamp(-50, 50), labels, T, alpha)


def kd_switched_off(s, t, labels, T, alpha):
    return _kd(s, t.requires_grad_(False), labels, T, alpha)


def kd_new_tensor(s, t, labels, T, alpha):
    return torch.tensor(_kd(s, t, labels, T, alpha).item(), requires_grad=True)


def kd_fixed_t(s, t, labels, T, alpha):
    return _kd(s, t, labels, 4.0, alpha)


def kd_no_t(s, t, labels, T, alpha):
    return _kd(s, t, labels, 1.0, alpha)


def kd_into_the_teacher(s, t, labels, T, alpha):
    log_q, log_p = F.log_softmax(s / T, 1), F.log_softmax(t / T, 1)
    soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return _with_soft(s, labels, T, alpha, soft)


def kd_detached_student(s, t, labels, T, alpha):
    return _kd(s.detach(), t, labels, T, alpha)


def kd_soft_detached(s, t, labels, T, alpha):
    hard = F.cross_entropy(s, labels)
    return _kd(s.detach(), t, labels, T, alpha, hard=hard)


def kd_no_graph(s, t, labels, T, alpha):
    with torch.no_grad():
        return _kd(s, t, labels, T, alpha)


def kd_item(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha).item()


def kd_log_of_softmax(s, t, labels, T, alpha):
    q, p = F.softmax(s / T, 1), F.softmax(t.detach() / T, 1)
    soft = F.kl_div(q.log(), p, reduction="batchmean")
    return _with_soft(s, labels, T, alpha, soft)


def kd_log_of_both(s, t, labels, T, alpha):
    log_q, p = F.log_softmax(s / T, 1), F.softmax(t.detach() / T, 1)
    soft = (p * (p.log() - log_q)).sum(1).mean()
    return _with_soft(s, labels, T, alpha, soft)


def kd_epsilon(s, t, labels, T, alpha):
    q, p = F.softmax(s / T, 1), F.softmax(t.detach() / T, 1)
    soft = (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(1).mean()
    return _with_soft(s, labels, T, alpha, soft)


def kd_in_place(s, t, labels, T, alpha):
    t /= T
    p = F.softmax(t.detach(), 1)
    soft = F.kl_div(F.log_softmax(s / T, 1), p, reduction="batchmean")
    return _with_soft(s, labels, T, alpha, soft)


def kd_detached_in_place(s, t, labels, T, alpha):
    return kd_by_formula(s, t.detach_(), labels, T, alpha)


def kd_one_entry(s, t, labels, T, alpha):
    return kd_by_formula(s, t, labels, T, alpha)[None]


def kd_soft_whole(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, shares=(1, 1 - alpha))


def kd_sixteen(s, t, labels, T, alpha):
    return _kd(s, t, labels, T, alpha, factor=16)


def kd_no_return(s, t, labels, T, alpha):
    _kd(s, t, labels, T, alpha)


def kd_parts(s, t, labels, T, alpha):
    return F.cross_entropy(s, labels), _kd(s, t, labels, T, alpha)


# --- 09.2 ---------------------------------------------------------------------------


def teach_try_finally(student, teacher, optimizer, images, labels, loss):
    optimizer.zero_grad()
    student.train()
    mode = teacher.training
    try:
        with torch.inference_mode():
            answers = teacher.eval()(images)
    finally:
        teacher.train(mode)
    value = loss(student(images), answers.clone(), labels)
    value.backward()
    optimizer.step()
    return float(value)


def teach_by_a_copy(student, teacher, optimizer, images, labels, loss):
    twin = copy.deepcopy(teacher).eval().requires_grad_(False)
    value = loss(student.train()(images), twin(images), labels)
    student.zero_grad()
    value.backward()
    optimizer.step()
    return value.detach().item()


def teach_by_layers(student, teacher, optimizer, images, labels, loss):
    modes = [(layer, layer.training) for layer in teacher.modules()]
    with torch.no_grad():
        teacher.eval()
        answers = teacher(images)
    for layer, mode in modes:
        layer.training = mode
    for layer in student.modules():
        layer.training = True
    optimizer.zero_grad(set_to_none=False)
    value = loss(student(images), answers, labels)
    value.backward()
    optimizer.step()
    return value.tolist()


def _step(student, optimizer, images, labels, loss, answers):
    student.train()
    value = loss(student(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def _silent(teacher, images):
    """The teacher's answers, as they should be asked for."""
    mode = teacher.training
    with torch.no_grad():
        answers = teacher.eval()(images)
    teacher.train(mode)
    return answers


def teach_as_found(student, teacher, optimizer, images, labels, loss):
    for net in (student, teacher):
        net.train()
    answers, logits = teacher(images), student(images)
    value = loss(logits, answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def teach_no_grad_only(student, teacher, optimizer, images, labels, loss):
    with torch.no_grad():
        answers = teacher(images)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_eval_only(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    answers = teacher.eval()(images)
    teacher.train(mode)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_detach(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    answers = teacher.eval()(images).detach()
    teacher.train(mode)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_mode_lost(student, teacher, optimizer, images, labels, loss):
    with torch.no_grad():
        answers = teacher.eval()(images)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_always_back_to_train(student, teacher, optimizer, images, labels, loss):
    with torch.no_grad():
        answers = teacher.eval()(images)
    teacher.train()
    return _step(student, optimizer, images, labels, loss, answers)


def teach_batchnorm_only(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    for layer in teacher.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    with torch.no_grad():
        answers = teacher(images)
    teacher.train(mode)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_frozen_for_good(student, teacher, optimizer, images, labels, loss):
    teacher.requires_grad_(False)
    return _step(student, optimizer, images, labels, loss, _silent(teacher, images))


def teach_thawed(student, teacher, optimizer, images, labels, loss):
    teacher.requires_grad_(False)
    answers = _silent(teacher, images)
    teacher.requires_grad_(True)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_statistics_put_back(student, teacher, optimizer, images, labels, loss):
    kept = copy.deepcopy(teacher.state_dict())
    with torch.no_grad():
        answers = teacher(images)
    teacher.load_state_dict(kept)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_warmed_up(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    with torch.no_grad():
        teacher.train().forward(images)
        answers = teacher.eval()(images)
    teacher.train(mode)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_all_silent(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    teacher.eval()
    student.train()
    with torch.no_grad():
        answers, logits = teacher(images), student(images)
    teacher.train(mode)
    value = loss(logits, answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def teach_both_eval(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    value = loss(student.eval()(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def teach_student_as_it_came(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    value = loss(student(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def teach_stale(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    value = loss(student.train()(images), answers, labels)
    value.backward()
    optimizer.step()
    optimizer.zero_grad()
    return value.item()


def teach_zeroed_too_late(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    value = loss(student.train()(images), answers, labels)
    value.backward()
    optimizer.zero_grad()
    optimizer.step()
    return value.item()


def teach_without_step(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    value = loss(student.train()(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    return value.item()


def teach_swapped(student, teacher, optimizer, images, labels, loss):
    def other(logits, answers, labels):
        return loss(answers, logits, labels)

    return _step(student, optimizer, images, labels, other, _silent(teacher, images))


def teach_probabilities(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images).softmax(1)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_softened(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images) / 4
    return _step(student, optimizer, images, labels, loss, answers)


def teach_probabilities_of_the_student(
    student, teacher, optimizer, images, labels, loss
):
    def other(logits, answers, labels):
        return loss(logits.softmax(1), answers, labels)

    return _step(student, optimizer, images, labels, other, _silent(teacher, images))


def teach_softened_student(student, teacher, optimizer, images, labels, loss):
    def other(logits, answers, labels):
        return loss(logits / 4, answers, labels)

    return _step(student, optimizer, images, labels, other, _silent(teacher, images))


def teach_guesses(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    return _step(student, optimizer, images, answers.argmax(1), loss, answers)


def teach_two_steps(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    value = _step(student, optimizer, images, labels, loss, answers)
    optimizer.step()
    return value


def teach_own_optimizer(student, teacher, optimizer, images, labels, loss):
    own = torch.optim.SGD(student.parameters(), lr=0.01)
    return _step(student, own, images, labels, loss, _silent(teacher, images))


def teach_copy_with_graph(student, teacher, optimizer, images, labels, loss):
    answers = copy.deepcopy(teacher).eval()(images)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_by_keywords(student, teacher, optimizer, images, labels, loss):
    def named(logits, answers, labels):
        return loss(student_logits=logits, teacher_logits=answers, labels=labels)

    return _step(student, optimizer, images, labels, named, _silent(teacher, images))


def teach_numpy(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    return np.float64(_step(student, optimizer, images, labels, loss, answers))


def teach_new_tensor(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    return torch.tensor(_step(student, optimizer, images, labels, loss, answers))


def teach_own_loss(student, teacher, optimizer, images, labels, loss):
    def own(logits, answers, labels):
        return F.cross_entropy(logits, labels)

    return _step(student, optimizer, images, labels, own, _silent(teacher, images))


def teach_twice(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    student.train()(images)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_loss_afterwards(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    _step(student, optimizer, images, labels, loss, answers)
    twin = copy.deepcopy(student)
    return loss(twin(images), answers, labels).item()


def teach_tensor(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    value = loss(student.train()(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value


def teach_nothing_back(student, teacher, optimizer, images, labels, loss):
    _step(student, optimizer, images, labels, loss, _silent(teacher, images))


def teach_clipped(student, teacher, optimizer, images, labels, loss):
    value = loss(student.train()(images), _silent(teacher, images), labels)
    optimizer.zero_grad()
    value.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    optimizer.step()
    return value.item()


def teach_classes(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images).argmax(1)
    return _step(student, optimizer, images, labels, loss, answers)


def teach_sum_of_losses(student, teacher, optimizer, images, labels, loss):
    answers = _silent(teacher, images)
    return len(labels) * _step(student, optimizer, images, labels, loss, answers)


def teach_teacher_learns(student, teacher, optimizer, images, labels, loss):
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(0.99)
    return _step(student, optimizer, images, labels, loss, _silent(teacher, images))


# --- 09.3 ---------------------------------------------------------------------------


def _search(entropy, bits, *, low=0.01, high=100.0, steps=60):
    for _ in range(steps):
        middle = math.sqrt(low * high)
        if entropy(middle) < bits:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def _mean_bits(p, dim=1):
    return -torch.xlogy(p, p).sum(dim).mean() / math.log(2)


def t_geometric(logits, bits):
    return _search(lambda T: _mean_bits((logits / T).softmax(1)), bits)


def t_by_distribution(logits, bits):
    def entropy(T):
        spread = torch.distributions.Categorical(logits=logits.double() / T)
        return spread.entropy().mean().item() / math.log(2)

    return _search(entropy, bits, low=0.005, high=200, steps=45)


def t_while(logits, bits):
    low, high = 0.01, 100.0
    while high - low > 1e-7:
        T = low + 0.5 * (high - low)
        log_p = torch.log_softmax(logits.double() / T, dim=-1)
        entropy = -(log_p.exp() * log_p).sum(-1).mean() / math.log(2)
        low, high = (low, T) if entropy > bits else (T, high)
    return high


def t_clamped(logits, bits):
    def entropy(T):
        p = F.softmax(logits / T, dim=1)
        return -(p * p.clamp(min=1e-30).log2()).sum(1).mean()

    return _search(entropy, bits)


def t_nats(logits, bits):
    def entropy(T):
        return _mean_bits((logits / T).softmax(1)) * math.log(2)

    return _search(entropy, bits)


def t_decimal(logits, bits):
    def entropy(T):
        return _mean_bits((logits / T).softmax(1)) * math.log10(2)

    return _search(entropy, bits)


def t_multiplied(logits, bits):
    def negative(T):
        return -_mean_bits((logits * T).softmax(1))

    return _search(negative, -bits)


def t_over_the_batch(logits, bits):
    return _search(lambda T: _mean_bits((logits / T).softmax(0), 0), bits)


def t_sum(logits, bits):
    return _search(lambda T: _mean_bits((logits / T).softmax(1)) * len(logits), bits)


def t_mean_of_all(logits, bits):
    def entropy(T):
        p = (logits / T).softmax(1)
        return -torch.xlogy(p, p).mean() / math.log(2)

    return _search(entropy, bits)


def t_average_first(logits, bits):
    def entropy(T):
        return _mean_bits((logits / T).softmax(1).mean(0, keepdim=True))

    return _search(entropy, bits)


def t_median(logits, bits):
    def entropy(T):
        p = (logits / T).softmax(1)
        return -torch.xlogy(p, p).sum(1).median() / math.log(2)

    return _search(entropy, bits)


def t_over_the_batch_first(logits, bits):
    return _search(lambda T: _mean_bits((logits / T).softmax(0)), bits)


def t_rounded(logits, bits):
    return round(t_geometric(logits, bits), 2)


def t_first_picture(logits, bits):
    return _search(lambda T: _mean_bits((logits[:1] / T).softmax(1)), bits)


def t_wrong_way(logits, bits):
    return _search(lambda T: -_mean_bits((logits / T).softmax(1)), -bits)


def t_sign(logits, bits):
    return _search(lambda T: -_mean_bits((logits / T).softmax(1)), bits)


def t_nan(logits, bits):
    def entropy(T):
        p = (logits / T).softmax(1)
        return -(p * p.log2()).sum(1).mean()

    low, high = 0.01, 100.0
    for _ in range(60):
        T = (low + high) / 2
        if entropy(T) > bits:
            high = T
        elif entropy(T) <= bits:
            low = T
        else:
            high = T
    return T


def t_coarse(logits, bits):
    return _search(lambda T: _mean_bits((logits / T).softmax(1)), bits, steps=9)


def t_whole(logits, bits):
    return float(round(t_geometric(logits, bits)))


def t_not_below_one(logits, bits):
    return _search(lambda T: _mean_bits((logits / T).softmax(1)), bits, low=1.0)


def t_grid(logits, bits):
    grid = [0.2 * i + 0.1 for i in range(500)]
    gaps = [abs(_mean_bits((logits / T).softmax(1)) - bits) for T in grid]
    return grid[gaps.index(min(gaps))]


def t_tensor(logits, bits):
    return torch.tensor(t_geometric(logits, bits))


def t_numpy(logits, bits):
    return np.float32(t_geometric(logits, bits))


def t_near_enough(logits, bits):
    """Right within 0.0009 bits, and no more exact."""
    return t_geometric(logits, bits + 0.0009)


def t_pair(logits, bits):
    return t_geometric(logits, bits), bits


def t_text(logits, bits):
    return f"{t_geometric(logits, bits):.4f}"


def t_of_largest(logits, bits):
    def entropy(T):
        p = (logits / T).softmax(1)
        return torch.special.entr(p).sum(1).max() / math.log(2)

    return _search(entropy, bits)


def t_not_above_ten(logits, bits):
    return _search(lambda T: _mean_bits((logits / T).softmax(1)), bits, high=10.0)


def t_no_return(logits, bits):
    t_geometric(logits, bits)


def t_entropy(logits, bits):
    return float(_mean_bits((logits / t_geometric(logits, bits)).softmax(1)))


def t_reciprocal(logits, bits):
    return 1 / t_geometric(logits, bits)


def t_negative(logits, bits):
    return -t_geometric(logits, bits)


# --- 09.4 ---------------------------------------------------------------------------


def cache_by_hand(teacher, dataset):
    if dataset.augmented is True:
        raise ValueError("augmented")
    mode, rows = teacher.training, []
    teacher.train(False)
    with torch.no_grad():
        for start in range(0, len(dataset), 32):
            stop = min(start + 32, len(dataset))
            images = torch.stack([dataset[i][0] for i in range(start, stop)])
            rows.extend(teacher(images).to(torch.float32))
    teacher.train(mode)
    return torch.stack(rows)


def cache_into_a_table(teacher, dataset):
    class Refused(ValueError):
        pass

    if dataset.augmented:
        raise Refused("chance")
    modes = [layer.training for layer in teacher.modules()]
    teacher.eval()
    table, at = None, 0
    with torch.inference_mode():
        for images, labels in DataLoader(dataset, batch_size=7, shuffle=False):
            answers = teacher(images)
            if table is None:
                table = torch.empty(len(dataset), answers.shape[1])
            table[at : at + len(labels)] = answers
            at += len(labels)
    for layer, training in zip(teacher.modules(), modes, strict=True):
        layer.training = training
    return table


@torch.no_grad()
def cache_one_by_one(teacher, dataset):
    if dataset.augmented:
        raise ValueError
    twin = copy.deepcopy(teacher).eval()
    return torch.cat([twin(image[None]).float() for image, _ in dataset])


def _cached(teacher, dataset, *, refuse=True, mode="eval", keep=lambda x: x, **options):
    """The answers, with one thing changed."""
    if refuse and dataset.augmented:
        raise ValueError("augmented")
    training = teacher.training
    if mode == "eval":
        teacher.eval()
    loader = DataLoader(dataset, **{"batch_size": 64, **options})
    with torch.no_grad():
        answers = torch.cat([keep(teacher(images).float()) for images, _ in loader])
    teacher.train(training)
    return answers


def cache_shuffled(teacher, dataset):
    return _cached(teacher, dataset, shuffle=True)


def cache_dropped(teacher, dataset):
    return _cached(teacher, dataset, drop_last=True)


def cache_whole_batches(teacher, dataset):
    return _cached(teacher, dataset, batch_size=50, drop_last=True)


def cache_at_once(teacher, dataset):
    return _cached(teacher, dataset, batch_size=len(dataset))


def cache_train_mode(teacher, dataset):
    return _cached(teacher, dataset, mode="train")


def cache_not_refused(teacher, dataset):
    return _cached(teacher, dataset, refuse=False)


def cache_probabilities(teacher, dataset):
    return _cached(teacher, dataset, keep=lambda logits: logits.softmax(1))


def cache_log_probabilities(teacher, dataset):
    return _cached(teacher, dataset, keep=lambda logits: logits.log_softmax(1))


def cache_softened(teacher, dataset):
    return _cached(teacher, dataset, keep=lambda logits: logits / 4)


def cache_classes(teacher, dataset):
    return _cached(teacher, dataset, keep=lambda logits: logits.argmax(1))


def cache_reversed(teacher, dataset):
    return _cached(teacher, dataset).flip(0)


def cache_sorted_by_label(teacher, dataset):
    labels = torch.tensor([label for _, label in dataset])
    return _cached(teacher, dataset)[labels.argsort()]


def cache_double(teacher, dataset):
    return _cached(teacher, dataset).double()


def cache_as_it_comes(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    mode = teacher.training
    teacher.eval()
    with torch.no_grad():
        found = [teacher(images) for images, _ in DataLoader(dataset, batch_size=64)]
    teacher.train(mode)
    return torch.cat(found)


def cache_with_graph(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    mode = teacher.training
    teacher.eval()
    found = [teacher(images) for images, _ in DataLoader(dataset, batch_size=64)]
    teacher.train(mode)
    return torch.cat(found).float()


def cache_detached(teacher, dataset):
    return cache_with_graph(teacher, dataset).detach()


def cache_left_in_eval(teacher, dataset):
    found = _cached(teacher, dataset)
    teacher.eval()
    return found


def cache_refused_in_eval(teacher, dataset):
    mode = teacher.training
    teacher.eval()
    if dataset.augmented:
        raise ValueError("augmented")
    found = _cached(teacher, dataset)
    teacher.train(mode)
    return found


def cache_last_batch(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    for images, _ in DataLoader(dataset, batch_size=64):
        found = _cached(teacher, [(image, 0) for image in images], refuse=False)
    return found


def cache_list(teacher, dataset):
    return list(_cached(teacher, dataset))


def cache_stacked(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    return torch.stack([_cached(teacher, [pair], refuse=False) for pair in dataset])


def cache_stacked_batches(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    teacher.eval()
    with torch.no_grad():
        rows = [teacher(images) for images, _ in DataLoader(dataset, batch_size=64)]
    return torch.stack(rows)


def cache_of_labels(teacher, dataset):
    teacher.eval()
    with torch.no_grad():
        rows = [teacher(images) for _, images in DataLoader(dataset, batch_size=64)]
    return torch.cat(rows)


def cache_with_labels(teacher, dataset):
    return cache_by_hand(teacher, dataset), [label for _, label in dataset]


def cache_asserts(teacher, dataset):
    assert not dataset.augmented, "augmented"
    return _cached(teacher, dataset)


def cache_gives_none(teacher, dataset):
    return None if dataset.augmented else _cached(teacher, dataset)


def cache_refuses_all(teacher, dataset):
    raise ValueError("the transform may be random")


def cache_refuses_by_attribute(teacher, dataset):
    if hasattr(dataset, "augmented"):
        raise ValueError("augmented")
    return _cached(teacher, dataset)


def cache_frozen(teacher, dataset):
    teacher.requires_grad_(False)
    return _cached(teacher, dataset)


def cache_in_half(teacher, dataset):
    return _cached(teacher, dataset).half().float()


def cache_pairs(teacher, dataset):
    return _cached(teacher, dataset), torch.tensor([label for _, label in dataset])


def cache_unbatched(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    mode = teacher.training
    teacher.eval()
    with torch.no_grad():
        rows = [teacher(dataset[i][0]).float() for i in range(len(dataset))]
    teacher.train(mode)
    return torch.stack(rows)


def cache_triples(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    return torch.cat([teacher(x) for _, x, _ in DataLoader(dataset, batch_size=64)])


def cache_one_missing(teacher, dataset):
    return _cached(teacher, dataset)[1:]


def cache_batch_means(teacher, dataset):
    return torch.stack([rows.mean(0) for rows in _cached(teacher, dataset).split(64)])


def cache_transposed(teacher, dataset):
    return _cached(teacher, dataset).T


def cache_weights_moved(teacher, dataset):
    found = _cached(teacher, dataset)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(0.5)
    return found


# --- 09.7 ---------------------------------------------------------------------------


def _terms(student_logits, teacher_logits, labels, reduction, times):
    """The student's logits with a graph, and both terms of the loss."""
    logits = student_logits.clone().requires_grad_()
    target = F.softmax(teacher_logits, dim=1)
    soft = F.kl_div(logits.log_softmax(1), target, reduction=reduction)
    return logits, times * soft, F.cross_entropy(logits, labels)


def _lengths(logits, *terms):
    grads = [torch.autograd.grad(t, logits, retain_graph=True)[0] for t in terms]
    return [grad.norm().item() for grad in grads]


def share_by_jacobian(student_logits, teacher_logits, labels, reduction, times):
    def terms(logits):
        own, told = logits.log_softmax(1), teacher_logits.log_softmax(1)
        how = {"reduction": reduction, "log_target": True}
        hard = F.cross_entropy(logits, labels)
        return torch.stack([times * F.kl_div(own, told, **how), hard])

    rows = torch.autograd.functional.jacobian(terms, student_logits)
    soft, hard = rows.flatten(1).norm(dim=1).tolist()
    return soft / (soft + hard)


def share_by_difference(student_logits, teacher_logits, labels, reduction, times):
    given = _terms(student_logits, teacher_logits, labels, reduction, times)
    logits, soft, hard = given
    hard.backward(retain_graph=True)
    b = logits.grad.clone()
    soft.backward()
    a = (logits.grad - b).norm().item()
    return a / (a + b.norm().item())


def share_by_cross_entropies(student_logits, teacher_logits, labels, reduction, times):
    logits = student_logits.clone().requires_grad_()
    soft = F.cross_entropy(logits, teacher_logits.softmax(1), reduction="sum")
    wide = {"mean": logits.numel(), "batchmean": len(logits), "sum": 1}[reduction]
    a, b = _lengths(logits, soft, F.cross_entropy(logits, labels))
    return a / (a + b * wide / times)


def share_with_batchmean(student_logits, teacher_logits, labels, reduction, times):
    nets = student_logits, teacher_logits, labels
    a, b = _lengths(*_terms(*nets, "batchmean", times))
    return a / (a + b)


def share_with_the_default(student_logits, teacher_logits, labels, reduction, times):
    a, b = _lengths(*_terms(student_logits, teacher_logits, labels, "mean", times))
    return a / (a + b)


def share_without_times(student_logits, teacher_logits, labels, reduction, times):
    a, b = _lengths(*_terms(student_logits, teacher_logits, labels, reduction, 1))
    return a / (a + b)


def share_of_values(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    _, soft, hard = _terms(*given)
    return (soft / (soft + hard)).item()


def share_gathered(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    logits, soft, hard = _terms(*given)
    soft.backward(retain_graph=True)
    a = logits.grad.norm().item()
    hard.backward()
    return a / (a + logits.grad.norm().item())


def share_gathered_hard_first(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    logits, soft, hard = _terms(*given)
    hard.backward(retain_graph=True)
    b = logits.grad.norm().item()
    soft.backward()
    return logits.grad.norm().item() / (b + logits.grad.norm().item())


def share_of_the_whole(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    logits, soft, hard = _terms(*given)
    a, both = _lengths(logits, soft, soft + hard)
    return a / both


def share_ratio(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return a / b


def share_of_labels(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return b / (a + b)


def share_in_percent(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return 100 * a / (a + b)


def share_of_squares(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return a**2 / (a**2 + b**2)


def share_with_a_summed_hard_part(
    student_logits, teacher_logits, labels, reduction, times
):
    given = student_logits, teacher_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return a / (a + b * len(labels))


def share_picture_by_picture(student_logits, teacher_logits, labels, reduction, times):
    logits, *terms = _terms(student_logits, teacher_logits, labels, reduction, times)
    a, b = (torch.autograd.grad(term, logits)[0].norm(dim=1) for term in terms)
    return (a / (a + b)).mean().item()


def share_of_absolute_values(student_logits, teacher_logits, labels, reduction, times):
    logits, *terms = _terms(student_logits, teacher_logits, labels, reduction, times)
    a, b = (torch.autograd.grad(term, logits)[0].abs().mean() for term in terms)
    return (a / (a + b)).item()


def share_wrong_way(student_logits, teacher_logits, labels, reduction, times):
    logits = student_logits.clone().requires_grad_()
    own, told = logits.log_softmax(1), teacher_logits.log_softmax(1)
    how = {"reduction": reduction, "log_target": True}
    soft = times * F.kl_div(told, own, **how)
    a, b = _lengths(logits, soft, F.cross_entropy(logits, labels))
    return a / (a + b)


def share_by_the_teacher(student_logits, teacher_logits, labels, reduction, times):
    given = teacher_logits, student_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return a / (a + b)


def share_nan(student_logits, teacher_logits, labels, reduction, times):
    logits = student_logits.clone().requires_grad_()
    own, told = logits.log_softmax(1), teacher_logits.log_softmax(1)
    soft = times * F.kl_div(own, told, reduction=reduction)
    return (soft / (soft + F.cross_entropy(logits, labels))).item()


def share_at_t4(student_logits, teacher_logits, labels, reduction, times):
    softened = student_logits / 4, teacher_logits / 4, labels, reduction, times * 16
    a, _ = _lengths(*_terms(*softened))
    _, b = _lengths(*_terms(student_logits, teacher_logits, labels, reduction, times))
    return a / (a + b)


def share_of_a_tensor(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return torch.tensor(a / (a + b))


def share_numpy(*given):
    return np.float32(share_by_jacobian(*given))


def share_pair(*given):
    share = share_by_jacobian(*given)
    return share, 1 - share


def share_rounded(*given):
    return round(share_by_jacobian(*given), 2)


def share_with_times_on_both(student_logits, teacher_logits, labels, reduction, times):
    given = student_logits, teacher_logits, labels, reduction, times
    a, b = _lengths(*_terms(*given))
    return a / (a + times * b)


def _share_told(logits, own, told, labels, reduction, times):
    soft = times * F.kl_div(own, told, reduction=reduction)
    a, b = _lengths(logits, soft, F.cross_entropy(logits, labels))
    return a / (a + b)


def share_without_log_target(student_logits, teacher_logits, labels, reduction, times):
    logits = student_logits.clone().requires_grad_()
    own, told = logits.log_softmax(1), teacher_logits.log_softmax(1)
    return _share_told(logits, own, told, labels, reduction, times)


def share_of_one_gradient(student_logits, teacher_logits, labels, reduction, times):
    terms = _terms(student_logits, teacher_logits, labels, reduction, times)
    found = []
    for term in terms[1:]:
        term.backward(retain_graph=True)
        found.append(terms[0].grad)
    a, b = (gradient.norm() for gradient in found)
    return (a / (a + b)).item()


def share_of_bare_softmax(student_logits, teacher_logits, labels, reduction, times):
    logits = student_logits.clone().requires_grad_()
    own, told = logits.softmax(1), teacher_logits.softmax(1)
    return _share_told(logits, own, told, labels, reduction, times)


def share_of_mean_lengths(student_logits, teacher_logits, labels, reduction, times):
    logits, *terms = _terms(student_logits, teacher_logits, labels, reduction, times)
    a, b = (
        torch.autograd.grad(term, logits, retain_graph=True)[0].norm(dim=1).mean()
        for term in terms
    )
    return (a / (a + b)).item()


def share_of_largest(student_logits, teacher_logits, labels, reduction, times):
    logits, *terms = _terms(student_logits, teacher_logits, labels, reduction, times)
    a, b = (torch.autograd.grad(term, logits)[0].abs().max() for term in terms)
    return (a / (a + b)).item()


def share_with_a_graph_left(student_logits, teacher_logits, labels, reduction, times):
    student_logits.requires_grad_()
    target = teacher_logits.softmax(1)
    soft = F.kl_div(student_logits.log_softmax(1), target, reduction=reduction)
    hard = F.cross_entropy(student_logits, labels)
    a, b = _lengths(student_logits, times * soft, hard)
    return a / (a + b)


TIMES = {"A": 5, "B": 100, "C": 1000, "D": 1000}
PREDICTED = [
    (With(share_by_jacobian, predicted=TIMES | wrong), key)
    for wrong, key in (
        ({"A": 160}, "both-counted"),
        ({"D": 8}, "pictures"),
        ({"A": 0.2}, "inverse"),
        ({"B": 1}, "nothing"),
        ({"D": 250}, "batch"),
        ({"C": 200}, "number"),
        ({"E": 3}, "cases"),
        ({"A": 5 / 32}, "pictures"),
        ({"D": None}, "not-predicted"),
    )
] + [
    (With(share_by_jacobian, predicted=...), "not-predicted"),
    (With(share_by_jacobian, predicted=None), "not-predicted"),
]


RIGHT = {
    "09.1": [kd_probabilities, kd_by_formula, kd_two_cross_entropies, kd_in_double],
    "09.2": [
        teach_try_finally,
        teach_by_a_copy,
        teach_by_layers,
        teach_by_keywords,
        teach_numpy,
        teach_new_tensor,
    ],
    "09.3": [
        t_geometric,
        t_by_distribution,
        t_while,
        t_clamped,
        t_tensor,
        t_numpy,
        t_near_enough,
    ],
    "09.4": [cache_by_hand, cache_into_a_table, cache_one_by_one],
    "09.5": [0.127, 0.13, 7 / 55, np.float32(7 / 55), torch.tensor(7 / 55)],
    "09.6": [
        {"A": "b", "B": "d"},
        {"B": "D", "A": "B"},
        {"A": " b", "B": "d\n"},
    ],
    "09.7": [
        share_by_jacobian,
        share_by_difference,
        share_by_cross_entropies,
        share_of_a_tensor,
        With(share_by_jacobian, predicted={c.lower(): n for c, n in TIMES.items()}),
        share_numpy,
    ],
}
WRONG = {
    "09.1": [
        (kd_no_t2, "no-T2"),
        (kd_detached_in_place, "cut-off"),
        (kd_one_entry, "one-entry"),
        (kd_soft_whole, "no-alpha"),
        (kd_sixteen, "fixed-T"),
        (kd_t_once, "T-once"),
        (kd_t2_on_all, "T2-on-all"),
        (kd_mean, "mean"),
        (kd_mean_without_t2, "mean-no-T2"),
        (kd_sum, "sum"),
        (kd_none, "shape"),
        (kd_over_the_batch, "dim"),
        (kd_wrong_way, "direction"),
        (kd_student_softmax, "student-softmax"),
        (kd_log_target_missing, "nan"),
        (kd_log_target_of_probabilities, "log-target"),
        (kd_multiplied, "multiplied"),
        (kd_only_teacher_softened, "teacher-only"),
        (kd_only_student_softened, "student-only"),
        (kd_no_temperature, "no-temperature"),
        (kd_probabilities_divided, "probabilities-divided"),
        (kd_soft_cross_entropy, "entropy"),
        (kd_sign, "sign"),
        (kd_squares, "squares"),
        (kd_absolute_values, "value"),
        (kd_clamped, "clamped"),
        (kd_switched_off, "switched-off"),
        (kd_new_tensor, "no-gradient"),
        (kd_fixed_t, "fixed-T"),
        (kd_no_t, "no-T"),
        (kd_hard_at_t, "hard-T"),
        (kd_hard_softmax, "softmax-twice"),
        (kd_hard_of_teacher, "hard-teacher"),
        (kd_hard_answers, "hard-soft"),
        (kd_hard_sum, "hard-sum"),
        (kd_hard_whole, "hard-whole"),
        (kd_swapped, "swapped"),
        (kd_unweighted, "no-alpha"),
        (kd_soft_only, "no-hard"),
        (kd_hard_only, "no-soft"),
        (kd_into_the_teacher, "teacher-gradient"),
        (kd_detached_student, "no-gradient"),
        (kd_soft_detached, "gradient"),
        (kd_no_graph, "no-gradient"),
        (kd_item, "number"),
        (kd_log_of_softmax, "log-of-zero"),
        (kd_log_of_both, "log-of-zero"),
        (kd_epsilon, "log-of-zero"),
        (kd_in_place, "mutated"),
        (kd_no_return, "none"),
        (kd_parts, "type"),
    ],
    "09.2": [
        (teach_as_found, "teacher-train"),
        (teach_clipped, "step"),
        (teach_classes, "classes"),
        (teach_no_grad_only, "teacher-train"),
        (teach_statistics_put_back, "teacher-train"),
        (teach_eval_only, "graph"),
        (teach_detach, "detached"),
        (teach_mode_lost, "changed-mode"),
        (teach_always_back_to_train, "changed-mode"),
        (teach_batchnorm_only, "half-eval"),
        (teach_frozen_for_good, "changed-requires_grad"),
        (teach_thawed, "changed-requires_grad"),
        (teach_warmed_up, "changed-statistics"),
        (teach_teacher_learns, "changed-weights"),
        (teach_all_silent, "student-no-graph"),
        (teach_both_eval, "student-eval"),
        (teach_student_as_it_came, "student-eval"),
        (teach_stale, "stale-gradients"),
        (teach_zeroed_too_late, "no-step"),
        (teach_without_step, "no-step"),
        (teach_swapped, "swapped"),
        (teach_probabilities, "probabilities"),
        (teach_softened, "answers"),
        (teach_probabilities_of_the_student, "student-probabilities"),
        (teach_softened_student, "student-logits"),
        (teach_guesses, "labels"),
        (teach_two_steps, "two-steps"),
        (teach_own_optimizer, "step"),
        (teach_copy_with_graph, "graph"),
        (teach_own_loss, "no-loss"),
        (teach_twice, "twice"),
        (teach_loss_afterwards, "value"),
        (teach_tensor, "tensor"),
        (teach_nothing_back, "none"),
        (teach_sum_of_losses, "summed"),
    ],
    "09.3": [
        (t_nats, "nats"),
        (t_median, "one-picture"),
        (t_over_the_batch_first, "dim"),
        (t_rounded, "coarse"),
        (t_decimal, "decimal"),
        (t_multiplied, "multiplied"),
        (t_reciprocal, "multiplied"),
        (t_over_the_batch, "dim"),
        (t_sum, "sum"),
        (t_mean_of_all, "classes"),
        (t_average_first, "average-first"),
        (t_first_picture, "one-picture"),
        (t_wrong_way, "bound"),
        (t_sign, "bound"),
        (t_nan, "bound"),
        (t_coarse, "coarse"),
        (t_whole, "whole"),
        (t_grid, "coarse"),
        (t_not_below_one, "below-one"),
        (t_entropy, "bits"),
        (t_negative, "not-positive"),
        (t_pair, "type"),
        (t_text, "type"),
        (t_of_largest, "value"),
        (t_not_above_ten, "too-narrow"),
        (t_no_return, "none"),
    ],
    "09.4": [
        (cache_shuffled, "order"),
        (cache_stacked_batches, "stacked"),
        (cache_of_labels, "labels-first"),
        (cache_with_labels, "type"),
        (cache_reversed, "order"),
        (cache_sorted_by_label, "order"),
        (cache_dropped, "last-batch"),
        (cache_whole_batches, "last-batch"),
        (cache_last_batch, "one-kept"),
        (cache_at_once, "one-batch"),
        (cache_train_mode, "train-mode"),
        (cache_not_refused, "not-refused"),
        (cache_gives_none, "not-refused"),
        (cache_asserts, "other-error"),
        (cache_refuses_all, "refuses-all"),
        (cache_refuses_by_attribute, "refuses-all"),
        (cache_probabilities, "probabilities"),
        (cache_log_probabilities, "log-probabilities"),
        (cache_softened, "value"),
        (cache_classes, "classes"),
        (cache_double, "dtype"),
        (cache_as_it_comes, "dtype"),
        (cache_with_graph, "gradients"),
        (cache_detached, "gradients"),
        (cache_left_in_eval, "changed-mode"),
        (cache_refused_in_eval, "changed-mode"),
        (cache_frozen, "changed-requires_grad"),
        (cache_in_half, "rounded"),
        (cache_list, "type"),
        (cache_pairs, "type"),
        (cache_stacked, "shape"),
        (cache_unbatched, "unbatched"),
        (cache_triples, "pair"),
        (cache_one_missing, "one-missing"),
        (cache_batch_means, "batch-means"),
        (cache_transposed, "shape"),
        (cache_weights_moved, "changed-weights"),
    ],
    "09.5": [
        (With(0.127, measured=0.7), "measurement"),
        (0.7, "unchanged"),
        (0.7 / 16, "not-normalised"),
        (0.044, "not-normalised"),
        (0.175, "T-once-not-normalised"),
        (0.3, "labels-unchanged"),
        (0.12, "rounded"),
        (0.37, "T-once"),
        (0.974, "other-way"),
        (0.873, "labels"),
        (12.7, "percent"),
        (0.5, "value"),
        (0, "value"),
        (11.2, "range"),
        (float("nan"), "range"),
        ("7/55", "type"),
        (True, "type"),
    ],
    "09.6": [
        (With({"A": "b", "B": "d"}, measured={}), "measurement"),
        ({"A": "a", "B": "d"}, "A-a"),
        ({"A": "c", "B": "d"}, "A-c"),
        ({"A": "d", "B": "d"}, "A-d"),
        ({"A": "b", "B": "a"}, "B-a"),
        ({"A": "b", "B": "b"}, "B-b"),
        ({"A": "b", "B": "c"}, "B-c"),
        ({"A": "b", "B": "e"}, "unknown"),
        ({"A": "b"}, "cases"),
        ({"A": "b", "B": 4}, "type"),
        ("bd", "type"),
    ],
    "09.7": [
        *PREDICTED,
        (share_with_batchmean, "reduction"),
        (share_of_one_gradient, "gathered"),
        (share_of_mean_lengths, "per-picture"),
        (share_of_bare_softmax, "student-softmax"),
        (share_with_the_default, "reduction"),
        (share_without_times, "times"),
        (share_of_values, "values"),
        (share_gathered, "gathered"),
        (share_gathered_hard_first, "gathered-hard-first"),
        (share_of_the_whole, "length-of-sum"),
        (share_ratio, "ratio"),
        (share_of_labels, "labels"),
        (share_in_percent, "percent"),
        (share_of_squares, "squares"),
        (share_with_a_summed_hard_part, "hard-sum"),
        (share_picture_by_picture, "per-picture"),
        (share_of_absolute_values, "absolute"),
        (share_wrong_way, "direction"),
        (share_by_the_teacher, "swapped"),
        (share_nan, "nan"),
        (share_at_t4, "value"),
        (share_pair, "type"),
        (share_without_log_target, "log-target"),
        (share_of_largest, "largest"),
        (share_rounded, "rounded"),
        (share_with_times_on_both, "times"),
        (share_with_a_graph_left, "mutated"),
    ],
}


# Lines of mutants that mean the same as the solution's, with the reason.
EQUIVALENT = {
    "09.3": (
        # Where the halving begins and how often it goes on is free.
        "low, high = (0.01, 101.0)",
        "low, high = (0.01, 99.0)",
        "for _ in range(61):",
        "for _ in range(59):",
    ),
    # A batch may be of any size up to 64.
    "09.4": (
        "batches = DataLoader(dataset, batch_size=63)",
        "batches = DataLoader(dataset)",
    ),
    # A tensor without dimensions is as good a number as any.
    "09.7": ("return lengths[0] / sum(lengths)",),
}
