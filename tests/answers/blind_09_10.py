"""Answers to 09 and 10, written from the text of the tasks alone, without sight of
the checks."""

import contextlib
import copy
import math
import warnings
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from course_utils.training import make_loader

# --- 09.1 The distillation loss by hand: f(student_logits, teacher_logits, labels, T,
# alpha) -> scalar


def t09_1_right_kl_div_of_logs(student_logits, teacher_logits, labels, T, alpha):
    student = F.log_softmax(student_logits / T, dim=1)
    teacher = F.log_softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(student, teacher, reduction="batchmean", log_target=True)
    hard = F.cross_entropy(student_logits, labels)
    return alpha * T**2 * soft + (1 - alpha) * hard


def t09_1_right_probabilities_as_target(
    student_logits, teacher_logits, labels, T, alpha
):
    with torch.no_grad():
        target = torch.softmax(teacher_logits / T, -1)
    log_student = torch.log_softmax(student_logits / T, -1)
    divergence = nn.KLDivLoss(reduction="sum")(log_student, target) / len(labels)
    return divergence * (alpha * T * T) + nn.CrossEntropyLoss()(
        student_logits, labels
    ) * (1 - alpha)


def t09_1_right_written_out(student_logits, teacher_logits, labels, T, alpha):
    told = (teacher_logits.detach() / T).log_softmax(dim=1)
    own = (student_logits / T).log_softmax(dim=1)
    kl = (told.exp() * (told - own)).sum(dim=1).mean()
    plain = student_logits.log_softmax(dim=1)
    ce = -plain[torch.arange(len(labels)), labels].mean()
    return alpha * T**2 * kl + (1 - alpha) * ce


def t09_1_right_cross_entropy_less_entropy(
    student_logits, teacher_logits, labels, T, alpha
):
    p = F.softmax(teacher_logits.detach().double() / T, dim=1)
    student = student_logits.double()
    crossed = F.cross_entropy(student / T, p)
    kl = crossed - torch.special.entr(p).sum(1).mean()
    return alpha * T**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)


def t09_1_right_picture_by_picture(student_logits, teacher_logits, labels, T, alpha):
    losses = []
    for s, t, label in zip(student_logits, teacher_logits.data, labels, strict=True):
        p = (t / T).softmax(0)
        log_q = (s / T).log_softmax(0)
        kl = (torch.xlogy(p, p) - p * log_q).sum()
        ce = s.logsumexp(0) - s[label]
        losses.append(alpha * T**2 * kl + (1 - alpha) * ce)
    return torch.stack(losses).mean()


def t09_1_right_none_then_summed(student_logits, teacher_logits, labels, T, alpha):
    log_p, log_q = (
        F.log_softmax(x / T, dim=-1) for x in (teacher_logits.detach(), student_logits)
    )
    each = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)
    hard = F.nll_loss(F.log_softmax(student_logits, dim=-1), labels, reduction="none")
    return (alpha * T * T * each + (1 - alpha) * hard).mean()


def t09_1_right_mean_times_classes(student_logits, teacher_logits, labels, T, alpha):
    classes = student_logits.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        soft = F.kl_div(
            F.log_softmax(student_logits / T, dim=1),
            F.softmax(teacher_logits.clone().detach() / T, dim=1),
            reduction="mean",
        )
    hard = F.cross_entropy(student_logits, labels)
    return torch.add(soft * classes * alpha * T**2, hard * (1.0 - alpha))


def _t09_1(student_logits, teacher_logits, labels, T, alpha, square=None, hard=None):
    """The right loss; a part of it may be another."""
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.log_softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    square = T**2 if square is None else square
    hard = F.cross_entropy(student_logits, labels) if hard is None else hard
    return alpha * square * soft + (1 - alpha) * hard


def t09_1_wrong_no_square(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, square=1)


def t09_1_wrong_times_t_once(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, square=T)


def t09_1_wrong_divided_by_square(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, square=T**-2)


def t09_1_wrong_square_on_all(student_logits, teacher_logits, labels, T, alpha):
    return T**2 * _t09_1(student_logits, teacher_logits, labels, T, alpha, square=1)


def t09_1_wrong_alpha_swapped(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, 1 - alpha)


def t09_1_wrong_cross_entropy_in_full(student_logits, teacher_logits, labels, T, alpha):
    loss = _t09_1(student_logits, teacher_logits, labels, T, alpha)
    return loss + alpha * F.cross_entropy(student_logits, labels)


def t09_1_wrong_alpha_hard_coded(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, 0.7)


def t09_1_wrong_t_hard_coded(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, 4.0, alpha)


def t09_1_wrong_t_rounded(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, int(T), alpha)


def t09_1_wrong_soft_only(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=0.0)


def t09_1_wrong_hard_only(student_logits, teacher_logits, labels, T, alpha):
    return F.cross_entropy(student_logits, labels)


def t09_1_wrong_cross_entropy_with_t(student_logits, teacher_logits, labels, T, alpha):
    hard = F.cross_entropy(student_logits / T, labels)
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=hard)


def t09_1_wrong_cross_entropy_summed(student_logits, teacher_logits, labels, T, alpha):
    hard = F.cross_entropy(student_logits, labels, reduction="sum")
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=hard)


def t09_1_wrong_cross_entropy_of_softmax(
    student_logits, teacher_logits, labels, T, alpha
):
    hard = F.cross_entropy(student_logits.softmax(1), labels)
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=hard)


def t09_1_wrong_cross_entropy_of_the_teacher(
    student_logits, teacher_logits, labels, T, alpha
):
    hard = F.cross_entropy(teacher_logits.detach(), labels)
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=hard)


def t09_1_wrong_teachers_guess_as_label(
    student_logits, teacher_logits, labels, T, alpha
):
    hard = F.cross_entropy(student_logits, teacher_logits.argmax(1))
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=hard)


def t09_1_wrong_label_smoothing(student_logits, teacher_logits, labels, T, alpha):
    hard = F.cross_entropy(student_logits, labels, label_smoothing=0.1)
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=hard)


def _t09_1_with(soft, student_logits, labels, T, alpha):
    hard = F.cross_entropy(student_logits, labels)
    return alpha * T**2 * soft + (1 - alpha) * hard


