"""Answers to the tasks 05.1 to 05.7."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from course_utils.layer_groups import (
    UnfreezeSchedule,
    freeze,
    trainable_parameters,
    unfreeze,
)
from course_utils.training import evaluate, fit, train_one_epoch
from tests.answers import With

SGD = torch.optim.SGD

# --- 05.1 ---------------------------------------------------------------------------


def learning_by_names(model, schedule, epoch):
    woken = [n for start in sorted(schedule) if start <= epoch for n in schedule[start]]
    for name, parameter in model.named_parameters():
        learns = any(name.startswith(f"{stage}.") for stage in woken)
        parameter.requires_grad = learns


def learning_by_set(model, schedule, epoch):
    found = set()
    for begin in range(1, epoch + 1):
        for name in schedule.get(begin, []):
            found |= {id(p) for p in model.get_submodule(name).parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in found)


def learning_per_module(model, schedule, epoch):
    starts = {name: e for e, names in schedule.items() for name in names}
    for parameter in model.parameters():
        parameter.requires_grad = False
    for name, module in model.named_modules():
        if starts.get(name, epoch + 1) <= epoch:
            for parameter in module.parameters():
                parameter.requires_grad = True
    return model


def learning_never_freezes(model, schedule, epoch):
    for start, names in schedule.items():
        if start <= epoch:
            for name in names:
                model.get_submodule(name).requires_grad_(True)


def learning_when_it_wakes(model, schedule, epoch):
    if epoch == 1:
        model.requires_grad_(False)
    for name in schedule.get(epoch, []):
        model.get_submodule(name).requires_grad_(True)


def learning_freezes_named_only(model, schedule, epoch):
    for start, names in schedule.items():
        for name in names:
            model.get_submodule(name).requires_grad_(start <= epoch)


def learning_by_children(model, schedule, epoch):
    woken = {n for start, names in schedule.items() if start <= epoch for n in names}
    for name, child in model.named_children():
        wakes = name in woken or any(w.startswith(f"{name}.") for w in woken)
        child.requires_grad_(wakes)
        for inner, part in child.named_children() if name not in woken else ():
            part.requires_grad_(f"{name}.{inner}" in woken)


def learning_getattr(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        for name in names if start <= epoch else ():
            getattr(model, name).requires_grad_(True)


def learning_eaten(model, schedule, epoch):
    model.requires_grad_(False)
    for start in [s for s in schedule if s <= epoch]:
        for name in schedule.pop(start):
            model.get_submodule(name).requires_grad_(True)


def learning_into_train_mode(model, schedule, epoch):
    learning_by_names(model.train(), schedule, epoch)


def learning_by_course(model, schedule, epoch):
    learning_by_names(model, schedule, epoch)
    model.train()
    for name, module in model.named_modules():
        if name and not any(p.requires_grad for p in module.parameters()):
            module.eval()


def learning_misspelt(model, schedule, epoch):
    woken = [n for start, names in schedule.items() if start <= epoch for n in names]
    for name, parameter in model.named_parameters():
        parameter.require_grad = name.split(".")[0] in woken


def learning_at_entries_only(model, schedule, epoch):
    model.requires_grad_(False)
    for start in range(1, epoch + 1):
        for name in schedule[start]:
            model.get_submodule(name).requires_grad_(True)


def learning_of_layers(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        for name in names if start <= epoch else ():
            model.get_submodule(name).requires_grad = True


def learning_on_a_copy(model, schedule, epoch):
    model = copy.deepcopy(model)
    learning_by_names(model, schedule, epoch)
    return model


def learning_from_the_last_entry(model, schedule, epoch):
    last = max(start for start in schedule if start <= epoch)
    learning_by_names(model, schedule, last)


def learning_one_stage_too_many(model, schedule, epoch):
    learning_by_names(model, schedule, epoch)
    next(iter(model.children())).requires_grad_(True)


def learning_without_batchnorm(model, schedule, epoch):
    learning_by_names(model, schedule, epoch)
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.requires_grad_(False)


def learning_lists_in_a_list(model, schedule, epoch):
    model.requires_grad_(False)
    awake = [names for start, names in schedule.items() if start <= epoch]
    for name in awake:
        model.get_submodule(name).requires_grad_(True)


def learning_compared_with_lists(model, schedule, epoch):
    awake = [names for start, names in schedule.items() if start <= epoch]
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.split(".")[0] in awake


def learning_of_children(model, schedule, epoch):
    woken = {n for start, names in schedule.items() if start <= epoch for n in names}
    for name, child in model.named_children():
        child.requires_grad_(name in woken)


def learning_head_alone(model, schedule, epoch):
    model.requires_grad_(False)
    model.fc.requires_grad_(True)


# --- 05.2 ---------------------------------------------------------------------------


def hold_by_base_class(model, frozen):
    for name, layer in model.named_modules():
        inside = any(name == s or name.startswith(f"{s}.") for s in frozen)
        if inside and isinstance(layer, _BatchNorm):
            layer.train(False)


def hold_by_apply(model, frozen):
    for stage in frozen:
        model.get_submodule(stage).apply(
            lambda m: m.eval() if "BatchNorm" in type(m).__name__ else None
        )
    return model


def hold_and_train(model, frozen):
    model.train()
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if type(layer).__name__.startswith("BatchNorm"):
                layer.training = False


def hold_by_requires_grad(model, frozen):
    for stage in frozen:
        model.get_submodule(stage).requires_grad_(False)


def hold_what_has_no_gradient(model, frozen):
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            if not any(p.requires_grad for p in layer.parameters()):
                layer.eval()


def hold_whole_stages(model, frozen):
    for stage in frozen:
        model.get_submodule(stage).eval()


def hold_everything(model, frozen):
    model.eval()


def hold_2d_only(model, frozen):
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()


def hold_children(model, frozen):
    for stage in frozen:
        part = model.get_submodule(stage)
        for layer in [part, *part.children()]:
            if isinstance(layer, _BatchNorm):
                layer.eval()


def hold_without_tracking(model, frozen):
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if isinstance(layer, _BatchNorm):
                layer.track_running_stats = False


def hold_without_tracking_in_eval(model, frozen):
    hold_without_tracking(model, frozen)
    hold_by_base_class(model, frozen)


def hold_by_momentum(model, frozen):
    hold_by_base_class(model, frozen)
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if isinstance(layer, _BatchNorm):
                layer.momentum = 0.0


def hold_norms_of_all_kinds(model, frozen):
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if "Norm" in type(layer).__name__:
                layer.eval()


def hold_and_dropout(model, frozen):
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if isinstance(layer, (_BatchNorm, nn.Dropout, nn.Dropout2d)):
                layer.eval()


def hold_and_freeze(model, frozen):
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.requires_grad_(False)


def hold_and_freeze_batchnorm(model, frozen):
    hold_by_base_class(model, frozen)
    for layer in model.modules():
        if isinstance(layer, _BatchNorm) and not layer.training:
            layer.requires_grad_(False)


def hold_by_top_name(model, frozen):
    for name, _ in model.named_children():
        if name in frozen:
            hold_by_base_class(model, [name])


def hold_what_has_statistics(model, frozen):
    for stage in frozen:
        for layer in model.get_submodule(stage).modules():
            if hasattr(layer, "running_mean"):
                layer.eval()


def hold_by_removal(model, frozen):
    for stage in frozen:
        for parent in list(model.get_submodule(stage).modules()):
            for name, layer in list(parent.named_children()):
                if isinstance(layer, _BatchNorm):
                    setattr(parent, name, nn.Identity())


def hold_then_train(model, frozen):
    hold_by_base_class(model, frozen)
    model.train()


def hold_by_weight(model, frozen):
    for layer in model.modules():
        if isinstance(layer, _BatchNorm) and not layer.weight.requires_grad:
            layer.eval()


def hold_by_freeze(model, frozen):
    freeze(model, stages=frozen)


def hold_on_a_copy(model, frozen):
    twin = copy.deepcopy(model)
    hold_by_base_class(twin, frozen)
    return twin


def hold_one_more(model, frozen):
    hold_by_base_class(model, frozen)
    [layer for layer in model.modules() if isinstance(layer, _BatchNorm)][-1].eval()


def hold_and_reset(model, frozen):
    hold_by_base_class(model, frozen)
    for stage in frozen:
        for m in model.get_submodule(stage).modules():
            if isinstance(m, _BatchNorm):
                m.reset_running_stats()


def hold_and_zero(model, frozen):
    hold_by_base_class(model, frozen)
    for m in model.modules():
        if isinstance(m, _BatchNorm) and not m.training:
            m.running_mean.zero_()


def hold_without_brackets(model, frozen):
    for stage in frozen:
        for m in model.get_submodule(stage).modules():
            if isinstance(m, _BatchNorm):
                m.eval  # noqa: B018


def hold_momentum_alone(model, frozen):
    for stage in frozen:
        for m in model.get_submodule(stage).modules():
            if isinstance(m, _BatchNorm):
                m.momentum = 0.0


def hold_getattr(model, frozen):
    for stage in frozen:
        for layer in getattr(model, stage).modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()


def hold_by_a_name_within(model, frozen):
    for name, layer in model.named_modules():
        if isinstance(layer, _BatchNorm) and any(stage in name for stage in frozen):
            layer.eval()


# --- 05.3 ---------------------------------------------------------------------------


def _known(optimizer):
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def wake_with_list(optimizer, parameters, lr):
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad_(True)
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    if len(missing) > 0:
        optimizer.add_param_group(dict(params=missing, lr=lr))


def wake_with_sets(optimizer, parameters, lr):
    wanted = dict.fromkeys(parameters)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter in wanted:
                parameter.requires_grad = True
                del wanted[parameter]
    for parameter in wanted:
        parameter.requires_grad = True
    if wanted:
        optimizer.add_param_group({"lr": lr, "params": list(wanted)})
    return optimizer


def wake_by_identity(optimizer, parameters, lr):
    new = []
    for parameter in parameters:
        parameter.requires_grad_()
        there = any(
            parameter is known
            for group in optimizer.param_groups
            for known in group["params"]
        )
        new += [] if there else [parameter]
    if new:
        options = {**optimizer.defaults, "params": new, "lr": lr}
        optimizer.add_param_group(options)


def wake_new_optimizer(optimizer, parameters, lr):
    parameters = [p for p in parameters if id(p) not in _known(optimizer)]
    for parameter in parameters:
        parameter.requires_grad = True
    groups = [*optimizer.param_groups, {"params": parameters, "lr": lr}]
    return type(optimizer)([{"params": g["params"], "lr": g["lr"]} for g in groups])


def wake_local_optimizer(optimizer, parameters, lr):
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    optimizer = torch.optim.SGD(parameters, lr=lr)  # noqa: F841


def wake_initialised_again(optimizer, parameters, lr):
    wake_with_list(optimizer, parameters, lr)
    optimizer.state.clear()


def wake_adds_all(optimizer, parameters, lr):
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    optimizer.add_param_group({"params": parameters, "lr": lr})


def wake_in_the_list(optimizer, parameters, lr):
    known = [p for group in optimizer.param_groups for p in group["params"]]
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    missing = [p for p in parameters if p not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def wake_first_group_only(optimizer, parameters, lr):
    known = {id(p) for p in optimizer.param_groups[0]["params"]}
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    missing = [p for p in parameters if id(p) not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def wake_sleeping(optimizer, parameters, lr):
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def wake_exhausted(optimizer, parameters, lr):
    for parameter in parameters:
        parameter.requires_grad = True
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def wake_exhausted_last(optimizer, parameters, lr):
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})
    for parameter in parameters:
        parameter.requires_grad = True


def wake_all_rates(optimizer, parameters, lr):
    wake_with_list(optimizer, parameters, lr)
    for group in optimizer.param_groups:
        group["lr"] = lr


def wake_later_rates(optimizer, parameters, lr):
    wake_with_list(optimizer, parameters, lr)
    for group in optimizer.param_groups[1:]:
        group["lr"] = lr


def wake_without_rate(optimizer, parameters, lr):
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    if missing:
        optimizer.add_param_group({"params": missing})


def wake_one_by_one(optimizer, parameters, lr):
    for parameter in parameters:
        wake_with_list(optimizer, [parameter], lr)


def wake_empty_groups(optimizer, parameters, lr):
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    optimizer.add_param_group({"params": missing, "lr": lr})


def wake_extends_a_group(optimizer, parameters, lr):
    for parameter in parameters:
        parameter.requires_grad = True
        if id(parameter) not in _known(optimizer):
            optimizer.param_groups[-1]["params"].append(parameter)


def wake_only_grad(optimizer, parameters, lr):
    for parameter in parameters:
        parameter.requires_grad = True


def wake_weights_only(optimizer, parameters, lr):
    wake_with_list(optimizer, [p for p in parameters if p.ndim > 1], lr)


def wake_other_options(optimizer, parameters, lr):
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    if missing:
        group = {"params": missing, "lr": lr, "weight_decay": 0.5}
        optimizer.add_param_group(group)


def wake_like_the_head(optimizer, parameters, lr):
    parameters = [p.requires_grad_() for p in parameters]
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    if missing:
        group = {**optimizer.param_groups[0], "params": missing, "lr": lr}
        optimizer.add_param_group(group)


def wake_by_default(optimizer, parameters, lr):
    parameters = [p.requires_grad_() for p in parameters]
    missing = [p for p in parameters if id(p) not in _known(optimizer)]
    optimizer.defaults["lr"] = lr
    if missing:
        optimizer.add_param_group({"params": missing})


def wake_what_is_frozen(optimizer, parameters, lr):
    frozen = [p for p in parameters if not p.requires_grad]
    if missing := [p for p in frozen if id(p) not in _known(optimizer)]:
        optimizer.add_param_group({"params": missing, "lr": lr})
    for parameter in frozen:
        parameter.requires_grad = True


def wake_with_a_step(optimizer, parameters, lr):
    wake_with_list(optimizer, parameters, lr)
    optimizer.step()


def wake_drops_groups(optimizer, parameters, lr):
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad = True
    optimizer.param_groups.clear()
    optimizer.add_param_group({"params": parameters, "lr": lr})


def wake_sum_of_groups(optimizer, parameters, lr):
    known = sum((group["params"] for group in optimizer.param_groups), [])
    missing = [p for p in parameters if not any(p is k for k in known)]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})
    for parameter in missing[:1]:
        parameter.requires_grad = True


def wake_moves_all(optimizer, parameters, lr):
    parameters = [p.requires_grad_() for p in parameters]
    ids = {id(p) for p in parameters}
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in ids]
    optimizer.add_param_group({"params": parameters, "lr": lr})


def wake_stops_the_others(optimizer, parameters, lr):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.requires_grad = False
    wake_with_list(optimizer, parameters, lr)


def wake_by_state(optimizer, parameters, lr):
    parameters = [p.requires_grad_() for p in parameters]
    if missing := [p for p in parameters if p not in optimizer.state]:
        optimizer.add_param_group({"params": missing, "lr": lr})


def wake_by_number(optimizer, parameters, lr):
    parameters = [p.requires_grad_() for p in parameters]
    if len(parameters) != len(_known(optimizer)):
        optimizer.add_param_group({"params": parameters, "lr": lr})


def wake_by_the_groups_number(optimizer, parameters, lr):
    parameters = [p.requires_grad_() for p in parameters]
    if len(optimizer.param_groups) == 1:
        optimizer.add_param_group({"params": parameters, "lr": lr})


# --- 05.4 ---------------------------------------------------------------------------


def _sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


def _train(model, train, val, schedule, epochs, lr):
    plan = UnfreezeSchedule(schedule)
    optimizer = _sgd(model.parameters(), lr)
    return fit(
        model, train, val, optimizer=optimizer, epochs=epochs, callbacks=[plan]
    )  # fmt: skip


def _picture(history, schedule, *, first=2, beyond=False, shift=0):
    _, ax = plt.subplots()
    ax.plot(history["epoch"], history["train_accuracy"], label="train")
    ax.plot(history["epoch"], history["val_accuracy"], label="val")
    for epoch in schedule:
        if first <= epoch and (beyond or epoch <= len(history)):
            ax.axvline(epoch + shift, color="grey")
    ax.set(title="Gradual unfreezing", xlabel="epoch", ylabel="accuracy")
    ax.legend()
    return ax


def gradually_pandas(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    columns = ["train_accuracy", "val_accuracy"]
    ax = history.plot(x="epoch", y=columns, title="Stages wake", ylabel="share right")
    marks = [e for e in schedule if 2 <= e <= epochs]
    ax.vlines(marks, 0, 1, linestyles="dotted")
    plt.show()
    return history, ax


def gradually_by_hand(model, train, val, schedule, epochs, lr):
    optimizer, rows = _sgd(model.parameters(), lr), []
    for epoch in range(1, epochs + 1):
        UnfreezeSchedule(schedule).apply(model, epoch)
        seen = train_one_epoch(model, train, optimizer)
        row = {"epoch": epoch, "train_accuracy": seen["accuracy"]}
        rows.append({**row, "val_accuracy": evaluate(model, val)["accuracy"]})
    history = pd.DataFrame(rows)
    figure = plt.figure()
    figure.suptitle("Gradually")
    plt.plot(history["epoch"], 100 * history["train_accuracy"], "o-")
    plt.plot(history["epoch"], 100 * history["val_accuracy"], "s-")
    plt.legend(["train", "val"])
    plt.xlabel("epoch")
    plt.ylabel("accuracy (%)")
    for epoch in sorted(schedule):
        if epoch != 1 and epoch <= epochs:
            plt.plot([epoch, epoch], [0, 100], "k:")
    return history, plt.gca()


def gradually_add_group(model, train, val, schedule, epochs, lr):
    optimizer, history = _sgd(model.fc.parameters(), lr), None
    for epoch in range(1, epochs + 1):
        UnfreezeSchedule(schedule).apply(model, epoch)
        wake_with_list(optimizer, trainable_parameters(model), lr)
        history = fit(
            model, train, val, optimizer=optimizer, epochs=epoch, history=history
        )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_head_only_in_optimizer(model, train, val, schedule, epochs, lr):
    freeze(model)
    optimizer, plan = _sgd(trainable_parameters(model), lr), UnfreezeSchedule(schedule)
    history = fit(
        model, train, val, optimizer=optimizer, epochs=epochs, callbacks=[plan]
    )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_all_at_once(model, train, val, schedule, epochs, lr):
    optimizer = _sgd(model.parameters(), lr)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs)
    return history, _picture(history, schedule)


def gradually_head_forever(model, train, val, schedule, epochs, lr):
    return gradually_add_nothing(model, train, val, {1: ["fc"]}, epochs, lr, schedule)


def gradually_add_nothing(model, train, val, plan, epochs, lr, schedule):
    history = _train(model, train, val, plan, epochs, lr)
    return history, _picture(history, schedule)


def gradually_shifted(model, train, val, schedule, epochs, lr):
    plan = {max(1, epoch - 1): names for epoch, names in schedule.items()}
    plan[1] = [n for e, names in schedule.items() if e <= 2 for n in names]
    return gradually_add_nothing(model, train, val, plan, epochs, lr, schedule)


def gradually_late(model, train, val, schedule, epochs, lr):
    plan = {epoch + (epoch > 1): names for epoch, names in schedule.items()}
    return gradually_add_nothing(model, train, val, plan, epochs, lr, schedule)


def gradually_drifting(model, train, val, schedule, epochs, lr):
    class Plan(UnfreezeSchedule):
        def on_epoch_start(self, state):
            learning_by_names(state.model, self, state.epoch)

    optimizer = _sgd(model.parameters(), lr)
    history = fit(
        model, train, val, optimizer=optimizer, epochs=epochs, callbacks=[Plan(schedule)]
    )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_restarted(model, train, val, schedule, epochs, lr):
    history = None
    for epoch in range(1, epochs + 1):
        UnfreezeSchedule(schedule).apply(model, epoch)
        if epoch in schedule:
            optimizer = _sgd(trainable_parameters(model), lr)
        history = fit(
            model, train, val, optimizer=optimizer, epochs=epoch, history=history
        )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_adam(model, train, val, schedule, epochs, lr):
    optimizer, plan = (
        torch.optim.Adam(model.parameters(), lr),
        UnfreezeSchedule(schedule),
    )
    history = fit(
        model, train, val, optimizer=optimizer, epochs=epochs, callbacks=[plan]
    )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_without_momentum(model, train, val, schedule, epochs, lr):
    optimizer, plan = SGD(model.parameters(), lr), UnfreezeSchedule(schedule)
    history = fit(
        model, train, val, optimizer=optimizer, epochs=epochs, callbacks=[plan]
    )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_with_slight_decay(model, train, val, schedule, epochs, lr):
    optimizer = SGD(model.parameters(), lr, momentum=0.9, weight_decay=1e-4)
    plan = UnfreezeSchedule(schedule)
    history = fit(
        model, train, val, optimizer=optimizer, epochs=epochs, callbacks=[plan]
    )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_one_epoch_more(model, train, val, schedule, epochs, lr):
    return gradually_all_well(model, train, val, schedule, epochs + 1, lr)


def gradually_all_well(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history, _picture(history, schedule)


def gradually_without_val(model, train, val, schedule, epochs, lr):
    history = _train(model, train, None, schedule, epochs, lr)
    return history, None


def gradually_val_is_train(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    history["val_accuracy"] = history["train_accuracy"]
    return history, _picture(history, schedule)


def gradually_last_row(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history.tail(1), _picture(history, schedule)


def gradually_list(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history.to_dict("records"), _picture(history, schedule)


def gradually_history_only(model, train, val, schedule, epochs, lr):
    return _train(model, train, val, schedule, epochs, lr)


def gradually_figure(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    return history, ax.figure


def gradually_nothing(model, train, val, schedule, epochs, lr):
    gradually_all_well(model, train, val, schedule, epochs, lr)


def gradually_no_train_curve(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    ax.get_lines()[0].remove()
    return history, ax


def gradually_losses(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    for line, name in zip(ax.get_lines(), ("train_loss", "val_loss"), strict=False):
        line.set_ydata(history[name])
    return history, ax


def gradually_from_zero(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    for line in ax.get_lines()[:2]:
        line.set_xdata(range(epochs))
    return history, ax


def gradually_swapped_labels(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    ax.get_lines()[0].set_label("val")
    ax.get_lines()[1].set_label("train")
    ax.legend()
    return history, ax


def gradually_swapped_legend(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    ax.legend(ax.get_lines()[:2], ["val", "train"])
    return history, ax


def gradually_no_legend(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    ax.get_legend().remove()
    return history, ax


def gradually_no_marks(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history, _picture(history, {})


def gradually_mark_at_start(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history, _picture(history, schedule, first=1)


def gradually_mark_beyond(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history, _picture(history, schedule, beyond=True)


def gradually_marks_shifted(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history, _picture(history, schedule, shift=-1)


def gradually_one_mark(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history, _picture(history, {max(e for e in schedule if e <= epochs): []})


def gradually_horizontal(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    ax = _picture(history, {})
    ax.axhline(0.5)
    return history, ax


def gradually_no_title(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    ax.set_title("")
    return history, ax


def gradually_no_labels(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    ax.set_ylabel(" ")
    return history, ax


def gradually_schedule_changed(model, train, val, schedule, epochs, lr):
    result = gradually_all_well(model, train, val, schedule, epochs, lr)
    schedule.pop(1)
    return result


def gradually_as_a_list(model, train, val, schedule, epochs, lr):
    return list(gradually_all_well(model, train, val, schedule, epochs, lr))


def gradually_rounded(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    history["epoch"] = np.arange(1.0, epochs + 1)
    return history.round(3), ax


def gradually_three(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    return history, ax, model


def gradually_dict_as_callback(model, train, val, schedule, epochs, lr):
    optimizer = _sgd(model.parameters(), lr)
    history = fit(
        model, train, val, optimizer=optimizer, epochs=epochs, callbacks=[schedule]
    )  # fmt: skip
    return history, _picture(history, schedule)


def gradually_from_epoch_zero(model, train, val, schedule, epochs, lr):
    optimizer = _sgd(model.parameters(), lr)
    for epoch in range(epochs):
        UnfreezeSchedule(schedule).apply(model, epoch)
        train_one_epoch(model, train, optimizer)


def gradually_other_columns(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    plt.plot(history["epoch"], history["accuracy"])


def gradually_an_entry_each_epoch(model, train, val, schedule, epochs, lr):
    optimizer = _sgd(model.parameters(), lr)
    for epoch in range(1, epochs + 1):
        for name in schedule[epoch]:
            model.get_submodule(name).requires_grad_(True)
        train_one_epoch(model, train, optimizer)


def gradually_two_passes(model, train, val, schedule, epochs, lr):
    return gradually_all_well(model, train, train, schedule, epochs, lr)


def gradually_loaders_swapped(model, train, val, schedule, epochs, lr):
    return gradually_all_well(model, val, train, schedule, epochs, lr)


def gradually_on_a_copy(model, train, val, schedule, epochs, lr):
    return gradually_all_well(copy.deepcopy(model), train, val, schedule, epochs, lr)


def gradually_one_epoch_each(model, train, val, schedule, epochs, lr):
    optimizer, plan = _sgd(model.parameters(), lr), UnfreezeSchedule(schedule)
    parts = [
        fit(model, train, val, optimizer=optimizer, epochs=1, callbacks=[plan])
        for _ in range(epochs)
    ]
    history = pd.concat(parts, ignore_index=True).assign(epoch=range(1, epochs + 1))
    return history, _picture(history, schedule)


def gradually_never_in_the_optimizer(model, train, val, schedule, epochs, lr):
    optimizer, rows = _sgd(model.fc.parameters(), lr), []
    for epoch in range(1, epochs + 1):
        UnfreezeSchedule(schedule).apply(model, epoch)
        seen = train_one_epoch(model, train, optimizer)
        row = {"epoch": epoch, "train_accuracy": seen["accuracy"]}
        rows.append({**row, "val_accuracy": evaluate(model, val)["accuracy"]})
    history = pd.DataFrame(rows)
    return history, _picture(history, schedule)


def gradually_all_held(model, train, val, schedule, epochs, lr):
    norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    for layer in norms:
        layer.register_forward_pre_hook(lambda layer, _: layer.eval() and None)
    return gradually_all_well(model, train, val, schedule, epochs, lr)


def gradually_new_each_epoch(model, train, val, schedule, epochs, lr):
    history, plan = None, UnfreezeSchedule(schedule)
    for epoch in range(1, epochs + 1):
        run = {"optimizer": _sgd(model.parameters(), lr), "callbacks": [plan]}
        history = fit(model, train, val, epochs=epoch, history=history, **run)
    return history, _picture(history, schedule)


def gradually_epochs_from_zero(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    return history.assign(epoch=history["epoch"] - 1), ax


def gradually_in_per_cent(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    return history.assign(val_accuracy=100 * history["val_accuracy"]), ax


def gradually_over_losses(model, train, val, schedule, epochs, lr):
    history, ax = gradually_all_well(model, train, val, schedule, epochs, lr)
    for line in ax.get_lines()[:2]:
        line.set_xdata(history["train_loss"])
    return history, ax


def gradually_marked_in_every_epoch(model, train, val, schedule, epochs, lr):
    history = _train(model, train, val, schedule, epochs, lr)
    return history, _picture(history, range(2, epochs + 1))


def gradually_pyplot(*how):
    history, _ = gradually_all_well(*how)
    return history, plt


def gradually_figure_first(*how):
    _, ax = gradually_all_well(*how)
    return ax.figure, ax


def gradually_swapped(*how):
    return gradually_all_well(*how)[::-1]


def gradually_adamw(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    plan = [UnfreezeSchedule(schedule)]
    how = {"optimizer": optimizer, "epochs": epochs, "callbacks": plan}
    history = fit(model, train, val, **how)
    return history, history.plot(x="epoch", y=["train_accuracy", "val_accuracy"])


# --- 05.5 ---------------------------------------------------------------------------


def _epochs(model, loader, optimizer, count):
    for _ in range(count):
        train_one_epoch(model, loader, optimizer)


def lp_ft_fit(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    for epochs, lr, prepare in (
        (probe_epochs, probe_lr, freeze),
        (tune_epochs, tune_lr, unfreeze),
    ):
        prepare(model)
        if epochs:
            optimizer = _sgd(model.parameters(), lr)
            fit(model, loader, None, optimizer=optimizer, epochs=epochs)
    return model


def lp_ft_by_hand(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    def run(parameters, epochs, lr, training):
        model.requires_grad_(False)
        parameters = list(parameters)
        for parameter in parameters:
            parameter.requires_grad = True
        optimizer = _sgd(parameters, lr)
        model.train(training)
        for _ in range(epochs):
            for images, labels in loader:
                loss = nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    run(model.fc.parameters(), probe_epochs, probe_lr, False)
    run(model.parameters(), tune_epochs, tune_lr, True)


def lp_ft_schedule(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    UnfreezeSchedule({1: ["fc"]}).apply(model, 1)
    _epochs(model, loader, _sgd(trainable_parameters(model), probe_lr), probe_epochs)
    model.requires_grad_(True)
    unfreeze(model)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_head_in_optimizer_only(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.requires_grad_(True)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    unfreeze(model)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_without_probe(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    unfreeze(model)
    optimizer = _sgd(model.parameters(), probe_lr)
    _epochs(model, loader, optimizer, probe_epochs)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_no_thaw(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_head_optimizer_again(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    freeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    unfreeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), tune_lr), tune_epochs)


def lp_ft_backbone_only(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    unfreeze(model)
    body = [p for n, p in model.named_parameters() if not n.startswith("fc.")]
    _epochs(model, loader, _sgd(body, tune_lr), tune_epochs)


def lp_ft_same_optimizer(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    optimizer = _sgd(model.parameters(), probe_lr)
    _epochs(model, loader, optimizer, probe_epochs)
    unfreeze(model)
    optimizer.param_groups[0]["lr"] = tune_lr
    _epochs(model, loader, optimizer, tune_epochs)


def lp_ft_epochs_swapped(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    lp_ft_fit(model, loader, tune_epochs, probe_epochs, probe_lr, tune_lr)


def lp_ft_at_least_once(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    lp_ft_fit(model, loader, probe_epochs, max(tune_epochs, 1), probe_lr, tune_lr)


def lp_ft_fit_with_zero(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    optimizer = _sgd(model.parameters(), probe_lr)
    fit(model, loader, None, optimizer=optimizer, epochs=probe_epochs)
    unfreeze(model)
    optimizer = _sgd(model.parameters(), tune_lr)
    fit(model, loader, None, optimizer=optimizer, epochs=tune_epochs)


def lp_ft_head_asleep(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    if model.fc.weight.requires_grad:
        lp_ft_fit(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr)
        return
    freeze(model)
    images, _ = next(iter(loader))
    for _ in range(probe_epochs - 1):
        for images, _ in loader:
            model(images)
    unfreeze(model)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_head_reset(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    begun = copy.deepcopy(model.fc.state_dict())
    freeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    model.fc.load_state_dict(begun)
    unfreeze(model)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_batchnorm_asleep(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    model.requires_grad_(True)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_drifting(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    model.requires_grad_(True)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_adam(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    head = torch.optim.Adam(model.fc.parameters(), probe_lr)
    _epochs(model, loader, head, probe_epochs)
    unfreeze(model)
    _epochs(model, loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_tuned_with_adam(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    unfreeze(model)
    everything = torch.optim.Adam(model.parameters(), tune_lr)
    _epochs(model, loader, everything, tune_epochs)


def lp_ft_tuned_with_slight_decay(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    freeze(model)
    _epochs(model, loader, _sgd(model.fc.parameters(), probe_lr), probe_epochs)
    unfreeze(model)
    everything = SGD(model.parameters(), tune_lr, momentum=0.9, weight_decay=1e-4)
    _epochs(model, loader, everything, tune_epochs)


def lp_ft_on_a_copy(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    twin = copy.deepcopy(model)
    lp_ft_fit(twin, loader, probe_epochs, tune_epochs, probe_lr, tune_lr)
    return twin


def _by_hand(model, parameters, loader, epochs, optimizer, loss_of, zero=True):
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad = True
    for _ in range(epochs):
        for images, labels in loader:
            if zero:
                optimizer.zero_grad()
            loss_of(model(images), labels).backward()
            optimizer.step()


def _probe_by_hand(loss_of=nn.functional.cross_entropy, zero=True):
    def lp_ft(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
        head, everything = list(model.fc.parameters()), list(model.parameters())
        optimizer = _sgd(head, probe_lr)
        _by_hand(model.eval(), head, loader, probe_epochs, optimizer, loss_of, zero)
        optimizer = _sgd(everything, tune_lr)
        _by_hand(model.train(), everything, loader, tune_epochs, optimizer, loss_of)

    return lp_ft


lp_ft_loss_of_class = _probe_by_hand(nn.CrossEntropyLoss())
lp_ft_nll = _probe_by_hand(
    lambda logits, labels: nn.functional.nll_loss(logits.log_softmax(1), labels)
)
lp_ft_smoothed = _probe_by_hand(nn.CrossEntropyLoss(label_smoothing=0.1))


def lp_ft_head_may_be_frozen(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.eval()
    optimizer = _sgd(model.fc.parameters(), probe_lr)
    for _ in range(probe_epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    unfreeze(model)
    _epochs(model.train(), loader, _sgd(model.parameters(), tune_lr), tune_epochs)


def lp_ft_without_momentum(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    freeze(model)
    _epochs(model, loader, SGD(model.fc.parameters(), probe_lr), probe_epochs)
    unfreeze(model)
    _epochs(model, loader, SGD(model.parameters(), tune_lr), tune_epochs)


def lp_ft_without_step(model, loader, probe_epochs, tune_epochs, *lrs):
    freeze(model)
    for _ in range(probe_epochs):
        for images, labels in loader:
            nn.functional.cross_entropy(model(images), labels).backward()
    unfreeze(model)
    for _ in range(tune_epochs):
        for images, labels in loader:
            nn.functional.cross_entropy(model(images), labels).backward()


def _steps(by_epoch):
    """LP-FT with other epochs: by_epoch(model, loader, optimizer)."""

    def lp_ft(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
        freeze(model)
        optimizer = _sgd(model.eval().fc.parameters(), probe_lr)
        for _ in range(probe_epochs):
            by_epoch(model, loader, optimizer)
        unfreeze(model)
        optimizer = _sgd(model.train().parameters(), tune_lr)
        for _ in range(tune_epochs):
            by_epoch(model, loader, optimizer)

    return lp_ft


def _first_batch(model, loader, optimizer):
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        break


def _step_behind_the_loop(model, loader, optimizer):
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()


def _one_sum(model, loader, optimizer):
    losses = [nn.functional.cross_entropy(model(x), labels) for x, labels in loader]
    optimizer.zero_grad()
    sum(losses).backward()
    optimizer.step()


lp_ft_first_batch = _steps(_first_batch)
lp_ft_step_behind_the_loop = _steps(_step_behind_the_loop)
lp_ft_one_sum = _steps(_one_sum)

RIGHT = {
    "05.1": [learning_by_names, learning_by_set, learning_per_module],
    "05.2": [hold_by_base_class, hold_by_apply, hold_and_train],
    "05.3": [wake_with_list, wake_with_sets, wake_by_identity],
    "05.4": [
        gradually_pandas,
        gradually_by_hand,
        gradually_add_group,
        gradually_all_well,
        gradually_as_a_list,
        gradually_rounded,
    ],
    "05.5": [
        lp_ft_fit,
        lp_ft_by_hand,
        lp_ft_schedule,
        lp_ft_loss_of_class,
        lp_ft_nll,
    ],
    "05.6": [
        {"A": "a", "B": "b", "C": "c"},
        {"C": "C", "B": "B", "A": "A"},
        {"a": "a", "b": "b", "c": "c"},
        {"A": " a", "B": "b ", "C": "c\n"},
        {"A": "a)", "B": "(b)", "C": "c."},
    ],
    "05.7": ["bcf", "FCB", "b, c, f", With("bcf", moved="bcf")],
}
WRONG = {
    "05.1": [
        (learning_lists_in_a_list, "list-in-list"),
        (learning_compared_with_lists, "list-in-list"),
        (learning_of_children, "dotted"),
        (learning_head_alone, "own-only"),
        (learning_never_freezes, "all"),
        (learning_when_it_wakes, "all"),
        (learning_freezes_named_only, "all"),
        (learning_one_stage_too_many, "not-frozen"),
        (learning_without_batchnorm, "value"),
        (learning_at_entries_only, "no-entry"),
        (learning_from_the_last_entry, "before-the-first"),
        (learning_of_layers, "made-up"),
        (learning_on_a_copy, "copy"),
        (learning_by_children, "loose"),
        (learning_getattr, "dotted"),
        (learning_eaten, "mutated"),
        (learning_by_course, "changed-mode"),
        (learning_into_train_mode, "changed-mode"),
        (learning_misspelt, "made-up"),
    ],
    "05.2": [
        (hold_by_requires_grad, "train"),
        (hold_one_more, "learning-eval"),
        (hold_getattr, "dotted"),
        (hold_by_a_name_within, "prefix"),
        (hold_by_weight, "no-weight"),
        (hold_by_freeze, "course-freeze"),
        (hold_on_a_copy, "copy"),
        (hold_what_has_no_gradient, "by-gradient"),
        (hold_whole_stages, "others"),
        (hold_everything, "every"),
        (hold_2d_only, "kinds"),
        (hold_children, "nested"),
        (hold_without_tracking, "settings"),
        (hold_momentum_alone, "settings"),
        (hold_and_reset, "changed-statistics"),
        (hold_and_zero, "changed-statistics"),
        (hold_without_brackets, "train"),
        (hold_without_tracking_in_eval, "settings"),
        (hold_by_momentum, "settings"),
        (hold_norms_of_all_kinds, "others"),
        (hold_and_dropout, "others"),
        (hold_and_freeze, "changed-requires_grad"),
        (hold_and_freeze_batchnorm, "changed-requires_grad"),
        (hold_by_top_name, "dotted"),
        (hold_what_has_statistics, "others"),
        (hold_by_removal, "removed"),
        (hold_then_train, "train"),
    ],
    "05.3": [
        (wake_new_optimizer, "new-optimizer"),
        (wake_local_optimizer, "nothing-added"),
        (wake_initialised_again, "state-lost"),
        (wake_adds_all, "twice"),
        (wake_in_the_list, "compared"),
        (wake_first_group_only, "twice"),
        (wake_sleeping, "asleep"),
        (wake_exhausted, "nothing-added"),
        (wake_exhausted_last, "asleep"),
        (wake_all_rates, "head-lr"),
        (wake_later_rates, "lr"),
        (wake_without_rate, "lr"),
        (wake_one_by_one, "many-groups"),
        (wake_empty_groups, "empty-group"),
        (wake_extends_a_group, "old-group"),
        (wake_only_grad, "nothing-added"),
        (wake_weights_only, "part"),
        (wake_other_options, "options"),
        (wake_like_the_head, "options"),
        (wake_by_default, "defaults"),
        (wake_what_is_frozen, "frozen-only"),
        (wake_with_a_step, "weights"),
        (wake_moves_all, "moved"),
        (wake_stops_the_others, "stopped"),
        (wake_by_state, "twice"),
        (wake_by_number, "nothing-added"),
        (wake_by_the_groups_number, "all-or-none"),
        (wake_drops_groups, "lost"),
        (wake_sum_of_groups, "asleep"),
    ],
    "05.4": [
        (gradually_head_only_in_optimizer, "lacking"),  # fit itself refuses it
        (gradually_dict_as_callback, "callback"),
        (gradually_from_epoch_zero, "epoch-zero"),
        (gradually_other_columns, "no-column"),
        (gradually_an_entry_each_epoch, "no-entry"),
        (gradually_three, "pair"),
        (gradually_two_passes, "two-passes"),
        (gradually_loaders_swapped, "loaders"),
        (gradually_on_a_copy, "copy"),
        (gradually_one_epoch_each, "stood-still"),
        (gradually_all_at_once, "too-early"),
        (gradually_head_forever, "stood-still"),
        (gradually_never_in_the_optimizer, "not-in-optimiser"),
        (gradually_all_held, "held"),
        (gradually_shifted, "too-early"),
        (gradually_late, "late"),
        (gradually_drifting, "batchnorm"),
        (gradually_restarted, "restarted"),
        (gradually_new_each_epoch, "restarted"),
        (gradually_adam, "adam"),
        (gradually_without_momentum, "no-momentum"),
        (gradually_with_slight_decay, "other-training"),
        (gradually_one_epoch_more, "epochs"),
        (gradually_without_val, "columns"),
        (gradually_val_is_train, "history"),
        (gradually_in_per_cent, "history"),
        (gradually_epochs_from_zero, "epoch-numbers"),
        (gradually_last_row, "rows"),
        (gradually_list, "type"),
        (gradually_history_only, "type"),
        (gradually_figure, "figure"),
        (gradually_figure_first, "figure"),
        (gradually_pyplot, "pyplot"),
        (gradually_swapped, "swapped"),
        (gradually_adamw, "adam"),
        (gradually_nothing, "none"),
        (gradually_no_train_curve, "curves"),
        (gradually_losses, "curves"),
        (gradually_from_zero, "x-from-zero"),
        (gradually_over_losses, "x"),
        (gradually_swapped_labels, "labels-swapped"),
        (gradually_swapped_legend, "labels-swapped"),
        (gradually_no_legend, "legend"),
        (gradually_no_marks, "no-marks"),
        (gradually_mark_at_start, "marks-start"),
        (gradually_mark_beyond, "marks-beyond"),
        (gradually_marks_shifted, "marks-shifted"),
        (gradually_one_mark, "marks-missing"),
        (gradually_marked_in_every_epoch, "marks"),
        (gradually_horizontal, "no-marks"),
        (gradually_no_title, "title"),
        (gradually_no_labels, "axis-labels"),
        (gradually_schedule_changed, "mutated"),
    ],
    "05.5": [
        (lp_ft_head_in_optimizer_only, "batchnorm"),
        (lp_ft_without_probe, "backbone-moved"),
        (lp_ft_no_thaw, "still-frozen"),
        (lp_ft_head_optimizer_again, "still-frozen"),
        (lp_ft_backbone_only, "still-frozen"),
        (lp_ft_same_optimizer, "same-optimiser"),
        (lp_ft_epochs_swapped, "backbone-moved"),
        (lp_ft_at_least_once, "epochs"),
        (lp_ft_fit_with_zero, "no-epochs"),
        (lp_ft_head_may_be_frozen, "all-frozen"),
        (lp_ft_head_asleep, "head-asleep"),
        (lp_ft_without_step, "head-asleep"),
        (lp_ft_head_reset, "head-asleep"),
        (lp_ft_smoothed, "probe"),
        (lp_ft_first_batch, "fewer-steps"),
        (lp_ft_step_behind_the_loop, "fewer-steps"),
        (lp_ft_one_sum, "fewer-steps"),
        (lp_ft_without_momentum, "no-momentum"),
        (lp_ft_batchnorm_asleep, "batchnorm-asleep"),
        (lp_ft_drifting, "batchnorm"),
        (lp_ft_adam, "adam"),
        (lp_ft_tuned_with_adam, "adam"),
        (lp_ft_tuned_with_slight_decay, "tuning"),
        (lp_ft_on_a_copy, "copy"),
    ],
    "05.6": [
        ({"A": "b", "B": "b", "C": "c"}, "A-b"),
        ({"A": "e", "B": "b", "C": "c"}, "A-e"),
        ({"A": "a", "B": "a", "C": "c"}, "B-a"),
        ({"A": "a", "B": "c", "C": "b"}, "B-c"),
        ({"A": "a", "B": "b", "C": "b"}, "C-b"),
        ({"A": "a", "B": "b", "C": "e"}, "C-e"),
        ({"A": "a", "B": "b", "C": "f"}, "unknown"),
        ({"A": "a", "B": "b"}, "runs"),
        ({"A": "a", "B": "b", "C": 3}, "type"),
        ("abc", "type"),
        (["a", "b", "c"], "type"),
        ({"A": "c", "B": "b", "C": "c"}, "A-c"),
        ({"A": "d", "B": "b", "C": "c"}, "A-d"),
        ({"A": "a", "B": "d", "C": "c"}, "B-d"),
        ({"A": "a", "B": "e", "C": "c"}, "B-e"),
        ({"A": "a", "B": "b", "C": "a"}, "C-a"),
        ({"A": "a", "B": "b", "C": "d"}, "C-d"),
    ],
    "05.7": [
        ("abcf", "a"),
        ("cf", "b"),
        ("bf", "c"),
        ("bcdf", "d"),
        ("bcef", "e"),
        ("bc", "f"),
        ("abcdef", "a"),
        ("", "b"),
        ("none", "unknown"),
        (With("bc", moved="bcf"), "f"),
        (With("bcf", moved="abc"), "count"),
        (With("bcf", moved=["b", "c", "f"]), "count"),
        (["b", "c", "f"], "type"),
        (3, "type"),
    ],
}


# Lines of mutants that mean the same as the solution's, with the reason.
EQUIVALENT = {
    # How the curves and the marks look is free.
    "05.4": (
        "ax.plot(history['epoch'], accuracy, label=name)",
        "ax.axvline(epoch, color='grey')",
        "ax.axvline(epoch, linestyle=':')",
    ),
}