def t09_1_wrong_reversed(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.log_softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(told, own, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_probabilities_first(student_logits, teacher_logits, labels, T, alpha):
    own = F.softmax(student_logits / T, dim=1)
    told = F.softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(own, told, reduction="batchmean")
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_log_target_forgotten(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.log_softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(own, told, reduction="batchmean")
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_logits_as_target(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits / T, dim=1)
    soft = F.kl_div(own, teacher_logits.detach() / T, reduction="batchmean")
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_mean_over_all(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.softmax(teacher_logits.detach() / T, dim=1)
    soft = (told * (told.clamp_min(1e-38).log() - own)).mean()
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_sum_over_all(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.log_softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(own, told, reduction="sum", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_softmax_over_the_batch(
    student_logits, teacher_logits, labels, T, alpha
):
    own = F.log_softmax(student_logits / T, dim=0)
    told = F.log_softmax(teacher_logits.detach() / T, dim=0)
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_t_on_the_teacher_only(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits, dim=1)
    told = F.log_softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_t_on_the_student_only(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.log_softmax(teacher_logits.detach(), dim=1)
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_logits_times_t(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits * T, dim=1)
    told = F.log_softmax(teacher_logits.detach() * T, dim=1)
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_log_softmax_over_t(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits, dim=1) / T
    told = F.log_softmax(teacher_logits.detach(), dim=1) / T
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_entropy_left_in(student_logits, teacher_logits, labels, T, alpha):
    told = F.softmax(teacher_logits.detach() / T, dim=1)
    soft = F.cross_entropy(student_logits / T, told)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_squares_of_logits(student_logits, teacher_logits, labels, T, alpha):
    soft = F.mse_loss(student_logits / T, teacher_logits.detach() / T)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_log_of_softmax(student_logits, teacher_logits, labels, T, alpha):
    own = F.softmax(student_logits / T, dim=1)
    told = F.softmax(teacher_logits.detach() / T, dim=1)
    soft = (told * (told / own).log()).sum(1).mean()
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_log_with_a_small_number(
    student_logits, teacher_logits, labels, T, alpha
):
    own = F.softmax(student_logits / T, dim=1)
    told = F.softmax(teacher_logits.detach() / T, dim=1)
    soft = (told * ((told + 1e-8).log() - (own + 1e-8).log())).sum(1).mean()
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_log_clamped(student_logits, teacher_logits, labels, T, alpha):
    own = F.softmax(student_logits / T, dim=1).clamp_min(1e-12)
    told = F.softmax(teacher_logits.detach() / T, dim=1)
    soft = F.kl_div(own.log(), told, reduction="batchmean")
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_nan_to_zero(student_logits, teacher_logits, labels, T, alpha):
    own = F.softmax(student_logits / T, dim=1)
    told = F.softmax(teacher_logits.detach() / T, dim=1)
    each = told * (told.log() - own.log())
    soft = each.nan_to_num(0.0, 0.0, 0.0).sum(1).mean()
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_exp_by_hand(student_logits, teacher_logits, labels, T, alpha):
    own, told = (student_logits / T).exp(), (teacher_logits.detach() / T).exp()
    own = own / own.sum(1, keepdim=True)
    told = told / told.sum(1, keepdim=True)
    soft = F.kl_div(own.log(), told, reduction="batchmean")
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_categorical(student_logits, teacher_logits, labels, T, alpha):
    """Infinite where a probability of the student is 0 in float32."""
    told = torch.distributions.Categorical(logits=teacher_logits.detach() / T)
    own = torch.distributions.Categorical(logits=student_logits / T)
    soft = torch.distributions.kl_divergence(told, own).mean()
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_logits_clamped(student_logits, teacher_logits, labels, T, alpha):
    student, teacher = student_logits.clamp(-50, 50), teacher_logits.clamp(-50, 50)
    return _t09_1(student, teacher, labels, T, alpha)


def t09_1_wrong_teacher_not_detached(student_logits, teacher_logits, labels, T, alpha):
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.log_softmax(teacher_logits / T, dim=1)
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_detached_outside_of_the_log(
    student_logits, teacher_logits, labels, T, alpha
):
    own = F.log_softmax(student_logits / T, dim=1)
    told = F.softmax(teacher_logits / T, dim=1)
    log_told = F.log_softmax(teacher_logits / T, dim=1).detach()
    soft = (told * (log_told - own)).sum(1).mean()
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_switched_off_in_place(student_logits, teacher_logits, labels, T, alpha):
    """An error for logits that carry a graph."""
    teacher_logits.requires_grad_(False)
    return _t09_1(student_logits, teacher_logits, labels, T, alpha)


def t09_1_wrong_student_detached(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits.detach(), teacher_logits, labels, T, alpha)


def t09_1_wrong_soft_part_without_gradient(
    student_logits, teacher_logits, labels, T, alpha
):
    with torch.no_grad():
        own = F.log_softmax(student_logits / T, dim=1)
        told = F.log_softmax(teacher_logits / T, dim=1)
        soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_hard_part_without_gradient(
    student_logits, teacher_logits, labels, T, alpha
):
    hard = F.cross_entropy(student_logits.detach(), labels)
    return _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=hard)


def t09_1_wrong_new_tensor_of_the_loss(
    student_logits, teacher_logits, labels, T, alpha
):
    loss = _t09_1(student_logits, teacher_logits, labels, T, alpha).item()
    return torch.tensor(loss, requires_grad=True)


def t09_1_wrong_float(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, alpha).item()


def t09_1_wrong_shape_of_one(student_logits, teacher_logits, labels, T, alpha):
    return _t09_1(student_logits, teacher_logits, labels, T, alpha).reshape(1)


def t09_1_wrong_loss_of_each_picture(student_logits, teacher_logits, labels, T, alpha):
    log_p = F.log_softmax(teacher_logits.detach() / T, dim=-1)
    log_q = F.log_softmax(student_logits / T, dim=-1)
    each = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)
    hard = F.cross_entropy(student_logits, labels, reduction="none")
    return alpha * T * T * each + (1 - alpha) * hard


def t09_1_wrong_two_parts(student_logits, teacher_logits, labels, T, alpha):
    soft = _t09_1(student_logits, teacher_logits, labels, T, alpha, hard=0.0)
    return soft, (1 - alpha) * F.cross_entropy(student_logits, labels)


def t09_1_wrong_student_and_teacher_swapped(
    student_logits, teacher_logits, labels, T, alpha
):
    return _t09_1(teacher_logits, student_logits, labels, T, alpha)


def t09_1_wrong_logits_divided_in_place(
    student_logits, teacher_logits, labels, T, alpha
):
    with torch.no_grad():
        teacher_logits /= T
        told = F.log_softmax(teacher_logits, dim=1)
    own = F.log_softmax(student_logits / T, dim=1)
    soft = F.kl_div(own, told, reduction="batchmean", log_target=True)
    return _t09_1_with(soft, student_logits, labels, T, alpha)


def t09_1_wrong_no_return(student_logits, teacher_logits, labels, T, alpha):
    _t09_1(student_logits, teacher_logits, labels, T, alpha)


# --- 09.2 A teacher that is moved by its pupil: f(student, teacher, optimizer, images,
# labels, loss) -> float


def t09_2_right_plain(student, teacher, optimizer, images, labels, loss):
    was_training = teacher.training
    teacher.eval()
    with torch.no_grad():
        answers = teacher(images)
    teacher.train(was_training)
    student.train()
    value = loss(student(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_right_each_layer_and_finally(
    student, teacher, optimizer, images, labels, loss
):
    modes = {module: module.training for module in teacher.modules()}
    optimizer.zero_grad(set_to_none=False)
    try:
        with torch.no_grad():
            answers = teacher.eval()(images)
    finally:
        for module, mode in modes.items():
            module.training = mode
    logits = student.train(True)(images)
    value = loss(logits, answers, labels)
    value.backward()
    optimizer.step()
    return float(value)


def t09_2_right_inference_mode(student, teacher, optimizer, images, labels, loss):
    training = teacher.training
    with torch.inference_mode():
        answers = teacher.eval()(images)
    answers = answers.clone()
    student.train()
    student.zero_grad()
    value = loss(student(images), answers, labels)
    result = value.detach().item()
    value.backward()
    optimizer.step()
    teacher.train(training)
    return result


def t09_2_right_a_copy_of_the_teacher(
    student, teacher, optimizer, images, labels, loss
):
    still = copy.deepcopy(teacher).eval().requires_grad_(False)
    with torch.no_grad():
        answers = still(images)
    student.train()
    optimizer.zero_grad()
    value = loss(student(images), answers, labels)
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_right_decorated_helper(student, teacher, optimizer, images, labels, loss):
    @torch.no_grad()
    def ask():
        mode = teacher.training
        try:
            return teacher.train(False)(images)
        finally:
            teacher.train(mode)

    student.train()
    answers = ask()
    optimizer.zero_grad()
    value = loss(student(images), answers, labels)
    value.backward()
    optimizer.step()
    return value.tolist()


def t09_2_right_closure(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    teacher.eval()
    torch.set_grad_enabled(False)
    answers = teacher(images)
    torch.set_grad_enabled(True)
    teacher.train(mode)

    def closure():
        optimizer.zero_grad()
        value = loss(student.train()(images), answers, labels)
        value.backward()
        return value

    return optimizer.step(closure).item()


@contextlib.contextmanager
def _t09_still(teacher):
    mode = teacher.training
    with torch.no_grad():
        yield teacher.eval()
    teacher.train(mode)


def _t09_2_answers(teacher, images):
    with _t09_still(teacher):
        return teacher(images)


def _t09_2_step(student, answers, optimizer, images, labels, loss):
    value = loss(student.train()(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_wrong_as_found(student, teacher, optimizer, images, labels, loss):
    for net in (student, teacher):
        net.train()
    answers, logits = teacher(images), student(images)
    value = loss(logits, answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_wrong_eval_only(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    answers = teacher.eval()(images)
    teacher.train(mode)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_detached_afterwards(student, teacher, optimizer, images, labels, loss):
    mode = teacher.training
    answers = teacher.eval()(images).detach()
    teacher.train(mode)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_left_in_eval(student, teacher, optimizer, images, labels, loss):
    with torch.no_grad():
        answers = teacher.eval()(images)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_always_back_to_train(student, teacher, optimizer, images, labels, loss):
    with torch.no_grad():
        answers = teacher.eval()(images)
    teacher.train()
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_mode_asked_too_late(student, teacher, optimizer, images, labels, loss):
    teacher.eval()
    mode = teacher.training
    with torch.no_grad():
        answers = teacher(images)
    teacher.train(mode)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_only_the_top_mode_given_back(
    student, teacher, optimizer, images, labels, loss
):
    mode = teacher.training
    with torch.no_grad():
        answers = teacher.eval()(images)
    teacher.training = mode
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_only_the_top_in_eval(student, teacher, optimizer, images, labels, loss):
    mode, teacher.training = teacher.training, False
    with torch.no_grad():
        answers = teacher(images)
    teacher.training = mode
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_only_batchnorm_in_eval(
    student, teacher, optimizer, images, labels, loss
):
    norms = [m for m in teacher.modules() if isinstance(m, nn.BatchNorm2d)]
    modes = [norm.training for norm in norms]
    for norm in norms:
        norm.eval()
    with torch.no_grad():
        answers = teacher(images)
    for norm, mode in zip(norms, modes, strict=True):
        norm.train(mode)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_teacher_in_the_mode_it_came(
    student, teacher, optimizer, images, labels, loss
):
    with torch.no_grad():
        answers = teacher(images)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_eval_after_the_answer(
    student, teacher, optimizer, images, labels, loss
):
    mode = teacher.training
    with torch.no_grad():
        answers = teacher(images)
    teacher.eval()
    teacher.train(mode)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_train_mode_then_statistics_back(
    student, teacher, optimizer, images, labels, loss
):
    before = copy.deepcopy(teacher.state_dict())
    mode = teacher.training
    with torch.no_grad():
        answers = teacher.train()(images)
    teacher.load_state_dict(before)
    teacher.train(mode)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_teacher_frozen_for_good(
    student, teacher, optimizer, images, labels, loss
):
    teacher.requires_grad_(False)
    answers = _t09_2_answers(teacher, images)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_teacher_always_thawed(
    student, teacher, optimizer, images, labels, loss
):
    mode = teacher.training
    for p in teacher.parameters():
        p.requires_grad_(False)
    answers = teacher.eval()(images)
    for p in teacher.parameters():
        p.requires_grad_(True)
    teacher.train(mode)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_gradients_pile_up(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    value = loss(student.train()(images), answers, labels)
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_wrong_zeroed_after_the_step(
    student, teacher, optimizer, images, labels, loss
):
    answers = _t09_2_answers(teacher, images)
    value = loss(student.train()(images), answers, labels)
    value.backward()
    optimizer.step()
    optimizer.zero_grad()
    return value.item()


def t09_2_wrong_zeroed_before_the_step(
    student, teacher, optimizer, images, labels, loss
):
    answers = _t09_2_answers(teacher, images)
    value = loss(student.train()(images), answers, labels)
    value.backward()
    optimizer.zero_grad()
    optimizer.step()
    return value.item()


def t09_2_wrong_no_step(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    value = loss(student.train()(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    return value.item()


def t09_2_wrong_two_steps(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    value = _t09_2_step(student, answers, optimizer, images, labels, loss)
    optimizer.step()
    return value


def t09_2_wrong_own_optimizer(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    own = torch.optim.SGD(student.parameters(), lr=0.01)
    return _t09_2_step(student, answers, own, images, labels, loss)


def t09_2_wrong_student_in_eval(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    value = loss(student.eval()(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_wrong_student_in_the_mode_it_came(
    student, teacher, optimizer, images, labels, loss
):
    answers = _t09_2_answers(teacher, images)
    value = loss(student(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_wrong_student_without_gradient(
    student, teacher, optimizer, images, labels, loss
):
    with _t09_still(teacher):
        answers, logits = teacher(images), student.train()(images)
    value = loss(logits, answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_wrong_loss_after_the_step(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    _t09_2_step(student, answers, optimizer, images, labels, loss)
    with torch.no_grad():
        return loss(student(images), answers, labels).item()


def t09_2_wrong_student_asked_twice(student, teacher, optimizer, images, labels, loss):
    """BatchNorm's statistics move twice."""
    answers = _t09_2_answers(teacher, images)
    with torch.no_grad():
        before = loss(student.train()(images), answers, labels).item()
    _t09_2_step(student, answers, optimizer, images, labels, loss)
    return before


def t09_2_wrong_tensor(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    value = loss(student.train()(images), answers, labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value


def t09_2_wrong_no_return(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_summed_over_the_batch(
    student, teacher, optimizer, images, labels, loss
):
    answers = _t09_2_answers(teacher, images)
    value = _t09_2_step(student, answers, optimizer, images, labels, loss)
    return value * len(images)


def t09_2_wrong_logits_swapped(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    value = loss(answers, student.train()(images), labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def t09_2_wrong_own_loss(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)

    def own(logits, answers, labels):
        return F.mse_loss(logits, answers)

    return _t09_2_step(student, answers, optimizer, images, labels, own)


def t09_2_wrong_probabilities_of_the_teacher(
    student, teacher, optimizer, images, labels, loss
):
    answers = _t09_2_answers(teacher, images).softmax(1)
    return _t09_2_step(student, answers, optimizer, images, labels, loss)


def t09_2_wrong_teachers_guess_as_label(
    student, teacher, optimizer, images, labels, loss
):
    answers = _t09_2_answers(teacher, images)
    guess = answers.argmax(1)
    return _t09_2_step(student, answers, optimizer, images, guess, loss)


def t09_2_wrong_teacher_steps_too(student, teacher, optimizer, images, labels, loss):
    answers = _t09_2_answers(teacher, images)
    value = _t09_2_step(student, answers, optimizer, images, labels, loss)
    with torch.no_grad():
        for p in teacher.parameters():
            p.mul_(0.99)
    return value


# --- 09.3 How soft are the targets?: f(logits, bits) -> float


def _bits(logits, T):
    p = (logits.double() / T).softmax(dim=1)
    return torch.special.entr(p).sum(dim=1).mean().item() / math.log(2)


def t09_3_right_halving(logits, bits):
    low, high = 0.01, 100.0
    for _ in range(50):
        middle = (low + high) / 2
        p = torch.softmax(logits / middle, dim=1)
        each = torch.where(p > 0, -p * torch.log2(p.clamp_min(1e-45)), 0.0)
        if each.sum(dim=1).mean() < bits:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t09_3_right_halving_the_logarithm(logits, bits):
    low, high = math.log(0.01), math.log(100)
    while high - low > 1e-9:
        t = 0.5 * (low + high)
        entropy = torch.distributions.Categorical(logits=logits / math.exp(t)).entropy()
        if entropy.mean().item() / math.log(2) > bits:
            high = t
        else:
            low = t
    return math.exp(low)


def t09_3_right_stops_when_near(logits, bits):
    low, high = 1e-2, 1e2
    T = 1.0
    while abs(_bits(logits, T) - bits) > 1e-6:
        if _bits(logits, T) < bits:
            low = T
        else:
            high = T
        T = math.sqrt(low * high)
    return T


def t09_3_right_numpy(logits, bits):
    z = logits.detach().numpy().astype(np.float64)

    def entropy(T):
        e = z / T
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.nansum(p * np.log2(p), axis=1).mean()

    low, high = 0.01, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if entropy(middle) < bits else (low, middle)
    return float(high)


def t09_3_right_nan_to_num_recursive(logits, bits):
    def find(low, high, depth):
        T = (low + high) / 2
        if depth == 0:
            return T
        p = F.softmax(logits / T, dim=-1)
        h = -(p * p.log2()).nan_to_num(0).sum(-1).mean()
        return find(T, high, depth - 1) if h < bits else find(low, T, depth - 1)

    return find(0.01, 100, 40)


def t09_3_right_finer_and_finer_grid(logits, bits):
    low, high = 0.01, 100.0
    for _ in range(12):
        grid = torch.logspace(
            math.log10(low), math.log10(high), 21, dtype=torch.float64
        ).tolist()
        above = [T for T in grid if _bits(logits, T) >= bits] or [high]
        below = [T for T in grid if _bits(logits, T) < bits] or [low]
        low, high = max(below), min(above)
    return (low + high) / 2


def _t09_3(logits, bits, entropy=_bits, low=0.01, high=100.0, rounds=60):
    """Halve a range by some entropy."""
    for _ in range(rounds):
        middle = (low + high) / 2
        if entropy(logits, middle) < bits:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t09_3_wrong_nats(logits, bits):
    return _t09_3(logits, bits, lambda z, T: _bits(z, T) * math.log(2))


def t09_3_wrong_base_ten(logits, bits):
    return _t09_3(logits, bits, lambda z, T: _bits(z, T) * math.log10(2))


def t09_3_wrong_share_of_the_most(logits, bits):
    return _t09_3(logits, bits, lambda z, T: _bits(z, T) / math.log2(z.shape[1]))


def t09_3_wrong_perplexity(logits, bits):
    return _t09_3(logits, bits, lambda z, T: 2 ** _bits(z, T))


def t09_3_wrong_sum_over_pictures(logits, bits):
    return _t09_3(logits, bits, lambda z, T: _bits(z, T) * len(z))


def t09_3_wrong_mean_over_classes_too(logits, bits):
    return _t09_3(logits, bits, lambda z, T: _bits(z, T) / z.shape[1])


def t09_3_wrong_first_picture(logits, bits):
    return _t09_3(logits[:1], bits)


def t09_3_wrong_entropy_of_the_mean_probabilities(logits, bits):
    def entropy(z, T):
        p = (z / T).softmax(1).mean(0)
        return torch.special.entr(p).sum().item() / math.log(2)

    return _t09_3(logits, bits, entropy)


def t09_3_wrong_entropy_of_the_mean_logits(logits, bits):
    return _t09_3(logits.mean(0, keepdim=True), bits)


def t09_3_wrong_median_of_pictures(logits, bits):
    def entropy(z, T):
        each = torch.special.entr((z / T).softmax(1)).sum(1)
        return each.median().item() / math.log(2)

    return _t09_3(logits, bits, entropy)


def t09_3_wrong_largest_of_pictures(logits, bits):
    def entropy(z, T):
        each = torch.special.entr((z / T).softmax(1)).sum(1)
        return each.max().item() / math.log(2)

    return _t09_3(logits, bits, entropy)


def t09_3_wrong_mean_of_each_pictures_temperature(logits, bits):
    found = [_t09_3(row[None], bits) for row in logits]
    return sum(found) / len(found)


def t09_3_wrong_over_the_batch(logits, bits):
    return _t09_3(logits.T, bits)


def t09_3_wrong_logits_times_t(logits, bits):
    """Entropy falls with such a T."""
    low, high = 0.01, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        if _bits(logits * middle, 1) > bits:
            low = middle
        else:
            high = middle
    return low


def t09_3_wrong_halves_the_other_way(logits, bits):
    return _t09_3(logits, -bits, lambda z, T: -_bits(z, T))


def t09_3_wrong_nan_where_a_probability_is_zero(logits, bits):
    def entropy(z, T):
        p = (z / T).softmax(1)
        return -(p * p.log2()).sum(1).mean()

    return _t09_3(logits, bits, entropy)


def t09_3_wrong_small_number_too_large(logits, bits):
    def entropy(z, T):
        p = (z / T).softmax(1) + 0.01
        return -(p * p.log2()).sum(1).mean()

    return _t09_3(logits, bits, entropy)


def t09_3_wrong_never_below_one(logits, bits):
    return _t09_3(logits, bits, low=1.0)


def t09_3_wrong_never_above_ten(logits, bits):
    return _t09_3(logits, bits, high=10.0)


def t09_3_wrong_never_above_one(logits, bits):
    return _t09_3(logits, bits, high=1.0)


def t09_3_wrong_whole_temperatures(logits, bits):
    return float(min(range(1, 101), key=lambda T: abs(_bits(logits, T) - bits)))


def t09_3_wrong_steps_of_a_tenth(logits, bits):
    grid = [0.1 * i for i in range(1, 1001)]
    return min(grid, key=lambda T: abs(_bits(logits, T) - bits))


def t09_3_wrong_halved_a_few_times(logits, bits):
    return _t09_3(logits, bits, rounds=8)


def t09_3_wrong_rounded(logits, bits):
    return round(_t09_3(logits, bits), 1)


def t09_3_wrong_grows_by_a_tenth(logits, bits):
    T = 0.01
    while _bits(logits, T) < bits:
        T *= 1.1
    return T


def t09_3_wrong_bits_as_temperature(logits, bits):
    return float(bits)


def t09_3_wrong_two_to_the_bits(logits, bits):
    return 2.0**bits


def t09_3_wrong_one_bit_always(logits, bits):
    return _t09_3(logits, 1.0)


def t09_3_wrong_proportional(logits, bits):
    return bits / _bits(logits, 1.0)


def t09_3_wrong_inverse(logits, bits):
    return 1 / _t09_3(logits, bits)


def t09_3_wrong_logarithm(logits, bits):
    return math.log(_t09_3(logits, bits))


def t09_3_right_tensor(logits, bits):
    return torch.tensor(_t09_3(logits, bits))


def t09_3_wrong_entropy_returned(logits, bits):
    return _bits(logits, _t09_3(logits, bits))


def t09_3_wrong_pair(logits, bits):
    T = _t09_3(logits, bits)
    return T, _bits(logits, T)


def t09_3_wrong_no_return(logits, bits):
    _t09_3(logits, bits)


def t09_3_wrong_without_softmax(logits, bits):
    def entropy(z, T):
        p = (z / T).sigmoid()
        return torch.special.entr(p).sum(1).mean().item() / math.log(2)

    return _t09_3(logits, bits, entropy)


# --- 09.4 Ask the teacher once: f(teacher, dataset) -> (N, C)


def t09_4_right_data_loader(teacher, dataset):
    if dataset.augmented:
        raise ValueError("the pictures change: their answers cannot be kept")
    was_training = teacher.training
    teacher.eval()
    answers = []
    with torch.no_grad():
        for images, _ in DataLoader(dataset, batch_size=64):
            answers.append(teacher(images).float())
    teacher.train(was_training)
    return torch.cat(answers)


def t09_4_right_stacked_and_split(teacher, dataset):
    if dataset.augmented is True:
        raise ValueError("augmented")
    images = torch.stack([dataset[i][0] for i in range(len(dataset))])
    modes = [(module, module.training) for module in teacher.modules()]
    try:
        teacher.eval()
        with torch.inference_mode():
            parts = [teacher(batch) for batch in images.split(64)]
    finally:
        for module, mode in modes:
            module.training = mode
    return torch.cat(parts).to(torch.float32)


@torch.no_grad()
def t09_4_right_rows_filled_in(teacher, dataset):
    if dataset.augmented:
        raise ValueError
    mode, answers = teacher.training, None
    teacher.train(False)
    for start in range(0, len(dataset), 50):
        rows = range(start, min(start + 50, len(dataset)))
        logits = teacher(torch.stack([dataset[i][0] for i in rows]))
        if answers is None:
            answers = torch.empty(len(dataset), logits.shape[1])
        answers[start : start + len(rows)] = logits
    teacher.train(mode)
    return answers


def t09_4_right_one_by_one(teacher, dataset):
    if dataset.augmented:
        raise ValueError("An augmented dataset has no fixed answers")
    mode = teacher.training
    teacher.eval()
    with torch.no_grad():
        found = [
            teacher(dataset[i][0].unsqueeze(0))[0].type(torch.float32)
            for i in range(len(dataset))
        ]
    teacher.train(mode)
    return torch.stack(found)


class _NoTwice(ValueError):
    """Pictures that are never the same twice."""


def t09_4_right_make_loader(teacher, dataset):
    if dataset.augmented:
        raise _NoTwice("pictures are transformed by chance")
    with _t09_still(teacher):
        loader = make_loader(dataset, batch_size=32)
        return torch.vstack([teacher(images).float() for images, labels in loader])


def t09_4_right_generator_of_a_copy(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented = True")
    still = copy.deepcopy(teacher).eval()

    def answers():
        with torch.no_grad():
            for batch in DataLoader(dataset, 16, shuffle=False, drop_last=False):
                yield still(batch[0])

    return torch.cat(list(answers()), dim=0).float()


def t09_4_right_iterated(teacher, dataset):
    if dataset.augmented:
        raise ValueError("no")
    with _t09_still(teacher):
        images = torch.stack([image for image, _ in dataset])
        return torch.cat([teacher(chunk).float() for chunk in images.chunk(99)])


def _t09_4(teacher, dataset, size=64, **options):
    if dataset.augmented:
        raise ValueError("augmented")
    with _t09_still(teacher):
        loader = DataLoader(dataset, batch_size=size, **options)
        return torch.cat([teacher(images).float() for images, _ in loader])


def t09_4_wrong_shuffled(teacher, dataset):
    return _t09_4(teacher, dataset, shuffle=True)


def t09_4_wrong_last_batch_dropped(teacher, dataset):
    return _t09_4(teacher, dataset, drop_last=True)


def t09_4_wrong_batch_too_large(teacher, dataset):
    return _t09_4(teacher, dataset, size=128)


def t09_4_wrong_all_at_once(teacher, dataset):
    return _t09_4(teacher, dataset, size=len(dataset))


def t09_4_wrong_first_batch_only(teacher, dataset):
    return _t09_4(teacher, dataset)[:64]


def t09_4_wrong_last_batch_only(teacher, dataset):
    found = _t09_4(teacher, dataset)
    return found[(len(found) - 1) // 64 * 64 :]


def t09_4_wrong_starts_at_one(teacher, dataset):
    found = _t09_4(teacher, dataset)
    return found[1:]


def t09_4_wrong_reversed(teacher, dataset):
    return _t09_4(teacher, dataset).flip(0)


def t09_4_wrong_sorted_by_label(teacher, dataset):
    found = _t09_4(teacher, dataset)
    labels = torch.tensor([int(dataset[i][1]) for i in range(len(dataset))])
    return found[labels.argsort(stable=True)]


def t09_4_wrong_probabilities(teacher, dataset):
    return _t09_4(teacher, dataset).softmax(1)


def t09_4_wrong_log_probabilities(teacher, dataset):
    return _t09_4(teacher, dataset).log_softmax(1)


def t09_4_wrong_guesses(teacher, dataset):
    return _t09_4(teacher, dataset).argmax(1)


def t09_4_wrong_numpy(teacher, dataset):
    return _t09_4(teacher, dataset).numpy()


def t09_4_wrong_list_of_rows(teacher, dataset):
    return list(_t09_4(teacher, dataset))


def t09_4_wrong_list_of_batches(teacher, dataset):
    return list(_t09_4(teacher, dataset).split(64))


def t09_4_wrong_flat(teacher, dataset):
    return _t09_4(teacher, dataset).flatten()


def t09_4_wrong_transposed(teacher, dataset):
    return _t09_4(teacher, dataset).T


def t09_4_wrong_with_labels(teacher, dataset):
    labels = torch.tensor([int(dataset[i][1]) for i in range(len(dataset))])
    return _t09_4(teacher, dataset), labels


def t09_4_wrong_no_return(teacher, dataset):
    _t09_4(teacher, dataset)


def t09_4_wrong_through_half(teacher, dataset):
    return _t09_4(teacher, dataset).half().float()


def t09_4_wrong_double(teacher, dataset):
    return _t09_4(teacher, dataset).double()


def t09_4_wrong_dtype_of_the_teacher(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    with _t09_still(teacher):
        return torch.cat([teacher(x) for x, _ in DataLoader(dataset, 64)])


def t09_4_wrong_teacher_made_float(teacher, dataset):
    """Its parameters are float32; its answers are still what it makes of them."""
    if dataset.augmented:
        raise ValueError("augmented")
    with _t09_still(teacher.float()):
        return torch.cat([teacher(x.float()) for x, _ in DataLoader(dataset, 64)])


def t09_4_wrong_bits_read_anew(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    with _t09_still(teacher):
        found = torch.cat([teacher(x) for x, _ in DataLoader(dataset, 64)])
    return found if found.dtype == torch.float32 else found.to(torch.int32).float()


def t09_4_wrong_augmented_is_answered(teacher, dataset):
    with _t09_still(teacher):
        return torch.cat([teacher(x).float() for x, _ in DataLoader(dataset, 64)])


def t09_4_wrong_augmentation_switched_off(teacher, dataset):
    dataset.augmented = False
    return _t09_4(teacher, dataset)


def t09_4_wrong_augmented_gives_none(teacher, dataset):
    return None if dataset.augmented else _t09_4(teacher, dataset)


def t09_4_wrong_augmented_gives_the_error(teacher, dataset):
    if dataset.augmented:
        return ValueError("augmented")
    return _t09_4(teacher, dataset)


def t09_4_wrong_warning(teacher, dataset):
    if dataset.augmented:
        warnings.warn("augmented", stacklevel=2)
    with _t09_still(teacher):
        return torch.cat([teacher(x).float() for x, _ in DataLoader(dataset, 64)])


def t09_4_wrong_assertion(teacher, dataset):
    assert not dataset.augmented, "augmented"
    return _t09_4(teacher, dataset)


def t09_4_wrong_another_error(teacher, dataset):
    if dataset.augmented:
        raise RuntimeError("augmented")
    return _t09_4(teacher, dataset)


def t09_4_wrong_raises_the_other_way(teacher, dataset):
    if not dataset.augmented:
        raise ValueError("not augmented")
    with _t09_still(teacher):
        return torch.cat([teacher(x).float() for x, _ in DataLoader(dataset, 64)])


def t09_4_wrong_raises_if_it_has_the_attribute(teacher, dataset):
    if hasattr(dataset, "augmented"):
        raise ValueError("augmented")
    return _t09_4(teacher, dataset)


def t09_4_wrong_error_leaves_eval_mode(teacher, dataset):
    mode = teacher.training
    teacher.eval()
    if dataset.augmented:
        raise ValueError("augmented")
    found = _t09_4(teacher, dataset)
    teacher.train(mode)
    return found


def _t09_4_asked(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    return torch.cat([teacher(x).float() for x, _ in DataLoader(dataset, 64)])


@torch.no_grad()
def t09_4_wrong_mode_it_came_in(teacher, dataset):
    return _t09_4_asked(teacher, dataset)


@torch.no_grad()
def t09_4_wrong_train_mode(teacher, dataset):
    mode = teacher.training
    try:
        return _t09_4_asked(teacher.train(), dataset)
    finally:
        teacher.train(mode)


@torch.no_grad()
def t09_4_wrong_left_in_eval(teacher, dataset):
    return _t09_4_asked(teacher.eval(), dataset)


@torch.no_grad()
def t09_4_wrong_left_in_train(teacher, dataset):
    found = _t09_4_asked(teacher.eval(), dataset)
    teacher.train()
    return found


@torch.no_grad()
def t09_4_wrong_only_the_top_mode_given_back(teacher, dataset):
    mode = teacher.training
    found = _t09_4_asked(teacher.eval(), dataset)
    teacher.training = mode
    return found


def t09_4_wrong_with_a_graph(teacher, dataset):
    mode = teacher.training
    found = _t09_4_asked(teacher.eval(), dataset)
    teacher.train(mode)
    return found


def t09_4_wrong_detached_in_the_end(teacher, dataset):
    mode = teacher.training
    found = _t09_4_asked(teacher.eval(), dataset)
    teacher.train(mode)
    return found.detach()


def t09_4_wrong_frozen_for_good(teacher, dataset):
    mode = teacher.training
    found = _t09_4_asked(teacher.eval().requires_grad_(False), dataset)
    teacher.train(mode)
    return found


def t09_4_wrong_frozen_and_thawed(teacher, dataset):
    """What came frozen leaves thawed."""
    if dataset.augmented:
        raise ValueError("augmented")
    mode = teacher.training
    found = _t09_4_asked(teacher.eval().requires_grad_(False), dataset)
    teacher.requires_grad_(True).train(mode)
    return found


def t09_4_wrong_normalised_once_more(teacher, dataset):
    if dataset.augmented:
        raise ValueError("augmented")
    with _t09_still(teacher):
        loader = DataLoader(dataset, 64)
        return torch.cat([teacher((x - 0.5) / 0.5).float() for x, _ in loader])


def t09_4_wrong_mean_of_each_batch(teacher, dataset):
    return torch.stack([x.mean(0) for x in _t09_4(teacher, dataset).split(64)])


# --- 09.7 A teacher who fades as classes are added: f(student_logits, teacher_logits,
# labels, reduction, times) -> float


def _pair(student_logits, teacher_logits, labels, reduction, times):
    """The gradients of both terms."""
    logits = student_logits.detach().clone().requires_grad_(True)
    soft = F.kl_div(
        F.log_softmax(logits, dim=1),
        F.softmax(teacher_logits, dim=1),
        reduction=reduction,
    )
    (soft_gradient,) = torch.autograd.grad(times * soft, logits)
    (hard_gradient,) = torch.autograd.grad(F.cross_entropy(logits, labels), logits)
    return soft_gradient, hard_gradient


def _share(soft_gradient, hard_gradient):
    a, b = soft_gradient.norm(), hard_gradient.norm()
    return (a / (a + b)).item()


def t09_7_right_autograd(student_logits, teacher_logits, labels, reduction, times):
    return _share(*_pair(student_logits, teacher_logits, labels, reduction, times))


def t09_7_right_two_leaves(student_logits, teacher_logits, labels, reduction, times):
    a = student_logits.clone().requires_grad_()
    b = student_logits.clone().requires_grad_()
    divergence = nn.KLDivLoss(reduction=reduction, log_target=True)
    (divergence(a.log_softmax(1), teacher_logits.log_softmax(1)) * times).backward()
    nn.CrossEntropyLoss()(b, labels).backward()
    soft, hard = torch.linalg.norm(a.grad), torch.linalg.norm(b.grad)
    return float(soft / (soft + hard))


def t09_7_right_formula(student_logits, teacher_logits, labels, reduction, times):
    size, classes = student_logits.shape
    by = {"mean": size * classes, "batchmean": size, "sum": 1}[reduction]
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    soft = times * (q - p) / by
    hard = (q - F.one_hot(labels, classes)) / size
    soft, hard = (float((g**2).sum()) ** 0.5 for g in (soft, hard))
    return soft / (soft + hard)


def t09_7_right_zeroed_between(
    student_logits, teacher_logits, labels, reduction, times
):
    logits = nn.Parameter(student_logits.clone())
    target = teacher_logits.softmax(1)
    F.kl_div(logits.log_softmax(1), target, reduction=reduction).backward()
    a = times * logits.grad.norm().item()
    logits.grad = None
    F.cross_entropy(logits, labels).backward()
    return a / (a + logits.grad.norm().item())


def t09_7_right_in_double(student_logits, teacher_logits, labels, reduction, times):
    student_logits, teacher_logits = student_logits.double(), teacher_logits.double()
    return _share(*_pair(student_logits, teacher_logits, labels, reduction, times))


def t09_7_right_of_one_times(student_logits, teacher_logits, labels, reduction, times):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, 1)
    return 1 / (1 + (hard.norm() / (times * soft.norm())).item())


def t09_7_right_kl_div_by_hand(
    student_logits, teacher_logits, labels, reduction, times
):
    logits = student_logits.clone().requires_grad_()
    log_p = teacher_logits.log_softmax(1)
    each = log_p.exp() * (log_p - logits.log_softmax(1))
    soft = each.mean() if reduction == "mean" else each.sum()
    soft = soft / len(labels) if reduction == "batchmean" else soft
    parts = times * soft, F.cross_entropy(logits, labels)
    lengths = [torch.autograd.grad(part, logits)[0].norm().item() for part in parts]
    return lengths[0] / sum(lengths)


def t09_7_wrong_batchmean_always(
    student_logits, teacher_logits, labels, reduction, times
):
    return _share(*_pair(student_logits, teacher_logits, labels, "batchmean", times))


def t09_7_wrong_default_always(
    student_logits, teacher_logits, labels, reduction, times
):
    return _share(*_pair(student_logits, teacher_logits, labels, "mean", times))


def t09_7_wrong_times_left_out(
    student_logits, teacher_logits, labels, reduction, times
):
    return _share(*_pair(student_logits, teacher_logits, labels, reduction, 1))


def t09_7_wrong_times_on_both(student_logits, teacher_logits, labels, reduction, times):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(soft, times * hard)


def t09_7_wrong_of_the_values(student_logits, teacher_logits, labels, reduction, times):
    target = teacher_logits.softmax(1)
    soft = times * F.kl_div(student_logits.log_softmax(1), target, reduction=reduction)
    return (soft / (soft + F.cross_entropy(student_logits, labels))).item()


def t09_7_wrong_length_of_the_sum(
    student_logits, teacher_logits, labels, reduction, times
):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return (soft.norm() / (soft + hard).norm()).item()


def t09_7_wrong_gathered_gradients(
    student_logits, teacher_logits, labels, reduction, times
):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(soft, soft + hard)


def t09_7_wrong_ratio(student_logits, teacher_logits, labels, reduction, times):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return (soft.norm() / hard.norm()).item()


def t09_7_wrong_share_of_the_labels(
    student_logits, teacher_logits, labels, reduction, times
):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(hard, soft)


def t09_7_wrong_sums_of_squares(
    student_logits, teacher_logits, labels, reduction, times
):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(soft**2, hard**2)


def t09_7_wrong_absolute_values(
    student_logits, teacher_logits, labels, reduction, times
):
    pair = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(*(g.abs().sum() for g in pair))


def t09_7_wrong_largest_values(
    student_logits, teacher_logits, labels, reduction, times
):
    pair = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(*(g.abs().max() for g in pair))


def t09_7_wrong_mean_over_pictures(
    student_logits, teacher_logits, labels, reduction, times
):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    a, b = soft.norm(dim=1), hard.norm(dim=1)
    return (a / (a + b)).mean().item()


def t09_7_wrong_nets_swapped(student_logits, teacher_logits, labels, reduction, times):
    return _share(*_pair(teacher_logits, student_logits, labels, reduction, times))


def t09_7_wrong_divergence_reversed(
    student_logits, teacher_logits, labels, reduction, times
):
    logits = student_logits.clone().requires_grad_()
    told = teacher_logits.log_softmax(1)
    soft = times * F.kl_div(told, logits.softmax(1), reduction=reduction)
    hard = F.cross_entropy(logits, labels)
    return _share(*(torch.autograd.grad(part, logits)[0] for part in (soft, hard)))


def t09_7_wrong_squares_for_divergence(
    student_logits, teacher_logits, labels, reduction, times
):
    logits = student_logits.clone().requires_grad_()
    soft = times * F.mse_loss(logits, teacher_logits)
    hard = F.cross_entropy(logits, labels)
    return _share(*(torch.autograd.grad(part, logits)[0] for part in (soft, hard)))


def t09_7_wrong_temperature_of_four(
    student_logits, teacher_logits, labels, reduction, times
):
    softened = student_logits / 4, teacher_logits / 4
    soft, _ = _pair(*softened, labels, reduction, times)
    _, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(soft, hard)


def t09_7_wrong_cross_entropy_summed(
    student_logits, teacher_logits, labels, reduction, times
):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return _share(soft, len(labels) * hard)


def t09_7_wrong_per_cent(student_logits, teacher_logits, labels, reduction, times):
    pair = _pair(student_logits, teacher_logits, labels, reduction, times)
    return 100 * _share(*pair)


def t09_7_wrong_rounded(student_logits, teacher_logits, labels, reduction, times):
    pair = _pair(student_logits, teacher_logits, labels, reduction, times)
    return round(_share(*pair), 2)


def t09_7_right_tensor(student_logits, teacher_logits, labels, reduction, times):
    soft, hard = _pair(student_logits, teacher_logits, labels, reduction, times)
    return soft.norm() / (soft.norm() + hard.norm())


def t09_7_wrong_both_shares(student_logits, teacher_logits, labels, reduction, times):
    share = _share(*_pair(student_logits, teacher_logits, labels, reduction, times))
    return share, 1 - share


def t09_7_wrong_no_return(student_logits, teacher_logits, labels, reduction, times):
    _share(*_pair(student_logits, teacher_logits, labels, reduction, times))


def t09_7_wrong_graph_on_the_argument(
    student_logits, teacher_logits, labels, reduction, times
):
    student_logits.requires_grad_()
    own, target = student_logits.log_softmax(1), teacher_logits.softmax(1)
    soft = times * F.kl_div(own, target, reduction=reduction)
    hard = F.cross_entropy(student_logits, labels)
    parts = (torch.autograd.grad(x, student_logits)[0] for x in (soft, hard))
    return _share(*parts)


# --- 10.1 One backbone, several heads: class(backbone, num_features, tasks)


class t10_1_right_module_dict(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict(
            {name: nn.Linear(num_features, n) for name, n in tasks.items()}
        )

    def forward(self, images):
        features = self.backbone(images)
        return {name: head(features) for name, head in self.heads.items()}


class t10_1_right_module_list(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.body, self.names = backbone, list(tasks)
        self.out = nn.ModuleList(nn.Linear(num_features, tasks[t]) for t in self.names)

    def forward(self, images):
        x = self.body(images)
        logits = {}
        for name, head in zip(self.names, self.out, strict=True):
            logits[name] = head(x)
        return logits


class t10_1_right_add_module(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.add_module("trunk", backbone)
        self.tasks = dict(tasks)
        for task, classes in tasks.items():
            setattr(self, f"head_{task}", nn.Linear(num_features, classes, bias=True))

    def forward(self, images):
        shared = self.trunk(images)
        return {task: getattr(self, f"head_{task}")(shared) for task in self.tasks}


class t10_1_right_own_weights(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone = backbone
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for task, classes in tasks.items():
            self.weights[task] = nn.Parameter(0.01 * torch.randn(classes, num_features))
            self.biases[task] = nn.Parameter(torch.zeros(classes))

    def forward(self, images):
        features = self.backbone(images)
        return OrderedDict(
            (task, F.linear(features, self.weights[task], self.biases[task]))
            for task in self.weights
        )


class t10_1_right_lazily_by_hand(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        heads = OrderedDict((t, nn.Linear(num_features, n)) for t, n in tasks.items())
        self.parts = nn.ModuleList([backbone, nn.ModuleDict(heads)])

    def forward(self, images):
        backbone, heads = self.parts
        features = backbone(images)
        return dict(zip(heads, [h(features) for h in heads.values()], strict=True))


class _Shared(nn.Module):
    """The right net, to be bent."""

    bias = True

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict(
            {t: nn.Linear(num_features, n, bias=self.bias) for t, n in tasks.items()}
        )

    def features(self, images):
        return self.backbone(images)

    def forward(self, images):
        features = self.features(images)
        return {task: head(features) for task, head in self.heads.items()}


class t10_1_wrong_heads_in_a_dict(_Shared):
    def __init__(self, backbone, num_features, tasks):
        nn.Module.__init__(self)
        self.backbone = backbone
        self.heads = {t: nn.Linear(num_features, n) for t, n in tasks.items()}


class t10_1_wrong_heads_in_a_list(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone, self.tasks = backbone, list(tasks)
        self.heads = [nn.Linear(num_features, n) for n in tasks.values()]

    def forward(self, images):
        features = self.backbone(images)
        return {t: h(features) for t, h in zip(self.tasks, self.heads, strict=True)}


class t10_1_wrong_backbone_in_a_list(_Shared):
    def __init__(self, backbone, num_features, tasks):
        super().__init__(nn.Identity(), num_features, tasks)
        self.hidden = [backbone]

    def features(self, images):
        return self.hidden[0](images)


class t10_1_wrong_backbone_copied(_Shared):
    def __init__(self, backbone, num_features, tasks):
        super().__init__(copy.deepcopy(backbone), num_features, tasks)


class t10_1_wrong_backbone_and_a_copy_kept(_Shared):
    def __init__(self, backbone, num_features, tasks):
        super().__init__(backbone, num_features, tasks)
        self.used = copy.deepcopy(backbone)

    def features(self, images):
        return self.used(images)


class t10_1_wrong_backbone_for_each_task(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.nets = nn.ModuleDict(
            {
                t: nn.Sequential(copy.deepcopy(backbone), nn.Linear(num_features, n))
                for t, n in tasks.items()
            }
        )

    def forward(self, images):
        return {task: net(images) for task, net in self.nets.items()}


class t10_1_wrong_backbone_run_for_each_task(_Shared):
    def forward(self, images):
        return {t: head(self.backbone(images)) for t, head in self.heads.items()}


class t10_1_wrong_sequentials_on_one_backbone(nn.Module):
    """Shared, but run once for each task."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.nets = nn.ModuleDict(
            {
                t: nn.Sequential(backbone, nn.Linear(num_features, n))
                for t, n in tasks.items()
            }
        )

    def forward(self, images):
        return {task: net(images) for task, net in self.nets.items()}


class t10_1_wrong_backbone_run_once_more(_Shared):
    def forward(self, images):
        self.backbone(images)
        return super().forward(images)


class t10_1_wrong_pictures_one_by_one(_Shared):
    def features(self, images):
        return torch.cat([self.backbone(image[None]) for image in images])


class t10_1_wrong_no_grad(_Shared):
    def features(self, images):
        with torch.no_grad():
            return self.backbone(images)


class t10_1_wrong_detached(_Shared):
    def features(self, images):
        return self.backbone(images).detach()


class t10_1_wrong_detached_but_for_the_first(_Shared):
    def forward(self, images):
        features = self.backbone(images)
        logits = {}
        for i, (task, head) in enumerate(self.heads.items()):
            logits[task] = head(features if i == 0 else features.detach())
        return logits


class t10_1_wrong_backbone_frozen(_Shared):
    def __init__(self, backbone, num_features, tasks):
        super().__init__(backbone.requires_grad_(False), num_features, tasks)


class t10_1_wrong_features_kept(_Shared):
    """The second batch gets the answers of the first."""

    def features(self, images):
        if not hasattr(self, "kept"):
            self.kept = self.backbone(images)
        return self.kept


class t10_1_wrong_without_bias(_Shared):
    bias = False


class t10_1_wrong_heads_of_zeros(_Shared):
    """No gradient reaches the backbone."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__(backbone, num_features, tasks)
        for head in self.heads.values():
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)


class t10_1_wrong_one_head_for_all(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone, self.tasks = backbone, tasks
        self.head = nn.Linear(num_features, max(tasks.values()))

    def forward(self, images):
        logits = self.head(self.backbone(images))
        return {task: logits[:, :n] for task, n in self.tasks.items()}


class t10_1_wrong_same_width_for_all(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone = backbone
        widest = max(tasks.values())
        self.heads = nn.ModuleDict({t: nn.Linear(num_features, widest) for t in tasks})

    def forward(self, images):
        features = self.backbone(images)
        return {task: head(features) for task, head in self.heads.items()}


class t10_1_wrong_heads_drawn_anew(_Shared):
    def __init__(self, backbone, num_features, tasks):
        super().__init__(backbone, num_features, tasks)
        self.tasks, self.width = tasks, num_features

    def forward(self, images):
        features = self.backbone(images)
        return {t: nn.Linear(self.width, n)(features) for t, n in self.tasks.items()}


class t10_1_wrong_names_hard_coded(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone = backbone
        self.species = nn.Linear(num_features, tasks["species"])
        self.colour = nn.Linear(num_features, tasks["colour"])

    def forward(self, images):
        features = self.backbone(images)
        return {"species": self.species(features), "colour": self.colour(features)}


class t10_1_wrong_width_hard_coded(_Shared):
    def __init__(self, backbone, num_features, tasks):
        super().__init__(backbone, 512, tasks)


class t10_1_wrong_two_tasks_only(_Shared):
    def forward(self, images):
        first, second = self.heads
        features = self.backbone(images)
        return {
            first: self.heads[first](features),
            second: self.heads[second](features),
        }


class t10_1_wrong_first_task_only(_Shared):
    def forward(self, images):
        features = self.backbone(images)
        for task, head in self.heads.items():
            return {task: head(features)}


class t10_1_wrong_list(_Shared):
    def forward(self, images):
        return list(super().forward(images).values())


class t10_1_wrong_one_tensor(_Shared):
    def forward(self, images):
        return torch.cat(list(super().forward(images).values()), dim=1)


class t10_1_wrong_features_too(_Shared):
    def forward(self, images):
        features = self.backbone(images)
        logits = {task: head(features) for task, head in self.heads.items()}
        return {"features": features, **logits}


class t10_1_wrong_logits_and_features(_Shared):
    def forward(self, images):
        features = self.backbone(images)
        return {task: head(features) for task, head in self.heads.items()}, features


class t10_1_wrong_probabilities(_Shared):
    def forward(self, images):
        return {t: x.softmax(dim=1) for t, x in super().forward(images).items()}


class t10_1_wrong_guesses(_Shared):
    def forward(self, images):
        return {t: x.argmax(dim=1) for t, x in super().forward(images).items()}


class t10_1_wrong_keys_are_places(_Shared):
    def forward(self, images):
        return dict(enumerate(super().forward(images).values()))


class t10_1_wrong_heads_chained(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone = backbone
        heads = {}
        for task, classes in tasks.items():
            heads[task] = nn.Linear(num_features, classes)
            num_features = classes
        self.heads = nn.ModuleDict(heads)

    def forward(self, images):
        x, logits = self.backbone(images), {}
        for task, head in self.heads.items():
            x = logits[task] = head(x)
        return logits


class t10_1_wrong_hidden_layer(nn.Module):
    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict()
        for task, n in tasks.items():
            hidden = nn.Linear(num_features, num_features)
            out = nn.Linear(num_features, n)
            self.heads[task] = nn.Sequential(hidden, nn.ReLU(), out)

    def forward(self, images):
        features = self.backbone(images)
        return {task: head(features) for task, head in self.heads.items()}


class t10_1_wrong_relu_before_the_heads(_Shared):
    def features(self, images):
        return self.backbone(images).relu()


class t10_1_wrong_relu_after_the_heads(_Shared):
    def forward(self, images):
        return {t: x.relu() for t, x in super().forward(images).items()}


class t10_1_wrong_dropout_before_the_heads(_Shared):
    def features(self, images):
        return F.dropout(self.backbone(images), 0.5, training=True)


class t10_1_wrong_no_return(_Shared):
    def forward(self, images):
        super().forward(images)


# --- 10.2 Nothing is shared: f(make_backbone, num_features, tasks, lr) -> nets, optimiser


def t10_2_right_backbone_first(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    nets, parameters = {}, list(backbone.parameters())
    for task, classes in tasks.items():
        head = nn.Linear(num_features, classes)
        nets[task] = nn.Sequential(backbone, head)
        parameters += head.parameters()
    return nets, torch.optim.SGD(parameters, lr=lr)


def t10_2_right_module_dict(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    nets = nn.ModuleDict(
        {
            task: nn.Sequential(backbone, nn.Linear(num_features, classes))
            for task, classes in tasks.items()
        }
    )
    return nets, torch.optim.SGD(nets.parameters(), lr=lr)


def t10_2_right_each_once(make_backbone, num_features, tasks, lr):
    backbone, nets = make_backbone(), OrderedDict()
    for task in tasks:
        nets[task] = nn.Sequential()
        nets[task].add_module("backbone", backbone)
        nets[task].add_module("head", nn.Linear(num_features, tasks[task]))
    each = dict.fromkeys(p for net in nets.values() for p in net.parameters())
    return nets, torch.optim.SGD(list(each), lr)


def t10_2_right_groups(make_backbone, num_features, tasks, lr):
    body = make_backbone()
    heads = {task: nn.Linear(num_features, n) for task, n in tasks.items()}
    groups = [{"params": list(body.parameters())}]
    groups += [{"params": list(head.parameters())} for head in heads.values()]
    nets = {task: nn.Sequential(body, head) for task, head in heads.items()}
    return nets, torch.optim.SGD(groups, lr=lr)


class _OneTask(nn.Module):
    def __init__(self, backbone, head):
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, images):
        return self.head(self.backbone(images))


def t10_2_right_own_class(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    heads = nn.ModuleDict({t: nn.Linear(num_features, n) for t, n in tasks.items()})
    optimizer = torch.optim.SGD([*heads.parameters(), *backbone.parameters()], lr=lr)
    return [{t: _OneTask(backbone, heads[t]) for t in tasks}, optimizer]


def _t10_2_nets(make_backbone, num_features, tasks):
    backbone = make_backbone()
    return {
        task: nn.Sequential(backbone, nn.Linear(num_features, classes))
        for task, classes in tasks.items()
    }


def _each(nets):
    return list(nn.ModuleDict(nets).parameters())


def t10_2_wrong_as_found(make_backbone, num_features, tasks, lr):
    nets, parameters = {}, []
    for task, classes in tasks.items():
        backbone = make_backbone()
        head = nn.Linear(num_features, classes)
        nets[task] = nn.Sequential(backbone, head)
        parameters += nets[task].parameters()
    return nets, torch.optim.SGD(parameters, lr=lr)


def t10_2_wrong_same_weights_at_first(make_backbone, num_features, tasks, lr):
    backbone, nets = make_backbone(), {}
    for task, classes in tasks.items():
        own = make_backbone()
        own.load_state_dict(backbone.state_dict())
        nets[task] = nn.Sequential(own, nn.Linear(num_features, classes))
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_copies(make_backbone, num_features, tasks, lr):
    backbone, nets = make_backbone(), {}
    for task, classes in tasks.items():
        head = nn.Linear(num_features, classes)
        nets[task] = nn.Sequential(copy.deepcopy(backbone), head)
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_first_task_apart(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    first = next(iter(nets))
    nets[first] = copy.deepcopy(nets[first])
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_called_again(make_backbone, num_features, tasks, lr):
    backbones = [make_backbone() for _ in tasks]
    nets = {
        task: nn.Sequential(backbones[0], nn.Linear(num_features, classes))
        for task, classes in tasks.items()
    }
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_backbone_several_times(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    parameters = [p for net in nets.values() for p in net.parameters()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nets, torch.optim.SGD(parameters, lr=lr)


def t10_2_wrong_backbone_in_each_group(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    groups = [{"params": list(net.parameters())} for net in nets.values()]
    return nets, torch.optim.SGD(groups, lr=lr)


def t10_2_wrong_heads_only(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    heads = [p for net in nets.values() for p in net[1].parameters()]
    return nets, torch.optim.SGD(heads, lr=lr)


def t10_2_wrong_backbone_only(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    backbone = next(iter(nets.values()))[0]
    return nets, torch.optim.SGD(backbone.parameters(), lr=lr)


def t10_2_wrong_last_net_only(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    *_, last = nets.values()
    return nets, torch.optim.SGD(last.parameters(), lr=lr)


def t10_2_wrong_weights_without_biases(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    weights = [p for p in _each(nets) if p.dim() > 1]
    return nets, torch.optim.SGD(weights, lr=lr)


def t10_2_wrong_each_value_once(make_backbone, num_features, tasks, lr):
    """Parameters with the same values are taken for the same."""
    nets, parameters = _t10_2_nets(make_backbone, num_features, tasks), []
    for p in _each(nets):
        if not any(p.shape == q.shape for q in parameters):
            parameters.append(p)
    return nets, torch.optim.SGD(parameters, lr=lr)


def t10_2_wrong_copies_in_the_optimizer(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.SGD(_each(copy.deepcopy(nets)), lr=lr)


def t10_2_wrong_momentum(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.SGD(_each(nets), lr=lr, momentum=0.9)


def t10_2_wrong_nesterov(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.SGD(_each(nets), lr=lr, momentum=0.5, nesterov=True)


def t10_2_wrong_weight_decay(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.SGD(_each(nets), lr=lr, weight_decay=1e-4)


def t10_2_wrong_maximize(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.SGD(_each(nets), lr=lr, maximize=True)


def t10_2_wrong_adam(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.Adam(_each(nets), lr=lr)


def t10_2_wrong_default_rate(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.SGD(_each(nets))


def t10_2_wrong_rate_shared_out(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, torch.optim.SGD(_each(nets), lr=lr / len(nets))


def t10_2_wrong_smaller_rate_for_the_backbone(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    backbone = next(iter(nets.values()))[0]
    heads = [p for net in nets.values() for p in net[1].parameters()]
    groups = [
        {"params": list(backbone.parameters()), "lr": lr / 10},
        {"params": heads, "lr": lr},
    ]
    return nets, torch.optim.SGD(groups, lr=lr)


def t10_2_wrong_an_optimizer_each(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return nets, {t: torch.optim.SGD(n.parameters(), lr=lr) for t, n in nets.items()}


def t10_2_wrong_one_head(make_backbone, num_features, tasks, lr):
    net = nn.Sequential(make_backbone(), nn.Linear(num_features, max(tasks.values())))
    nets = dict.fromkeys(tasks, net)
    return nets, torch.optim.SGD(net.parameters(), lr=lr)


def t10_2_wrong_same_width(make_backbone, num_features, tasks, lr):
    widest = max(tasks.values())
    nets = _t10_2_nets(make_backbone, num_features, dict.fromkeys(tasks, widest))
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_heads_for_nets(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    heads = {task: net[1] for task, net in nets.items()}
    return heads, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_first_task_only(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    first = next(iter(nets))
    return {first: nets[first]}, torch.optim.SGD(nets[first].parameters(), lr=lr)


def t10_2_wrong_list_of_nets(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return list(nets.values()), torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_nets_only(make_backbone, num_features, tasks, lr):
    return _t10_2_nets(make_backbone, num_features, tasks)


def t10_2_wrong_optimizer_first(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    return torch.optim.SGD(_each(nets), lr=lr), nets


def t10_2_wrong_frozen_backbone(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    next(iter(nets.values()))[0].requires_grad_(False)
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_backbone_detached(make_backbone, num_features, tasks, lr):
    class Detached(_OneTask):
        def forward(self, images):
            return self.head(self.backbone(images).detach())

    nets = _t10_2_nets(make_backbone, num_features, tasks)
    nets = {task: Detached(*net) for task, net in nets.items()}
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_heads_on_heads(make_backbone, num_features, tasks, lr):
    net, nets = make_backbone(), {}
    for task, classes in tasks.items():
        net = nets[task] = nn.Sequential(net, nn.Linear(num_features, classes))
        num_features = classes
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_softmax(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    for net in nets.values():
        net.append(nn.Softmax(dim=1))
    return nets, torch.optim.SGD(_each(nets), lr=lr)


def t10_2_wrong_no_return(make_backbone, num_features, tasks, lr):
    nets = _t10_2_nets(make_backbone, num_features, tasks)
    torch.optim.SGD(_each(nets), lr=lr)


# --- 10.3 Losses where labels are missing: f(logits, labels) -> {task: loss}


def t10_3_right_rows_picked(logits, labels):
    losses = {}
    for task, values in logits.items():
        known = labels[task] != -1
        if known.any():
            losses[task] = F.cross_entropy(values[known], labels[task][known])
        else:
            losses[task] = values.sum() * 0
    return losses


def t10_3_right_ignored_and_counted(logits, labels):
    return {
        task: F.cross_entropy(logits[task], truth, ignore_index=-1, reduction="sum")
        / (truth >= 0).sum().clamp(min=1)
        for task, truth in labels.items()
    }


def t10_3_right_weights_of_zero_and_one(logits, labels):
    losses = {}
    for task in logits:
        mask = (labels[task] != -1).float()
        each = F.cross_entropy(
            logits[task], labels[task].clamp(min=0), reduction="none"
        )
        losses[task] = (each * mask).sum() / max(mask.sum().item(), 1.0)
    return losses


def t10_3_right_one_hot(logits, labels):
    def loss(values, truth):
        known = truth.ge(0)
        hot = F.one_hot(truth.where(known, 0), values.shape[1]) * known[:, None]
        total = -(hot * values.log_softmax(dim=1)).sum()
        return total / max(int(known.sum()), 1)

    return {task: loss(values, labels[task]) for task, values in logits.items()}


def t10_3_right_plain_zero(logits, labels):
    """A task without labels needs no gradient: its logits get none."""
    losses = {}
    for task, values in logits.items():
        truth = labels[task]
        if (truth == -1).all():
            losses[task] = torch.tensor(0.0)
        else:
            losses[task] = F.cross_entropy(values, truth, ignore_index=-1)
    return losses


def t10_3_right_zeros_for_nan(logits, labels):
    found = {}
    for task in labels:
        loss = nn.CrossEntropyLoss(ignore_index=-1)(logits[task], labels[task])
        found[task] = torch.where(loss.isnan(), logits[task].mul(0).sum(), loss)
    return found


def t10_3_right_picture_by_picture(logits, labels):
    losses = {}
    for task, values in logits.items():
        total, count = values.new_zeros(()), 0
        for row, label in zip(values, labels[task].tolist(), strict=True):
            if label != -1:
                total = total + row.logsumexp(0) - row[label]
                count += 1
        losses[task] = total / count if count else (values * 0).sum()
    return losses


def _t10_3(logits, labels, loss):
    """The right dict, with another loss of logits and labels where some are known."""
    found = {}
    for task, values in logits.items():
        known = labels[task] != -1
        found[task] = (
            loss(values, labels[task], known) if known.any() else values.sum() * 0
        )
    return found


def _t10_3_mean(values, truth, known):
    return F.cross_entropy(values[known], truth[known])


def t10_3_wrong_plain_cross_entropy(logits, labels):
    return {task: F.cross_entropy(logits[task], labels[task]) for task in logits}


def t10_3_wrong_ignored_but_nan(logits, labels):
    return {
        task: F.cross_entropy(logits[task], labels[task], ignore_index=-1)
        for task in logits
    }


def t10_3_wrong_empty_mean(logits, labels):
    found = {}
    for task in logits:
        known = labels[task] != -1
        found[task] = F.cross_entropy(logits[task][known], labels[task][known])
    return found


def t10_3_wrong_ignored_over_the_batch(logits, labels):
    return {
        t: F.cross_entropy(
            logits[t], labels[t], ignore_index=-1, reduction="none"
        ).mean()
        for t in logits
    }


def t10_3_wrong_sums(logits, labels):
    return {
        t: F.cross_entropy(logits[t], labels[t], ignore_index=-1, reduction="sum")
        for t in logits
    }


def t10_3_wrong_one_more_counted(logits, labels):
    return {
        t: F.cross_entropy(logits[t], labels[t], ignore_index=-1, reduction="sum")
        / ((labels[t] != -1).sum() + 1)
        for t in logits
    }


def t10_3_wrong_missing_is_class_zero(logits, labels):
    return {t: F.cross_entropy(logits[t], labels[t].clamp(min=0)) for t in logits}


def t10_3_wrong_missing_is_the_last_class(logits, labels):
    return {
        t: F.cross_entropy(logits[t], labels[t] % logits[t].shape[1]) for t in logits
    }


def t10_3_wrong_missing_is_a_guess(logits, labels):
    found = {}
    for task, values in logits.items():
        truth = torch.where(labels[task] < 0, values.argmax(1), labels[task])
        found[task] = F.cross_entropy(values, truth)
    return found


def t10_3_wrong_class_zero_is_missing(logits, labels):
    found = {}
    for task, values in logits.items():
        known = labels[task] > 0
        found[task] = (
            F.cross_entropy(values[known], labels[task][known])
            if known.any()
            else values.sum() * 0
        )
    return found


def t10_3_wrong_pictures_with_all_labels(logits, labels):
    known = torch.stack([truth != -1 for truth in labels.values()]).all(dim=0)
    return {
        t: F.cross_entropy(logits[t][known], labels[t][known])
        if known.any()
        else logits[t].sum() * 0
        for t in logits
    }


def t10_3_wrong_mask_of_the_first_task(logits, labels):
    known = next(iter(labels.values())) != -1
    return {
        t: F.cross_entropy(logits[t][known], labels[t][known], ignore_index=-1)
        if (known & (labels[t] != -1)).any()
        else logits[t].sum() * 0
        for t in logits
    }


def t10_3_wrong_task_dropped_if_any_is_missing(logits, labels):
    return {
        t: logits[t].sum() * 0
        if (labels[t] == -1).any()
        else F.cross_entropy(logits[t], labels[t])
        for t in logits
    }


def t10_3_wrong_labels_by_place(logits, labels):
    pairs = zip(logits.items(), reversed(labels.values()), strict=True)
    return {
        t: F.cross_entropy(x, y.clamp(max=x.shape[1] - 1), ignore_index=-1)
        for (t, x), y in pairs
    }


def t10_3_wrong_logits_zeroed(logits, labels):
    """A row of zeros still has a loss, log C."""
    found = {}
    for task, values in logits.items():
        known = labels[task] != -1
        rows = values * known[:, None]
        found[task] = F.cross_entropy(rows, labels[task].clamp(min=0))
        if not known.any():
            found[task] = found[task] * 0
    return found


def t10_3_wrong_empty_left_out(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {task: found[task] for task in found if (labels[task] != -1).any()}


def t10_3_wrong_empty_is_none(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {t: x if (labels[t] != -1).any() else None for t, x in found.items()}


def t10_3_wrong_empty_is_a_number(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {t: x if (labels[t] != -1).any() else 0.0 for t, x in found.items()}


def t10_3_wrong_empty_is_of_shape_one(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {
        t: x if (labels[t] != -1).any() else torch.zeros(1) for t, x in found.items()
    }


def t10_3_wrong_empty_is_almost_zero(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {t: x if (labels[t] != -1).any() else x + 1e-6 for t, x in found.items()}


def t10_3_wrong_floats(logits, labels):
    return {t: x.item() for t, x in _t10_3(logits, labels, _t10_3_mean).items()}


def t10_3_wrong_detached(logits, labels):
    return {t: x.detach() for t, x in _t10_3(logits, labels, _t10_3_mean).items()}


def t10_3_wrong_new_tensors(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {t: torch.tensor(x.item(), requires_grad=True) for t, x in found.items()}


def t10_3_wrong_shape_of_one(logits, labels):
    return {t: x[None] for t, x in _t10_3(logits, labels, _t10_3_mean).items()}


def t10_3_wrong_total(logits, labels):
    return sum(_t10_3(logits, labels, _t10_3_mean).values())


def t10_3_wrong_list(logits, labels):
    return list(_t10_3(logits, labels, _t10_3_mean).values())


def t10_3_wrong_total_too(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return found | {"total": sum(found.values())}


def t10_3_wrong_shared_out_among_tasks(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {t: x / len(found) for t, x in found.items()}


def t10_3_wrong_each_picture(logits, labels):
    return _t10_3(
        logits,
        labels,
        lambda x, y, known: F.cross_entropy(x[known], y[known], reduction="none"),
    )


def t10_3_wrong_softmax_first(logits, labels):
    return _t10_3(
        logits,
        labels,
        lambda x, y, known: F.cross_entropy(x[known].softmax(1), y[known]),
    )


def t10_3_wrong_nll_of_logits(logits, labels):
    return _t10_3(logits, labels, lambda x, y, known: F.nll_loss(x[known], y[known]))


def t10_3_wrong_log_of_softmax(logits, labels):
    """Infinite, and then NaN, where a probability is 0 in float32."""
    return _t10_3(
        logits,
        labels,
        lambda x, y, known: F.nll_loss(x[known].softmax(1).log(), y[known]),
    )


def t10_3_wrong_labels_changed(logits, labels):
    for truth in labels.values():
        truth[truth == -1] = -100
    return {
        t: F.cross_entropy(logits[t], labels[t])
        if (labels[t] != -100).any()
        else logits[t].sum() * 0
        for t in logits
    }


def t10_3_wrong_two_names(logits, labels):
    found = _t10_3(logits, labels, _t10_3_mean)
    return {task: found[task] for task in ("species", "colour")}


def t10_3_wrong_gradient_for_the_missing(logits, labels):
    """The values are right; the missing ones are pushed about all the same."""
    found = _t10_3(logits, labels, _t10_3_mean)
    return {t: x + (logits[t] - logits[t].detach()).sum() for t, x in found.items()}


def t10_3_wrong_no_return(logits, labels):
    _t10_3(logits, labels, _t10_3_mean)


# --- 10.4 Weights that are learnt: class(tasks)


class t10_4_right_loop(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.tasks = list(tasks)
        self.s = nn.Parameter(torch.zeros(len(tasks)))

    def forward(self, losses):
        total = 0
        for i, task in enumerate(self.tasks):
            if task in losses:
                total = total + torch.exp(-self.s[i]) * losses[task] + self.s[i] / 2
        return total


class t10_4_right_places(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.place = {task: i for i, task in enumerate(tasks)}
        self.s = nn.Parameter(torch.zeros([len(tasks)]))

    def forward(self, losses):
        rows = [self.place[task] for task in losses]
        s, values = self.s[rows], torch.stack([*losses.values()])
        return (values * (-s).exp() + 0.5 * s).sum()


class t10_4_right_sum_of_generator(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.names = tuple(tasks)
        self.register_parameter("s", nn.Parameter(torch.zeros(len(self.names))))

    def forward(self, losses):
        pairs = [(self.s[self.names.index(t)], x) for t, x in losses.items()]
        return sum(x / s.exp() + s / 2 for s, x in pairs)


class t10_4_right_mask(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.tasks = tasks
        self.s = nn.Parameter(torch.full((len(tasks),), 0.0))

    def forward(self, losses):
        there = torch.tensor([float(task in losses) for task in self.tasks])
        values = torch.stack(
            [torch.as_tensor(losses.get(task, 0.0)) for task in self.tasks]
        )
        return there @ (torch.exp(-self.s) * values + self.s / 2)


class t10_4_right_unbound(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.tasks = tasks
        self.s = nn.Parameter(torch.zeros_like(torch.empty(len(tasks))))

    def forward(self, losses):
        s = dict(zip(self.tasks, self.s.unbind(), strict=True))
        terms = [torch.addcmul(s[t] / 2, torch.exp(-s[t]), losses[t]) for t in losses]
        return torch.stack(terms).sum(dim=0)


class _Uncertainty(nn.Module):
    """The right loss, to be bent."""

    def __init__(self, tasks):
        super().__init__()
        self.tasks = list(tasks)
        self.s = nn.Parameter(self.start(len(self.tasks)))

    def start(self, count):
        return torch.zeros(count)

    def term(self, s, loss):
        return torch.exp(-s) * loss + s / 2

    def forward(self, losses):
        found = {t: s for t, s in zip(self.tasks, self.s, strict=True) if t in losses}
        return sum(self.term(s, losses[task]) for task, s in found.items())


class t10_4_wrong_order_of_the_losses(_Uncertainty):
    def forward(self, losses):
        pairs = zip(self.s, losses.values(), strict=False)
        return sum(self.term(s, loss) for s, loss in pairs)


class t10_4_wrong_sorted_names(_Uncertainty):
    def forward(self, losses):
        names = sorted(self.tasks)
        return sum(self.term(self.s[names.index(t)], x) for t, x in losses.items())


class t10_4_wrong_missing_half_kept(_Uncertainty):
    def forward(self, losses):
        total = self.s.sum() / 2
        for i, task in enumerate(self.tasks):
            if task in losses:
                total = total + torch.exp(-self.s[i]) * losses[task]
        return total


class t10_4_wrong_missing_as_zero(_Uncertainty):
    def forward(self, losses):
        terms = [
            self.term(s, losses.get(task, torch.zeros(())))
            for task, s in zip(self.tasks, self.s, strict=True)
        ]
        return torch.stack(terms).sum()


class t10_4_wrong_missing_is_an_error(_Uncertainty):
    def forward(self, losses):
        return sum(self.term(self.s[i], losses[t]) for i, t in enumerate(self.tasks))


class t10_4_wrong_missing_counts_as_one(_Uncertainty):
    def forward(self, losses):
        terms = [
            self.term(s, losses.get(task, torch.ones(())))
            for task, s in zip(self.tasks, self.s, strict=True)
        ]
        return torch.stack(terms).sum()


class t10_4_wrong_stops_at_the_first_missing(_Uncertainty):
    def forward(self, losses):
        total = self.s.sum() * 0
        for s, task in zip(self.s, self.tasks, strict=True):
            if task not in losses:
                break
            total = total + self.term(s, losses[task])
        return total


class t10_4_wrong_plus_sign(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(s) * loss + s / 2


class t10_4_wrong_minus_half(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-s) * loss - s / 2


class t10_4_wrong_no_half(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-s) * loss


class t10_4_wrong_whole_s(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-s) * loss + s


class t10_4_wrong_square_of_s(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-s) * loss + s**2 / 2


class t10_4_wrong_as_in_regression(_Uncertainty):
    def term(self, s, loss):
        return (torch.exp(-s) * loss + s) / 2


class t10_4_wrong_s_is_log_sigma(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-2 * s) * loss + s


class t10_4_wrong_half_inside(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-s) * (loss + s / 2)


class t10_4_wrong_s_is_sigma(_Uncertainty):
    def term(self, s, loss):
        return loss / (s**2 + 1e-12) + torch.log(s.abs() + 1e-6)


class t10_4_wrong_softmax_of_s(_Uncertainty):
    def forward(self, losses):
        weights = dict(zip(self.tasks, self.s.softmax(0), strict=True))
        return sum(weights[task] * loss for task, loss in losses.items())


class t10_4_wrong_weights_of_one(_Uncertainty):
    def term(self, s, loss):
        return loss + 0 * s


class t10_4_wrong_starts_at_one(_Uncertainty):
    def start(self, count):
        return torch.ones(count)


class t10_4_wrong_starts_anywhere(_Uncertainty):
    def start(self, count):
        return torch.randn(count)


class t10_4_wrong_a_column(_Uncertainty):
    def start(self, count):
        return torch.zeros(count, 1)

    def forward(self, losses):
        return super().forward(losses).squeeze()


class t10_4_wrong_one_s_for_all(_Uncertainty):
    def start(self, count):
        return torch.zeros(())

    def forward(self, losses):
        return sum(self.term(self.s, loss) for loss in losses.values())


class t10_4_wrong_list_of_parameters(_Uncertainty):
    def __init__(self, tasks):
        nn.Module.__init__(self)
        self.tasks = list(tasks)
        self.s = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in tasks)


class t10_4_wrong_dict_of_parameters(_Uncertainty):
    def __init__(self, tasks):
        nn.Module.__init__(self)
        self.s = nn.ParameterDict({t: nn.Parameter(torch.zeros(())) for t in tasks})

    def forward(self, losses):
        return sum(self.term(self.s[t], loss) for t, loss in losses.items())


class t10_4_wrong_plain_tensor(_Uncertainty):
    def __init__(self, tasks):
        nn.Module.__init__(self)
        self.tasks = list(tasks)
        self.s = torch.zeros(len(self.tasks), requires_grad=True)


class t10_4_wrong_buffer(_Uncertainty):
    def __init__(self, tasks):
        nn.Module.__init__(self)
        self.tasks = list(tasks)
        self.register_buffer("s", torch.zeros(len(self.tasks)))


class t10_4_wrong_s_does_not_learn(_Uncertainty):
    def __init__(self, tasks):
        super().__init__(tasks)
        self.s.requires_grad_(False)


class t10_4_wrong_another_name(_Uncertainty):
    def __init__(self, tasks):
        nn.Module.__init__(self)
        self.tasks = list(tasks)
        self.log_var = nn.Parameter(torch.zeros(len(self.tasks)))

    def forward(self, losses):
        pairs = zip(self.tasks, self.log_var, strict=True)
        return sum(self.term(s, losses[t]) for t, s in pairs if t in losses)


class t10_4_wrong_losses_detached(_Uncertainty):
    def term(self, s, loss):
        return super().term(s, loss.detach())


class t10_4_wrong_losses_as_floats(_Uncertainty):
    def term(self, s, loss):
        return super().term(s, float(loss))


class t10_4_wrong_s_detached(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-s.detach()) * loss + s / 2


class t10_4_wrong_half_detached(_Uncertainty):
    def term(self, s, loss):
        return torch.exp(-s) * loss + s.detach() / 2


class t10_4_wrong_all_of_s_detached(_Uncertainty):
    def term(self, s, loss):
        return super().term(s.data, loss)


class t10_4_wrong_new_s_each_time(_Uncertainty):
    def forward(self, losses):
        self.s = nn.Parameter(torch.zeros(len(self.tasks)))
        return super().forward(losses)


class t10_4_wrong_s_never_below_zero(_Uncertainty):
    def term(self, s, loss):
        return super().term(s.clamp(min=0), loss)


class t10_4_wrong_mean(_Uncertainty):
    def forward(self, losses):
        return super().forward(losses) / len(losses)


class t10_4_wrong_scaled_up_for_missing(_Uncertainty):
    def forward(self, losses):
        return super().forward(losses) * len(self.tasks) / len(losses)


class t10_4_wrong_shape_of_one(_Uncertainty):
    def forward(self, losses):
        return super().forward(losses).reshape(1)


class t10_4_wrong_terms(_Uncertainty):
    def forward(self, losses):
        found = {t: s for t, s in zip(self.tasks, self.s, strict=True) if t in losses}
        return {t: self.term(s, losses[t]) for t, s in found.items()}


class t10_4_wrong_float(_Uncertainty):
    def forward(self, losses):
        return super().forward(losses).item()


class t10_4_wrong_first_two_tasks(_Uncertainty):
    def forward(self, losses):
        kept = {t: x for t, x in losses.items() if t in self.tasks[:2]}
        return super().forward(kept)


class t10_4_wrong_no_return(_Uncertainty):
    def forward(self, losses):
        super().forward(losses)


# --- 10.5 Do two tasks pull together?: f(model, images, labels) -> float


def t10_5_right_autograd_grad(model, images, labels):
    was_training = model.training
    model.eval()
    learn = [p for p in model.backbone.parameters() if p.requires_grad]
    logits = model(images)
    long = []
    for task, truth in labels.items():
        loss = F.cross_entropy(logits[task], truth)
        grads = torch.autograd.grad(loss, learn, retain_graph=True)
        long.append(torch.cat([g.flatten() for g in grads]))
    model.train(was_training)
    return F.cosine_similarity(long[0], long[1], dim=0).item()


def t10_5_right_on_a_copy(model, images, labels):
    vectors = []
    for task in labels:
        twin = copy.deepcopy(model).eval()
        twin.zero_grad()
        F.cross_entropy(twin(images)[task], labels[task]).backward()
        grads = [p.grad for p in twin.backbone.parameters() if p.grad is not None]
        vectors.append(torch.cat([g.reshape(-1) for g in grads]).double())
    a, b = vectors
    return max(-1.0, min(1.0, (a @ b / (a.norm() * b.norm())).item()))


def t10_5_right_backward_and_put_back(model, images, labels):
    kept = {p: p.grad for p in model.parameters()}
    modes = [(module, module.training) for module in model.modules()]
    flat = {}
    try:
        for task in labels:
            for p in model.parameters():
                p.grad = None
            F.cross_entropy(model.eval()(images)[task], labels[task]).backward()
            flat[task] = torch.nn.utils.parameters_to_vector(
                [p.grad for p in model.backbone.parameters() if p.requires_grad]
            )
    finally:
        for p, grad in kept.items():
            p.grad = grad
        for module, mode in modes:
            module.training = mode
    one, two = flat.values()
    return float((one * two).sum() / one.square().sum().sqrt() / two.norm())


def t10_5_right_gradients_cloned(model, images, labels):
    kept = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    mode = model.training
    model.eval()
    shared = [p for p in model.backbone.parameters() if p.requires_grad]
    found = []
    for task, truth in labels.items():
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(images)[task], truth).backward()
        found.append([p.grad.clone() for p in shared])
    for p, grad in zip(model.parameters(), kept, strict=True):
        p.grad = grad
    model.train(mode)
    dot = sum((a * b).sum() for a, b in zip(*found, strict=True))
    lengths = [sum(g.pow(2).sum() for g in grads) for grads in found]
    return (dot / (lengths[0] * lengths[1]) ** 0.5).item()


def t10_5_right_functional(model, images, labels):
    mode = model.training
    model.eval()
    names = [n for n, p in model.backbone.named_parameters() if p.requires_grad]
    own = {
        f"backbone.{n}": model.get_parameter(f"backbone.{n}").detach() for n in names
    }

    def loss(parameters, task):
        logits = torch.func.functional_call(model, parameters, (images,))
        return nn.functional.cross_entropy(logits[task], labels[task])

    first, second = (torch.func.grad(loss)(own, task) for task in labels)
    model.train(mode)
    a = torch.cat([first[name].flatten() for name in own])
    b = torch.cat([second[name].flatten() for name in own])
    return torch.dot(F.normalize(a, dim=0), F.normalize(b, dim=0)).clamp(-1, 1).item()


def t10_5_right_unused_allowed(model, images, labels):
    training = model.training
    model.train(False)
    try:
        first, second = labels
        logits = model(images)
        weights = list(filter(lambda p: p.requires_grad, model.backbone.parameters()))
        rows = []
        for task in (first, second):
            loss = nn.CrossEntropyLoss()(logits[task], labels[task])
            grads = torch.autograd.grad(
                loss, weights, retain_graph=task == first, allow_unused=True
            )
            rows.append(
                torch.cat(
                    [
                        torch.zeros(w.numel()) if g is None else g.ravel()
                        for w, g in zip(weights, grads, strict=True)
                    ]
                )
            )
    finally:
        model.train(training)
    rows = torch.stack(rows).double()
    return _cosine(*rows)


def _cosine(a, b):
    return float(a @ b / (a.norm() * b.norm()))


def _vectors(model, images, labels, parameters=None):
    """The gradients of both tasks, in the mode the model is in, without a trace."""
    if parameters is None:
        parameters = [p for p in model.backbone.parameters() if p.requires_grad]
    logits = model(images)
    found = []
    for task, truth in labels.items():
        loss = F.cross_entropy(logits[task], truth)
        grads = torch.autograd.grad(
            loss, parameters, retain_graph=True, allow_unused=True
        )
        pairs = zip(parameters, grads, strict=True)
        grads = [torch.zeros_like(p) if g is None else g for p, g in pairs]
        found.append(torch.cat([g.flatten() for g in grads]))
    return found


@contextlib.contextmanager
def _in_eval(model):
    mode = model.training
    try:
        yield model.eval()
    finally:
        model.train(mode)


def t10_5_wrong_train_mode(model, images, labels):
    mode = model.training
    before = copy.deepcopy(model.state_dict())
    found = _vectors(model.train(), images, labels)
    model.load_state_dict(before)
    model.train(mode)
    return _cosine(*found)


def t10_5_wrong_mode_it_came_in(model, images, labels):
    before = copy.deepcopy(model.state_dict())
    found = _vectors(model, images, labels)
    model.load_state_dict(before)
    return _cosine(*found)


def t10_5_wrong_statistics_moved(model, images, labels):
    mode = model.training
    model.train()
    model(images)
    with _in_eval(model):
        found = _vectors(model, images, labels)
    model.train(mode)
    return _cosine(*found)


def t10_5_wrong_left_in_eval(model, images, labels):
    return _cosine(*_vectors(model.eval(), images, labels))


def t10_5_wrong_left_in_train(model, images, labels):
    found = _vectors(model.eval(), images, labels)
    model.train()
    return _cosine(*found)


def t10_5_wrong_only_the_top_mode_given_back(model, images, labels):
    mode = model.training
    found = _vectors(model.eval(), images, labels)
    model.training = mode
    return _cosine(*found)


def t10_5_wrong_only_the_backbone_in_eval(model, images, labels):
    mode = model.training
    model.backbone.eval()
    found = _vectors(model, images, labels)
    model.train(mode)
    return _cosine(*found)


def t10_5_wrong_only_batchnorm_in_eval(model, images, labels):
    mode = model.training
    for module in model.modules():
        if "BatchNorm" in type(module).__name__:
            module.eval()
    found = _vectors(model, images, labels)
    model.train(mode)
    return _cosine(*found)


def _backward(model, images, labels, clear):
    found = []
    for task, truth in labels.items():
        clear()
        F.cross_entropy(model(images)[task], truth).backward()
        shared = [p for p in model.backbone.parameters() if p.requires_grad]
        found.append(torch.cat([p.grad.flatten() for p in shared]).clone())
    return found


def t10_5_wrong_gradients_left_there(model, images, labels):
    with _in_eval(model):
        return _cosine(*_backward(model, images, labels, model.zero_grad))


def t10_5_wrong_gradients_emptied(model, images, labels):
    with _in_eval(model):
        found = _backward(model, images, labels, model.zero_grad)
    model.zero_grad()
    return _cosine(*found)


def t10_5_wrong_gradients_zeroed(model, images, labels):
    with _in_eval(model):
        found = _backward(model, images, labels, model.zero_grad)
    model.zero_grad(set_to_none=False)
    return _cosine(*found)


def t10_5_wrong_gradients_pile_up(model, images, labels):
    kept = [(p, p.grad) for p in model.parameters()]
    model.zero_grad()
    with _in_eval(model):
        found = _backward(model, images, labels, lambda: None)
    for p, grad in kept:
        p.grad = grad
    return _cosine(*found)


def t10_5_wrong_old_gradients_counted(model, images, labels):
    kept = [None if p.grad is None else p.grad.clone() for p in model.parameters()]

    def put_back():
        for p, grad in zip(model.parameters(), kept, strict=True):
            p.grad = None if grad is None else grad.clone()

    with _in_eval(model):
        found = _backward(model, images, labels, put_back)
    put_back()
    return _cosine(*found)


def t10_5_wrong_kept_but_not_cloned(model, images, labels):
    """What was kept is zeroed in place, and then added to."""
    kept = [(p, p.grad) for p in model.parameters()]
    with _in_eval(model):
        found = _backward(
            model, images, labels, lambda: model.zero_grad(set_to_none=False)
        )
    for p, grad in kept:
        p.grad = grad
    return _cosine(*found)


def t10_5_wrong_only_the_backbones_gradients_given_back(model, images, labels):
    kept = [(p, p.grad) for p in model.backbone.parameters()]
    with _in_eval(model):
        found = _backward(model, images, labels, model.zero_grad)
    for p, grad in kept:
        p.grad = grad
    return _cosine(*found)


def t10_5_wrong_none_becomes_zeros(model, images, labels):
    with _in_eval(model):
        found = _vectors(model, images, labels)
    for p in model.parameters():
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    return _cosine(*found)


def t10_5_wrong_heads_too(model, images, labels):
    with _in_eval(model):
        learn = [p for p in model.parameters() if p.requires_grad]
        return _cosine(*_vectors(model, images, labels, learn))


def t10_5_wrong_frozen_is_an_error(model, images, labels):
    with _in_eval(model):
        everything = list(model.backbone.parameters())
        return _cosine(*_vectors(model, images, labels, everything))


def t10_5_wrong_frozen_counted(model, images, labels):
    learn = [(p, p.requires_grad) for p in model.parameters()]
    model.requires_grad_(True)
    with _in_eval(model):
        found = _vectors(model, images, labels)
    for p, old in learn:
        p.requires_grad_(old)
    return _cosine(*found)


def t10_5_wrong_thawed_for_good(model, images, labels):
    with _in_eval(model):
        found = _vectors(model, images, labels)
    model.requires_grad_(True)
    return _cosine(*found)


def t10_5_wrong_frozen_for_good(model, images, labels):
    with _in_eval(model):
        found = _vectors(model, images, labels)
    model.backbone.requires_grad_(False)
    return _cosine(*found)


def t10_5_wrong_first_parameter_only(model, images, labels):
    with _in_eval(model):
        learn = [p for p in model.backbone.parameters() if p.requires_grad]
        return _cosine(*_vectors(model, images, labels, learn[:1]))


def t10_5_wrong_last_parameter_only(model, images, labels):
    with _in_eval(model):
        learn = [p for p in model.backbone.parameters() if p.requires_grad]
        return _cosine(*_vectors(model, images, labels, learn[-1:]))


def t10_5_wrong_weights_without_biases(model, images, labels):
    with _in_eval(model):
        learn = [p for p in model.backbone.parameters() if p.requires_grad]
        kernels = [p for p in learn if p.dim() > 1]
        return _cosine(*_vectors(model, images, labels, kernels))


def t10_5_wrong_mean_of_cosines(model, images, labels):
    with _in_eval(model):
        learn = [p for p in model.backbone.parameters() if p.requires_grad]
        found = [_cosine(*_vectors(model, images, labels, [p])) for p in learn]
    return sum(found) / len(found)


def t10_5_wrong_norms_of_norms(model, images, labels):
    """The parts of each vector are scaled to length 1 first."""
    with _in_eval(model):
        learn = [p for p in model.backbone.parameters() if p.requires_grad]
        parts = [_vectors(model, images, labels, [p]) for p in learn]
    a, b = zip(*parts, strict=True)
    ones = [torch.cat([F.normalize(g, dim=0) for g in grads]) for grads in (a, b)]
    return _cosine(*ones)


def t10_5_wrong_dot_product(model, images, labels):
    with _in_eval(model):
        a, b = _vectors(model, images, labels)
    return (a @ b).item()


def t10_5_wrong_size_of_the_cosine(model, images, labels):
    with _in_eval(model):
        return abs(_cosine(*_vectors(model, images, labels)))


def t10_5_wrong_conflict_is_positive(model, images, labels):
    with _in_eval(model):
        return -_cosine(*_vectors(model, images, labels))


def t10_5_wrong_distance(model, images, labels):
    with _in_eval(model):
        return 1 - _cosine(*_vectors(model, images, labels))


def t10_5_wrong_angle(model, images, labels):
    with _in_eval(model):
        return math.acos(max(-1, min(1, _cosine(*_vectors(model, images, labels)))))


def t10_5_wrong_correlation(model, images, labels):
    with _in_eval(model):
        a, b = _vectors(model, images, labels)
    return _cosine(a - a.mean(), b - b.mean())


def t10_5_wrong_signs_that_agree(model, images, labels):
    with _in_eval(model):
        a, b = _vectors(model, images, labels)
    return (a.sign() * b.sign()).mean().item()


def t10_5_wrong_first_task_with_itself(model, images, labels):
    with _in_eval(model):
        a, _ = _vectors(model, images, labels)
    return _cosine(a, a)


def t10_5_wrong_first_task_with_the_sum(model, images, labels):
    with _in_eval(model):
        a, b = _vectors(model, images, labels)
    return _cosine(a, a + b)


def t10_5_wrong_gradient_at_the_pictures(model, images, labels):
    images = images.clone().requires_grad_()
    with _in_eval(model):
        return _cosine(*_vectors(model, images, labels, [images]))


def t10_5_wrong_weights_for_gradients(model, images, labels):
    heads = [p for p in model.heads.parameters() if p.dim() > 1]
    return _cosine(heads[0].detach().mean(0), heads[1].detach().mean(0))


def t10_5_wrong_first_picture_only(model, images, labels):
    first = {task: truth[:1] for task, truth in labels.items()}
    with _in_eval(model):
        return _cosine(*_vectors(model, images[:1], first))


def t10_5_wrong_mean_of_each_picture(model, images, labels):
    found = []
    with _in_eval(model):
        for i in range(len(images)):
            one = {task: truth[i : i + 1] for task, truth in labels.items()}
            found.append(_cosine(*_vectors(model, images[i : i + 1], one)))
    return sum(found) / len(found)


def t10_5_right_tensor(model, images, labels):
    with _in_eval(model):
        a, b = _vectors(model, images, labels)
    return F.cosine_similarity(a, b, dim=0)


def t10_5_wrong_a_step_is_made(model, images, labels):
    with _in_eval(model):
        found = _vectors(model, images, labels)
    with torch.no_grad():
        for p in model.parameters():
            p.sub_(1e-3 * p)
    return _cosine(*found)


def t10_5_wrong_rounded(model, images, labels):
    with _in_eval(model):
        return float(round(_cosine(*_vectors(model, images, labels))))


def t10_5_wrong_dict(model, images, labels):
    with _in_eval(model):
        return {" x ".join(labels): _cosine(*_vectors(model, images, labels))}


def t10_5_wrong_no_return(model, images, labels):
    with _in_eval(model):
        _cosine(*_vectors(model, images, labels))


# --- All of them


def _named(start):
    return [f for name, f in list(globals().items()) if name.startswith(start)]


_CODE = ("09.1", "09.2", "09.3", "09.4", "09.7", "10.1", "10.2", "10.3", "10.4", "10.5")

RIGHT: dict[str, list] = {
    task: _named(f"t{task.replace('.', '_')}_right_") for task in _CODE
}
WRONG: dict[str, list] = {
    task: _named(f"t{task.replace('.', '_')}_wrong_") for task in _CODE
}

# 09.5 The T² that was forgotten: 16 a / (1 - a) = 0.7 / 0.3
RIGHT["09.5"] = [0.13, 7 / 55, 0.127, 0.12727, np.float64(0.1273), 0.7 / (0.7 + 4.8)]
WRONG["09.5"] = [
    0.7,
    0.3,
    0.7 / 16,
    0.044,
    0.04,
    11.2 / 11.5,
    0.97,
    0.87,
    7 / 19,
    0.37,
    0.18,
    0.12,
    0.14,
    0.15,
    0.1,
    0.0,
    1.0,
    13,
    12.7,
    -0.13,
    math.nan,
    "a seventh",
    "13%",
    [0.13],
    {"alpha": 0.13},
]

# 09.6 Only the teacher, and a teacher who sees badly
RIGHT["09.6"] = [{"A": "b", "B": "d"}, {"B": "d", "A": "b"}, {"A": "B", "B": "D"}]
WRONG["09.6"] = [
    *({"A": a, "B": "d"} for a in "acd"),
    *({"A": "b", "B": b} for b in "abc"),
    {"A": "a", "B": "a"},
    {"A": "d", "B": "b"},
    {"A": "c", "B": "c"},
    {"A": "b"},
    {"B": "d"},
    {"A": "b", "B": ""},
    {"A": "bc", "B": "d"},
    {"A": ["b"], "B": ["d"]},
    {"A": 2, "B": 4},
    {"A": "e", "B": "d"},
    {},
    "bd",
    ["b", "d"],
    [("A", "b"), ("B", "d")],
]

# 10.6 One model with two heads, or two models?
_BODY = 11_689_512 - (512 * 1000 + 1000)
_HEADS = (512 * 5 + 5) + (512 * 6 + 6)
RIGHT["10.6"] = [
    {"one": _BODY + _HEADS, "two": 2 * _BODY + _HEADS},
    {"two": 22_358_667, "one": 11_182_155},
    {"one": 11_176_512 + 2_565 + 3_078, "two": 11_179_077 + 11_179_590},
]
WRONG["10.6"] = [
    {"one": 11_689_512 + _HEADS, "two": 2 * 11_689_512 + _HEADS},
    {"one": _BODY + _HEADS, "two": 2 * (_BODY + _HEADS)},
    {"one": _BODY + _HEADS, "two": 2 * 11_689_512 + _HEADS},
    {"one": _BODY, "two": 2 * _BODY},
    {"one": _BODY + _HEADS - 11, "two": 2 * _BODY + _HEADS - 11},
    {"one": _BODY + _HEADS, "two": 2 * _BODY + _HEADS - 11},
    {"one": 11_689_512 - 512_000 + _HEADS, "two": 2 * (_BODY + 1000) + _HEADS},
    {"one": _BODY + 512 * 11, "two": 2 * _BODY + 512 * 11},
    {"one": _BODY + 512 * 30 + 30, "two": 2 * _BODY + 512 * 30 + 30},
    {"one": _BODY + 512 * 5 + 5, "two": 2 * _BODY + _HEADS},
    {"one": 2 * _BODY + _HEADS, "two": _BODY + _HEADS},
    {"one": _BODY + _HEADS, "two": _BODY + _HEADS},
    {"one": _BODY + _HEADS, "two": [_BODY + 2_565, _BODY + 3_078]},
    {"one": 11.2e6, "two": 22.4e6},
    {"one": 11.18, "two": 22.36},
    {"one": _BODY + _HEADS + 1, "two": 2 * _BODY + _HEADS},
    {"one": str(_BODY + _HEADS), "two": str(2 * _BODY + _HEADS)},
    {"one": 1000, "two": 2000},
    {"one": _BODY + _HEADS},
    {"two": 2 * _BODY + _HEADS},
    {},
    [_BODY + _HEADS, 2 * _BODY + _HEADS],
    _BODY + _HEADS,
]

# 10.7 What a cosine of -0.4 means
_COSINE = {"A": "b", "B": "d", "C": "a", "D": "f"}
RIGHT["10.7"] = [
    _COSINE,
    dict(reversed(_COSINE.items())),
    {name: letter.upper() for name, letter in _COSINE.items()},
]
WRONG["10.7"] = [
    *({**_COSINE, "A": letter} for letter in "acd"),
    *({**_COSINE, "B": letter} for letter in "abc"),
    *({**_COSINE, "C": letter} for letter in "bcd"),
    *({**_COSINE, "D": letter} for letter in "egh"),
    {**_COSINE, "A": "f", "D": "b"},
    {"A": "d", "B": "d", "C": "c", "D": "e"},
    {"A": "a", "B": "a", "C": "a", "D": "e"},
    {"A": "b", "B": "d", "C": "a"},
    {"D": "f"},
    {**_COSINE, "B": "bd"},
    {**_COSINE, "D": "ef"},
    {**_COSINE, "D": ""},
    {**_COSINE, "C": None},
    {name: [letter] for name, letter in _COSINE.items()},
    {},
    "bdaf",
    ["b", "d", "a", "f"],
]
