"""Answers to 05 and 06, written from the text of the tasks alone, without sight of
the checks."""

import copy
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import nn

from course_utils.layer_groups import UnfreezeSchedule, freeze, unfreeze
from course_utils.lr_finder import lr_range_test
from course_utils.param_groups import param_groups
from course_utils.training import evaluate, fit, train_one_epoch

# --- 05.1 Which stages learn in this epoch?: f(model, schedule, epoch)


def t05_1_right_freeze_all_then_wake(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        if start <= epoch:
            for name in names:
                model.get_submodule(name).requires_grad_(True)


def t05_1_right_by_names_of_parameters(model, schedule, epoch):
    awake = [n for start in schedule if start <= epoch for n in schedule[start]]
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(name.startswith(f"{n}.") for n in awake)


def t05_1_right_sorted_with_break(model, schedule, epoch):
    stages = dict(model.named_modules())
    for parameter in model.parameters():
        parameter.requires_grad = False
    for start in sorted(schedule):
        if start > epoch:
            break
        for name in schedule[start]:
            for parameter in stages[name].parameters():
                parameter.requires_grad = True


def t05_1_right_parents_of_each_name(model, schedule, epoch):
    awake = {n for e in range(1, epoch + 1) for n in schedule.get(e, [])}

    def learns(name):
        parts = name.split(".")
        return any(".".join(parts[:i]) in awake for i in range(1, len(parts)))

    for name, parameter in model.named_parameters():
        parameter.requires_grad_(learns(name))


def t05_1_right_ids(model, schedule, epoch):
    learning = set()
    for start, names in schedule.items():
        learning |= {
            id(p)
            for module_name, module in model.named_modules()
            if module_name in names and start <= epoch
            for p in module.parameters()
        }
    for parameter in model.parameters():
        parameter.requires_grad = id(parameter) in learning


def _wake(model, names):
    for name in names:
        model.get_submodule(name).requires_grad_(True)


def t05_1_wrong_only_this_very_epoch(model, schedule, epoch):
    model.requires_grad_(False)
    _wake(model, schedule.get(epoch, []))


def t05_1_wrong_an_epoch_late(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        if start < epoch:
            _wake(model, names)


def t05_1_wrong_counted_from_zero(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        if start - 1 <= epoch:
            _wake(model, names)


def t05_1_wrong_range_ends_too_soon(model, schedule, epoch):
    model.requires_grad_(False)
    for e in range(epoch):
        _wake(model, schedule.get(e, []))


def t05_1_wrong_nothing_is_frozen(model, schedule, epoch):
    for start, names in schedule.items():
        if start <= epoch:
            _wake(model, names)


def t05_1_wrong_only_stages_of_the_schedule(model, schedule, epoch):
    for start, names in schedule.items():
        for name in names:
            model.get_submodule(name).requires_grad_(start <= epoch)


def t05_1_wrong_break_without_sorting(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        if start > epoch:
            break
        _wake(model, names)


def t05_1_wrong_latest_entry_alone(model, schedule, epoch):
    model.requires_grad_(False)
    begun = [start for start in schedule if start <= epoch]
    if begun:
        _wake(model, schedule[max(begun)])


def t05_1_wrong_before_the_first_nothing_is_done(model, schedule, epoch):
    if epoch < min(schedule):
        return
    t05_1_right_freeze_all_then_wake(model, schedule, epoch)


def t05_1_wrong_error_before_the_first(model, schedule, epoch):
    last = max(start for start in schedule if start <= epoch)
    t05_1_right_freeze_all_then_wake(model, schedule, last)


def t05_1_wrong_all_learn_before_the_first(model, schedule, epoch):
    if epoch < min(schedule):
        model.requires_grad_(True)
    else:
        t05_1_right_freeze_all_then_wake(model, schedule, epoch)


def t05_1_wrong_first_name_of_each_entry(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        if start <= epoch:
            _wake(model, names[:1])


def t05_1_wrong_prefix_without_a_dot(model, schedule, epoch):
    awake = [n for start in schedule if start <= epoch for n in schedule[start]]
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(tuple(awake))


def t05_1_wrong_name_anywhere(model, schedule, epoch):
    awake = [n for start in schedule if start <= epoch for n in schedule[start]]
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(n in name for n in awake)


def t05_1_wrong_first_part_of_the_name(model, schedule, epoch):
    awake = [n for start in schedule if start <= epoch for n in schedule[start]]
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.split(".")[0] in awake


def t05_1_wrong_only_children(model, schedule, epoch):
    awake = [n for start in schedule if start <= epoch for n in schedule[start]]
    model.requires_grad_(False)
    for name, child in model.named_children():
        child.requires_grad_(name in awake)


def t05_1_wrong_only_own_parameters(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        for name in names if start <= epoch else ():
            for parameter in model.get_submodule(name).parameters(recurse=False):
                parameter.requires_grad = True


def t05_1_wrong_only_matrices(model, schedule, epoch):
    model.requires_grad_(False)
    for start, names in schedule.items():
        for name in names if start <= epoch else ():
            for parameter in model.get_submodule(name).parameters():
                parameter.requires_grad = parameter.ndim > 1


def t05_1_wrong_attribute_of_the_layer(model, schedule, epoch):
    for parameter in model.parameters():
        parameter.requires_grad = False
    for start, names in schedule.items():
        for name in names if start <= epoch else ():
            model.get_submodule(name).requires_grad = True


def t05_1_wrong_other_way_round(model, schedule, epoch):
    model.requires_grad_(True)
    for start, names in schedule.items():
        if start <= epoch:
            for name in names:
                model.get_submodule(name).requires_grad_(False)


def t05_1_wrong_modes_as_well(model, schedule, epoch):
    t05_1_right_freeze_all_then_wake(model, schedule, epoch)
    model.eval()
    for start, names in schedule.items():
        for name in names if start <= epoch else ():
            model.get_submodule(name).train()


def t05_1_wrong_into_train_mode(model, schedule, epoch):
    model.train()
    t05_1_right_freeze_all_then_wake(model, schedule, epoch)


def t05_1_wrong_on_a_copy(model, schedule, epoch):
    model = copy.deepcopy(model)
    t05_1_right_freeze_all_then_wake(model, schedule, epoch)
    return model


def t05_1_wrong_schedule_used_up(model, schedule, epoch):
    model.requires_grad_(False)
    for start in [s for s in schedule if s <= epoch]:
        _wake(model, schedule.pop(start))


def t05_1_wrong_the_courses_tool(model, schedule, epoch):
    UnfreezeSchedule(schedule).apply(model, epoch)


def t05_1_wrong_all_behind_the_first(model, schedule, epoch):
    awake = [n for start in schedule if start <= epoch for n in schedule[start]]
    learns = False
    for name, parameter in model.named_parameters():
        learns = learns or any(name.startswith(f"{n}.") for n in awake)
        parameter.requires_grad = learns


# --- 05.2 What is frozen holds its BatchNorm still: f(model, frozen)

_BATCHNORM = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d


def t05_2_right_modules_of_each_stage(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
                layer.eval()


def t05_2_right_by_name(model, frozen):
    for name, layer in model.named_modules():
        inside = any(name == f or name.startswith(f + ".") for f in frozen)
        if inside and isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.training = False


def t05_2_right_recursive(model, frozen):
    def hold(layer):
        if isinstance(layer, _BATCHNORM):
            layer.train(False)
        for child in layer.children():
            hold(child)

    stages = dict(model.named_modules())
    for name in frozen:
        hold(stages[name])


def t05_2_right_dotted_path(model, frozen):
    frozen = tuple(frozen)
    prefixes = tuple(name + "." for name in frozen)
    kinds = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
    for path, layer in model.named_modules():
        if (path + ".").startswith(prefixes) and any(
            kind.__name__ in kinds for kind in type(layer).__mro__
        ):
            layer.eval()


def t05_2_right_apply(model, frozen):
    def still(layer):
        if isinstance(layer, _BATCHNORM):
            layer.eval()

    model.train()
    for name in frozen:
        model.get_submodule(name).apply(still)


def t05_2_wrong_whole_stages(model, frozen):
    for name in frozen:
        model.get_submodule(name).eval()


def t05_2_wrong_every_batchnorm(model, frozen):
    for layer in model.modules():
        if isinstance(layer, _BATCHNORM):
            layer.eval()


def t05_2_wrong_direct_children(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).children():
            if isinstance(layer, _BATCHNORM):
                layer.eval()


def t05_2_wrong_two_levels(model, frozen):
    for name in frozen:
        stage = model.get_submodule(name)
        for child in [stage, *stage.children()]:
            for layer in [child, *child.children()]:
                if isinstance(layer, _BATCHNORM):
                    layer.eval()


def t05_2_wrong_only_2d(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()


def t05_2_wrong_not_3d(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                layer.eval()


def t05_2_wrong_every_norm(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if "Norm" in type(layer).__name__:
                layer.eval()


def t05_2_wrong_instance_norm_too(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, nn.modules.batchnorm._NormBase):
                layer.eval()


def t05_2_wrong_has_running_mean(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if hasattr(layer, "running_mean"):
                layer.eval()


def t05_2_wrong_layers_called_bn(model, frozen):
    for name in frozen:
        for path, layer in model.get_submodule(name).named_modules(prefix=name):
            if "bn" in path:
                layer.eval()


def t05_2_wrong_prefix_without_a_dot(model, frozen):
    for name, layer in model.named_modules():
        if name.startswith(tuple(frozen)) and isinstance(layer, _BATCHNORM):
            layer.eval()


def t05_2_wrong_stage_that_is_one_missed(model, frozen):
    for name, layer in model.named_modules():
        inside = any(name.startswith(f + ".") for f in frozen)
        if inside and isinstance(layer, _BATCHNORM):
            layer.eval()


def t05_2_wrong_first_part_of_the_name(model, frozen):
    for name, layer in model.named_modules():
        if name.split(".")[0] in frozen and isinstance(layer, _BATCHNORM):
            layer.eval()


def t05_2_wrong_children_of_the_model(model, frozen):
    for name, stage in model.named_children():
        for layer in stage.modules() if name in frozen else ():
            if isinstance(layer, _BATCHNORM):
                layer.eval()


def t05_2_wrong_first_stage_alone(model, frozen):
    for layer in model.get_submodule(list(frozen)[0]).modules():
        if isinstance(layer, _BATCHNORM):
            layer.eval()


def t05_2_wrong_first_layer_alone(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, _BATCHNORM):
                layer.eval()
                break


def t05_2_wrong_by_requires_grad(model, frozen):
    for layer in model.modules():
        if isinstance(layer, _BATCHNORM) and not layer.weight.requires_grad:
            layer.eval()


def t05_2_wrong_requires_grad_instead(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, _BATCHNORM):
                layer.requires_grad_(False)


def t05_2_wrong_freezes_as_well(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, _BATCHNORM):
                layer.eval().requires_grad_(False)


def t05_2_wrong_momentum_zero(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, _BATCHNORM):
                layer.momentum = 0.0


def t05_2_wrong_no_tracking(model, frozen):
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, _BATCHNORM):
                layer.eval()
                layer.track_running_stats = False


def t05_2_wrong_undone_at_the_end(model, frozen):
    t05_2_right_modules_of_each_stage(model, frozen)
    model.train()


def t05_2_wrong_model_in_eval_at_the_end(model, frozen):
    t05_2_right_modules_of_each_stage(model, frozen)
    model.training = False


def t05_2_wrong_rest_in_eval(model, frozen):
    model.eval()
    for name, child in model.named_children():
        if name not in frozen:
            child.train()


def t05_2_wrong_other_way_round(model, frozen):
    kept = {m for name in frozen for m in model.get_submodule(name).modules()}
    for layer in model.modules():
        if isinstance(layer, _BATCHNORM) and layer not in kept:
            layer.eval()


def t05_2_wrong_on_a_copy(model, frozen):
    model = copy.deepcopy(model)
    t05_2_right_modules_of_each_stage(model, frozen)
    return model


def t05_2_wrong_the_courses_freeze(model, frozen):
    freeze(model, stages=frozen)


# --- 05.3 Wake a stage in a running optimiser: f(optimizer, parameters, lr)


def t05_3_right_ids(optimizer, parameters, lr):
    parameters = list(parameters)
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for parameter in parameters:
        parameter.requires_grad = True
    missing = [p for p in parameters if id(p) not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_right_one_pass(optimizer, parameters, lr):
    present = set()
    for group in optimizer.param_groups:
        present.update(group["params"])
    new = []
    for parameter in parameters:
        parameter.requires_grad_(True)
        if parameter not in present:
            new.append(parameter)
    if len(new) > 0:
        optimizer.add_param_group(dict(params=new, lr=lr))


def t05_3_right_identity(optimizer, parameters, lr):
    def has(parameter):
        return any(
            parameter is other
            for group in optimizer.param_groups
            for other in group["params"]
        )

    missing = [p.requires_grad_() for p in list(parameters)]
    missing = [p for p in missing if not has(p)]
    if not missing:
        return
    options = {**optimizer.defaults, "params": missing, "lr": lr}
    optimizer.add_param_group(options)


def t05_3_right_dict_of_ids(optimizer, parameters, lr):
    waking = {id(p): p for p in parameters}
    for p in waking.values():
        p.requires_grad = True
    for group in optimizer.param_groups:
        for p in group["params"]:
            waking.pop(id(p), None)
    if waking:
        optimizer.add_param_group({"lr": lr, "params": iter(waking.values())})


def _known(optimizer):
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def _woken(optimizer, parameters):
    """Wake all; return all, and those that the optimiser does not have."""
    found = [p.requires_grad_(True) for p in parameters]
    known = _known(optimizer)
    return found, [p for p in found if id(p) not in known]


def t05_3_wrong_gone_through_twice(optimizer, parameters, lr):
    for parameter in parameters:
        parameter.requires_grad = True
    known = _known(optimizer)
    missing = [p for p in parameters if id(p) not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_known_used_it_up(optimizer, parameters, lr):
    known = _known(optimizer)
    missing = [p for p in parameters if id(p) not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})
    for parameter in parameters:
        parameter.requires_grad = True


def t05_3_wrong_all_added(optimizer, parameters, lr):
    parameters = [p.requires_grad_(True) for p in parameters]
    optimizer.add_param_group({"params": parameters, "lr": lr})


def t05_3_wrong_error_swallowed(optimizer, parameters, lr):
    parameters = [p.requires_grad_(True) for p in parameters]
    try:
        optimizer.add_param_group({"params": parameters, "lr": lr})
    except ValueError:
        return


def t05_3_wrong_still_frozen(optimizer, parameters, lr):
    known = _known(optimizer)
    missing = [p for p in parameters if id(p) not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_only_missing_ones_learn(optimizer, parameters, lr):
    known = _known(optimizer)
    missing = [p for p in parameters if id(p) not in known]
    for parameter in missing:
        parameter.requires_grad = True
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_not_added(optimizer, parameters, lr):
    for parameter in parameters:
        parameter.requires_grad = True


def t05_3_wrong_empty_group(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_all_or_nothing(optimizer, parameters, lr):
    found, missing = _woken(optimizer, parameters)
    if len(missing) == len(found) and found:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_a_group_for_each(optimizer, parameters, lr):
    for parameter in _woken(optimizer, parameters)[1]:
        optimizer.add_param_group({"params": [parameter], "lr": lr})


def t05_3_wrong_rate_of_the_optimiser(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.add_param_group({"params": missing})


def t05_3_wrong_rate_for_all_groups(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.add_param_group({"params": missing})
    for group in optimizer.param_groups:
        group["lr"] = lr


def t05_3_wrong_default_rate_changed(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.defaults["lr"] = lr
        optimizer.add_param_group({"params": missing})


def t05_3_wrong_rate_of_known_ones_too(optimizer, parameters, lr):
    found, missing = _woken(optimizer, parameters)
    for group in optimizer.param_groups:
        if {id(p) for p in group["params"]} & {id(p) for p in found}:
            group["lr"] = lr
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_moved_to_the_new_group(optimizer, parameters, lr):
    found = [p.requires_grad_(True) for p in parameters]
    ids = {id(p) for p in found}
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in ids]
    optimizer.add_param_group({"params": found, "lr": lr})


def t05_3_wrong_into_the_first_group(optimizer, parameters, lr):
    optimizer.param_groups[0]["params"].extend(_woken(optimizer, parameters)[1])


def t05_3_wrong_only_first_group_searched(optimizer, parameters, lr):
    known = {id(p) for p in optimizer.param_groups[0]["params"]}
    missing = [p.requires_grad_(True) for p in parameters]
    missing = [p for p in missing if id(p) not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_searched_in_the_state(optimizer, parameters, lr):
    found = [p.requires_grad_(True) for p in parameters]
    missing = [p for p in found if p not in optimizer.state]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_searched_by_value(optimizer, parameters, lr):
    known = [p for group in optimizer.param_groups for p in group["params"]]
    missing = []
    for p in parameters:
        p.requires_grad = True
        if not any(torch.equal(p, q) for q in known):
            missing.append(p)
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_searched_with_in(optimizer, parameters, lr):
    known = [p for group in optimizer.param_groups for p in group["params"]]
    found = [p.requires_grad_(True) for p in parameters]
    missing = [p for p in found if p not in known]
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_searched_by_requires_grad(optimizer, parameters, lr):
    missing = [p for p in parameters if not p.requires_grad]
    for p in missing:
        p.requires_grad = True
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_options_made_up(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.add_param_group(
            {"params": missing, "lr": lr, "momentum": 0.9, "weight_decay": 0.0}
        )


def t05_3_wrong_options_left_out(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.param_groups.append({"params": missing, "lr": lr})


def t05_3_wrong_options_of_the_first_group(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        first = optimizer.param_groups[0]
        optimizer.add_param_group({**first, "params": missing, "lr": lr})


def t05_3_wrong_a_new_optimiser(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        groups = [*optimizer.param_groups, {"params": missing, "lr": lr}]
        optimizer = type(optimizer)(groups)
    return optimizer


def t05_3_wrong_made_anew_in_place(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        groups = [*optimizer.param_groups, {"params": missing, "lr": lr}]
        optimizer.__init__(groups, **optimizer.defaults)


def t05_3_wrong_momentum_forgotten(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.state.clear()
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_old_groups_stopped(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.param_groups.clear()
        optimizer.add_param_group({"params": missing, "lr": lr})


def t05_3_wrong_first_parameter_alone(optimizer, parameters, lr):
    _, missing = _woken(optimizer, parameters)
    if missing:
        optimizer.add_param_group({"params": missing[0], "lr": lr})


# --- 05.4 Gradual unfreezing, with curves:
# f(model, train, val, schedule, epochs, lr) -> (history, Axes)


def t05_4_right_fit_and_subplots(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(
        model,
        train,
        val,
        optimizer=optimizer,
        epochs=epochs,
        callbacks=[UnfreezeSchedule(schedule)],
    )
    figure, ax = plt.subplots()
    ax.plot(history["epoch"], history["train_accuracy"], label="train")
    ax.plot(history["epoch"], history["val_accuracy"], label="val")
    for epoch in schedule:
        if 1 < epoch <= epochs:
            ax.axvline(epoch, linestyle="--", color="gray")
    ax.set_title("Gradual unfreezing")
    ax.set_xlabel("epoch")
    ax.set_ylabel("accuracy")
    ax.legend()
    return history, ax


def t05_4_right_pyplot_alone(model, train, val, schedule, epochs, lr):
    unfreezing = UnfreezeSchedule(schedule)
    sgd = torch.optim.SGD(model.parameters(), lr, 0.9)
    history = fit(model, train, val, optimizer=sgd, epochs=epochs,
                  callbacks=[unfreezing], progress=False)  # fmt: skip
    plt.figure(figsize=(6, 3))
    for column in ("train_accuracy", "val_accuracy"):
        plt.plot(history.epoch, history[column], "o-", label=column.split("_")[0])
    for start in unfreezing:
        if start in range(2, epochs + 1):
            plt.axvline(x=start)
    plt.title("Stages wake")
    plt.xlabel("Epoch")
    plt.ylabel("Accuracy")
    plt.legend()
    return history, plt.gca()


def t05_4_right_pyplot_without_a_new_figure(model, train, val, schedule, epochs, lr):
    sgd = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=sgd, epochs=epochs,
                  callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
    plt.plot(range(1, epochs + 1), history["train_accuracy"], label="train")
    plt.plot(range(1, epochs + 1), history["val_accuracy"], label="val")
    for start in schedule:
        if 1 < start <= epochs:
            plt.axvline(start)
    plt.title("Training")
    plt.xlabel("epoch")
    plt.ylabel("accuracy")
    plt.legend()
    return history, plt.gca()


def t05_4_right_pandas_and_vlines(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  callbacks=(UnfreezeSchedule(schedule),))  # fmt: skip
    ax = history.plot(
        x="epoch",
        y=["train_accuracy", "val_accuracy"],
        label=["train", "val"],
        title="Train and validation",
        ylabel="accuracy (0 to 1)",
    )
    wakes = [epoch for epoch in sorted(schedule) if 2 <= epoch <= epochs]
    ax.vlines(wakes, 0, 1, colors="black", linestyles="dotted")
    return history, ax


def t05_4_right_marks_as_plain_lines(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
    ax = plt.figure().add_subplot()
    for epoch, names in schedule.items():
        if 1 < epoch <= epochs:
            ax.plot([epoch, epoch], [0, 1], ":", label=f"wakes: {', '.join(names)}")
    ax.plot(history["epoch"], history["val_accuracy"], label="val")
    ax.plot(history["epoch"], history["train_accuracy"], label="train")
    ax.legend(loc="lower right")
    ax.set(title="Accuracy", xlabel="epoch", ylabel="share of right answers")
    return history, ax


def t05_4_right_longer_names_in_the_legend(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
    _, ax = plt.subplots()
    for part in ("train", "val"):
        values = history[f"{part}_accuracy"]
        ax.plot(history["epoch"], values, label=f"{part} accuracy")
    for epoch in set(schedule) - {1}:
        if epoch <= epochs:
            ax.axvline(epoch)
    ax.legend()
    ax.set(title="Accuracy", xlabel="epoch", ylabel="accuracy")
    return history, ax


def t05_4_right_legend_by_handles(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
    _, ax = plt.subplots()
    lines = ax.plot(history["epoch"], history[["train_accuracy", "val_accuracy"]])
    ax.legend(lines, ["train", "val"])
    for epoch in schedule:
        if 1 < epoch <= epochs:
            ax.axvline(epoch, ymax=0.9)
    plt.title("Accuracy")
    plt.xlabel("epoch")
    plt.ylabel("accuracy")
    return history, ax


def t05_4_right_an_epoch_at_a_time(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    plan = UnfreezeSchedule(schedule)
    rows = []
    for epoch in range(1, epochs + 1):
        plan.apply(model, epoch)
        seen = train_one_epoch(model, train, optimizer, epoch=epoch)
        new = evaluate(model, val)
        rows.append([epoch, seen["accuracy"], new["accuracy"]])
    history = pd.DataFrame(rows, columns=["epoch", "train_accuracy", "val_accuracy"])
    return history, _drawn(history, schedule, epochs)


def t05_4_right_fit_goes_on(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = None
    for epoch in range(1, epochs + 1):
        history = fit(model, train, val, optimizer=optimizer, epochs=epoch,
                      callbacks=[UnfreezeSchedule(schedule)],
                      history=history)  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_right_a_group_for_each_waking(model, train, val, schedule, epochs, lr):
    plan = UnfreezeSchedule(schedule)
    first = [p for n in plan.starts(1) for p in model.get_submodule(n).parameters()]
    optimizer = torch.optim.SGD(first, lr=lr, momentum=0.9)
    rows = []
    for epoch in range(1, epochs + 1):
        plan.apply(model, epoch)
        known = {id(p) for g in optimizer.param_groups for p in g["params"]}
        new = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
        if new:
            optimizer.add_param_group({"params": new})
        row = {"epoch": epoch}
        row["train_accuracy"] = train_one_epoch(model, train, optimizer)["accuracy"]
        row["val_accuracy"] = evaluate(model, val)["accuracy"]
        rows.append(row)
    history = pd.DataFrame.from_records(rows)
    return history, _drawn(history, schedule, epochs)


def t05_4_right_all_by_hand(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    rows = []
    for epoch in range(1, epochs + 1):
        t05_1_right_freeze_all_then_wake(model, schedule, epoch)
        model.train()
        for layer in model.modules():
            held = isinstance(layer, nn.modules.batchnorm._BatchNorm)
            if held and not any(p.requires_grad for p in layer.parameters()):
                layer.eval()
        right = total = 0
        for images, labels in train:
            logits = model(images)
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            right += (logits.argmax(dim=1) == labels).sum().item()
            total += len(labels)
        row = {"epoch": epoch, "train_accuracy": right / total}
        model.eval()
        right = total = 0
        with torch.no_grad():
            for images, labels in val:
                right += (model(images).argmax(dim=1) == labels).sum().item()
                total += len(labels)
        rows.append({**row, "val_accuracy": right / total})
    history = pd.DataFrame(rows)
    return history, _drawn(history, schedule, epochs)


def _trained(model, train, val, schedule, epochs, lr, **options):
    options = {"lr": lr, "momentum": 0.9} | options
    optimizer = torch.optim.SGD(model.parameters(), **options)
    plan = [UnfreezeSchedule(schedule)]
    return fit(model, train, val, optimizer=optimizer, epochs=epochs, callbacks=plan)


def _marks(schedule, epochs):
    return [epoch for epoch in schedule if 1 < epoch <= epochs]


def _curves(history, shift=0, columns=("train_accuracy", "val_accuracy"), names=None):
    _, ax = plt.subplots()
    for column, name in zip(columns, names or ("train", "val"), strict=True):
        ax.plot(history["epoch"] + shift, history[column], label=name)
    return ax


def _drawn(history, schedule, epochs):
    ax = _curves(history)
    for epoch in _marks(schedule, epochs):
        ax.axvline(epoch)
    return _worded(ax)


def _worded(ax):
    ax.legend()
    ax.set(title="Gradual unfreezing", xlabel="epoch", ylabel="accuracy")
    return ax


def t05_4_wrong_optimiser_of_the_head(model, train, val, schedule, epochs, lr):
    plan = UnfreezeSchedule(schedule)
    plan.apply(model, 1)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  callbacks=[plan])  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_a_new_optimiser_each_epoch(model, train, val, schedule, epochs, lr):
    history, plan = None, UnfreezeSchedule(schedule)
    for epoch in range(1, epochs + 1):
        optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        history = fit(model, train, val, optimizer=optimizer, epochs=epoch,
                      callbacks=[plan], history=history)  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_a_new_optimiser_each_waking(model, train, val, schedule, epochs, lr):
    history, plan = None, UnfreezeSchedule(schedule)
    for epoch in range(1, epochs + 1):
        if epoch == 1 or epoch in schedule:
            optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        history = fit(model, train, val, optimizer=optimizer, epochs=epoch,
                      callbacks=[plan], history=history)  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_fit_of_one_epoch_each(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    parts = []
    for epoch in range(1, epochs + 1):
        part = fit(model, train, val, optimizer=optimizer, epochs=1,
                   callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
        parts.append(part.assign(epoch=epoch))
    history = pd.concat(parts, ignore_index=True)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_the_dict_as_callback(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  callbacks=[schedule])  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_no_schedule(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_only_the_head(model, train, val, schedule, epochs, lr):
    first = {min(schedule): schedule[min(schedule)]}
    history = _trained(model, train, val, first, epochs, lr)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_frozen_after_its_epoch(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history, names = None, schedule[min(schedule)]
    for epoch in range(1, epochs + 1):
        names = schedule.get(epoch, names)
        plan = UnfreezeSchedule({1: names})
        history = fit(model, train, val, optimizer=optimizer, epochs=epoch,
                      callbacks=[plan], history=history)  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_an_epoch_late(model, train, val, schedule, epochs, lr):
    late = {(e if e == 1 else e + 1): names for e, names in schedule.items()}
    history = _trained(model, train, val, late, epochs, lr)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_statistics_move(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    rows = []
    for epoch in range(1, epochs + 1):
        t05_1_right_freeze_all_then_wake(model, schedule, epoch)
        row = {"epoch": epoch}
        row["train_accuracy"] = train_one_epoch(model, train, optimizer)["accuracy"]
        row["val_accuracy"] = evaluate(model, val)["accuracy"]
        rows.append(row)
    history = pd.DataFrame(rows)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_batchnorm_put_in_eval_once(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = None
    for epoch in range(1, epochs + 1):
        t05_1_right_freeze_all_then_wake(model, schedule, epoch)
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d) and not layer.weight.requires_grad:
                layer.eval()
        history = fit(model, train, val, optimizer=optimizer, epochs=epoch,
                      history=history)  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_no_momentum(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr, momentum=0.0)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_nesterov(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr, nesterov=True)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_weight_decay(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr, weight_decay=1e-2)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_rate_of_its_own(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, 0.01)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_lower_rates_below(model, train, val, schedule, epochs, lr):
    groups = param_groups(model, lr, ratio=0.3)
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.9)
    plan = [UnfreezeSchedule(schedule)]
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs, callbacks=plan)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_rate_falls(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  scheduler=cosine,
                  callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_adam(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    history = fit(model, train, val, optimizer=optimizer, epochs=epochs,
                  callbacks=[UnfreezeSchedule(schedule)])  # fmt: skip
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_two_passes(model, train, val, schedule, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    plan, rows = UnfreezeSchedule(schedule), []
    for epoch in range(1, epochs + 1):
        plan.apply(model, epoch)
        train_one_epoch(model, train, optimizer)
        row = {"epoch": epoch}
        row["train_accuracy"] = train_one_epoch(model, train, optimizer)["accuracy"]
        row["val_accuracy"] = evaluate(model, val)["accuracy"]
        rows.append(row)
    history = pd.DataFrame(rows)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_one_epoch_less(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs - 1, lr)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_loaders_swapped(model, train, val, schedule, epochs, lr):
    history = _trained(model, val, train, schedule, epochs, lr)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_measured_on_train(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, train, schedule, epochs, lr)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_on_a_copy(model, train, val, schedule, epochs, lr):
    history = _trained(copy.deepcopy(model), train, val, schedule, epochs, lr)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_schedule_changed(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    schedule.pop(1, None)
    return history, _drawn(history, schedule, epochs)


def t05_4_wrong_epochs_from_zero(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    return history.assign(epoch=history["epoch"] - 1), ax


def t05_4_wrong_no_epoch_column(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    return history.set_index("epoch"), ax


def t05_4_wrong_history_as_rows(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    return history.to_dict("records"), ax


def t05_4_wrong_curves_from_zero(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    _, ax = plt.subplots()
    ax.plot(history["train_accuracy"], label="train")
    ax.plot(history["val_accuracy"], label="val")
    for epoch in _marks(schedule, epochs):
        ax.axvline(epoch)
    return history, _worded(ax)


def t05_4_wrong_losses_drawn(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _curves(history, columns=("train_loss", "val_loss"))
    for epoch in _marks(schedule, epochs):
        ax.axvline(epoch)
    return history, _worded(ax)


def t05_4_wrong_names_swapped(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _curves(history, names=("val", "train"))
    for epoch in _marks(schedule, epochs):
        ax.axvline(epoch)
    return history, _worded(ax)


def t05_4_wrong_names_of_the_legend_swapped(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    ax.legend(ax.lines[:2], ["val", "train"])
    return history, ax


def t05_4_wrong_only_val_drawn(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _curves(history, columns=("val_accuracy",), names=("val",))
    for epoch in _marks(schedule, epochs):
        ax.axvline(epoch)
    return history, _worded(ax)


def t05_4_wrong_points_not_lines(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    _, ax = plt.subplots()
    ax.scatter(history["epoch"], history["train_accuracy"], label="train")
    ax.scatter(history["epoch"], history["val_accuracy"], label="val")
    for epoch in _marks(schedule, epochs):
        ax.axvline(epoch)
    return history, _worded(ax)


def t05_4_wrong_two_axes(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    _, (left, right) = plt.subplots(1, 2)
    left.plot(history["epoch"], history["train_accuracy"], label="train")
    right.plot(history["epoch"], history["val_accuracy"], label="val")
    for epoch in _marks(schedule, epochs):
        left.axvline(epoch)
        right.axvline(epoch)
    return history, (_worded(left), _worded(right))


def t05_4_wrong_second_axis_for_val(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    _, ax = plt.subplots()
    ax.plot(history["epoch"], history["train_accuracy"], label="train")
    ax.twinx().plot(history["epoch"], history["val_accuracy"], label="val")
    for epoch in _marks(schedule, epochs):
        ax.axvline(epoch)
    return history, _worded(ax)


def _with_marks(model, train, val, schedule, epochs, lr, marks):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _curves(history)
    for epoch in marks:
        ax.axvline(epoch)
    return history, _worded(ax)


def t05_4_wrong_epoch_1_marked(model, train, val, schedule, epochs, lr):
    marks = [epoch for epoch in schedule if epoch <= epochs]
    return _with_marks(model, train, val, schedule, epochs, lr, marks)


def t05_4_wrong_all_entries_marked(model, train, val, schedule, epochs, lr):
    marks = [epoch for epoch in schedule if epoch > 1]
    return _with_marks(model, train, val, schedule, epochs, lr, marks)


def t05_4_wrong_last_epoch_not_marked(model, train, val, schedule, epochs, lr):
    marks = [epoch for epoch in schedule if 1 < epoch < epochs]
    return _with_marks(model, train, val, schedule, epochs, lr, marks)


def t05_4_wrong_first_entry_skipped_by_place(model, train, val, schedule, epochs, lr):
    marks = [epoch for epoch in list(schedule)[1:] if epoch <= epochs]
    return _with_marks(model, train, val, schedule, epochs, lr, marks)


def t05_4_wrong_no_marks(model, train, val, schedule, epochs, lr):
    return _with_marks(model, train, val, schedule, epochs, lr, [])


def t05_4_wrong_one_mark(model, train, val, schedule, epochs, lr):
    marks = _marks(schedule, epochs)[:1]
    return _with_marks(model, train, val, schedule, epochs, lr, marks)


def t05_4_wrong_marks_an_epoch_early(model, train, val, schedule, epochs, lr):
    marks = [epoch - 1 for epoch in _marks(schedule, epochs)]
    return _with_marks(model, train, val, schedule, epochs, lr, marks)


def t05_4_wrong_marks_lie(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _curves(history)
    for epoch in _marks(schedule, epochs):
        ax.axhline(epoch)
    return history, _worded(ax)


def t05_4_wrong_marks_in_every_epoch(model, train, val, schedule, epochs, lr):
    marks = range(2, epochs + 1)
    return _with_marks(model, train, val, schedule, epochs, lr, marks)


def t05_4_wrong_no_legend(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    ax.get_legend().remove()
    return history, ax


def t05_4_wrong_no_title(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    ax.set_title("")
    return history, ax


def t05_4_wrong_no_label_below(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    ax.set_xlabel("")
    return history, ax


def t05_4_wrong_no_label_beside(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    ax = _drawn(history, schedule, epochs)
    ax.set_ylabel("")
    return history, ax


def t05_4_wrong_turned_over(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    return _drawn(history, schedule, epochs), history


def t05_4_wrong_the_figure(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    return history, _drawn(history, schedule, epochs).figure


def t05_4_wrong_history_alone(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    _drawn(history, schedule, epochs)
    return history


def t05_4_wrong_no_return(model, train, val, schedule, epochs, lr):
    history = _trained(model, train, val, schedule, epochs, lr)
    _drawn(history, schedule, epochs)


# --- 05.5 First the probe, then fine-tuning: LP-FT:
# f(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr)


def t05_5_right_the_courses_tools(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    freeze(model)
    probe = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    for epoch in range(probe_epochs):
        train_one_epoch(model, loader, probe, epoch=epoch + 1)
    unfreeze(model)
    tune = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    for epoch in range(tune_epochs):
        train_one_epoch(model, loader, tune, epoch=epoch + 1)


def t05_5_right_fit_with_guards(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    if probe_epochs > 0:
        freeze(model, until="fc")
        learning = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(learning, probe_lr, momentum=0.9)
        fit(model, loader, None, optimizer=optimizer, epochs=probe_epochs)
    if tune_epochs > 0:
        unfreeze(model)
        optimizer = torch.optim.SGD(model.parameters(), tune_lr, momentum=0.9)
        fit(model, loader, None, optimizer=optimizer, epochs=tune_epochs)


def t05_5_right_by_hand(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    def run(parameters, epochs, lr):
        optimizer = torch.optim.SGD(parameters, lr=lr, momentum=0.9)
        for _ in range(epochs):
            for images, labels in loader:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(images), labels)
                loss.backward()
                optimizer.step()

    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
    run(model.fc.parameters(), probe_epochs, probe_lr)
    model.requires_grad_(True)
    model.train()
    run(model.parameters(), tune_epochs, tune_lr)


def t05_5_right_eval_for_the_probe(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    parts = ((model.fc, probe_epochs, probe_lr), (model, tune_epochs, tune_lr))
    loss_of = nn.CrossEntropyLoss()
    for part, epochs, lr in parts:
        for p in model.parameters():
            p.requires_grad = False
        for p in part.parameters():
            p.requires_grad = True
        model.train(part is model)
        sgd = torch.optim.SGD(list(part.parameters()), lr=lr, momentum=0.9)
        for _ in range(epochs):
            for images, labels in loader:
                loss = loss_of(model(images), labels)
                sgd.zero_grad()
                loss.backward()
                sgd.step()


def t05_5_right_only_the_head_in_the_optimiser(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    for p in model.parameters():
        p.requires_grad_()
    model.eval()
    probe = torch.optim.SGD(model.fc.parameters(), probe_lr, 0.9)
    for _ in range(probe_epochs):
        for images, labels in loader:
            model.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            probe.step()
    tune = torch.optim.SGD(model.parameters(), tune_lr, 0.9)
    for _ in range(tune_epochs):
        model.train()
        for images, labels in loader:
            model.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            tune.step()


def t05_5_right_features_under_no_grad(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    head = model.fc
    head.requires_grad_(True)
    optimizer = torch.optim.SGD(head.parameters(), lr=probe_lr, momentum=0.9)
    model.eval()
    for _ in range(probe_epochs):
        for images, labels in loader:
            model.fc = nn.Identity()
            with torch.no_grad():
                features = model(images)
            model.fc = head
            loss = nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.train().requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    for _ in range(tune_epochs):
        train_one_epoch(model, loader, optimizer)


def _passes(model, loader, optimizer, epochs, loss_of=nn.functional.cross_entropy):
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss_of(model(images), labels).backward()
            optimizer.step()


def _probed(model, loader, epochs, lr, **options):
    model.eval().requires_grad_(False)
    model.fc.requires_grad_(True)
    options = {"momentum": 0.9} | options
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=lr, **options)
    _passes(model, loader, optimizer, epochs)


def _tuned(model, loader, epochs, lr, **options):
    model.train().requires_grad_(True)
    options = {"momentum": 0.9} | options
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, **options)
    _passes(model, loader, optimizer, epochs)


def t05_5_wrong_statistics_move(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.train().requires_grad_(False)
    model.fc.requires_grad_(True)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    _passes(model, loader, optimizer, probe_epochs)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_eval_undone_by_the_loop(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.eval().requires_grad_(False)
    model.fc.requires_grad_(True)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    for _ in range(probe_epochs):
        train_one_epoch(model, loader, optimizer)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_frozen_but_for_statistics(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    freeze(model, batchnorm="train")
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    for _ in range(probe_epochs):
        train_one_epoch(model, loader, optimizer)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_norms_learn_in_the_probe(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.eval()
    for p in model.parameters():
        p.requires_grad = p.ndim == 1
    model.fc.requires_grad_(True)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=probe_lr, momentum=0.9)
    _passes(model, loader, optimizer, probe_epochs)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_all_learn_in_the_probe(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _tuned(model, loader, probe_epochs, probe_lr)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_only_the_head_tuned(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    model.train()
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_still_frozen_when_tuned(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_tuned_without_the_head(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    model.train().requires_grad_(True)
    model.fc.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_tuned_in_eval_mode(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_batchnorm_held_to_the_end(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    freeze(model)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    for _ in range(probe_epochs):
        train_one_epoch(model, loader, optimizer)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_head_made_anew(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    model.fc.reset_parameters()
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_head_made_anew_at_the_start(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.fc.reset_parameters()
    _probed(model, loader, probe_epochs, probe_lr)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_head_as_before_the_probe(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    start = copy.deepcopy(model.fc.state_dict())
    _probed(model, loader, probe_epochs, probe_lr)
    model.fc.load_state_dict(start)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_one_optimiser(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.eval().requires_grad_(False)
    model.fc.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=probe_lr, momentum=0.9)
    _passes(model, loader, optimizer, probe_epochs)
    model.train().requires_grad_(True)
    optimizer.param_groups[0]["lr"] = tune_lr
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_backbone_joins_the_probes_optimiser(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.eval().requires_grad_(False)
    model.fc.requires_grad_(True)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    _passes(model, loader, optimizer, probe_epochs)
    model.train().requires_grad_(True)
    head = {id(p) for p in model.fc.parameters()}
    rest = [p for p in model.parameters() if id(p) not in head]
    optimizer.add_param_group({"params": rest, "lr": tune_lr})
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_head_keeps_its_rate(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    model.train().requires_grad_(True)
    head = {id(p) for p in model.fc.parameters()}
    groups = [
        {"params": [p for p in model.parameters() if id(p) not in head]},
        {"params": list(model.fc.parameters()), "lr": probe_lr},
    ]
    optimizer = torch.optim.SGD(groups, lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_rates_swapped(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, tune_lr)
    _tuned(model, loader, tune_epochs, probe_lr)


def t05_5_wrong_rate_of_the_probe_for_both(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    _tuned(model, loader, tune_epochs, probe_lr)


def t05_5_wrong_epochs_swapped(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, tune_epochs, probe_lr)
    _tuned(model, loader, probe_epochs, tune_lr)


def t05_5_wrong_other_order(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _tuned(model, loader, tune_epochs, tune_lr)
    _probed(model, loader, probe_epochs, probe_lr)


def t05_5_wrong_one_epoch_each(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, 1, probe_lr)
    _tuned(model, loader, 1, tune_lr)


def t05_5_wrong_one_batch_an_epoch(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    first = [next(iter(loader))]
    _probed(model, first, probe_epochs, probe_lr)
    _tuned(model, first, tune_epochs, tune_lr)


def t05_5_wrong_fit_of_no_epochs(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    freeze(model)
    probe = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    fit(model, loader, None, optimizer=probe, epochs=probe_epochs)
    unfreeze(model)
    tune = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    fit(model, loader, None, optimizer=tune, epochs=tune_epochs)


def t05_5_wrong_head_may_be_frozen(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.eval()
    for name, p in model.named_parameters():
        if not name.startswith("fc."):
            p.requires_grad = False
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    _passes(model, loader, optimizer, probe_epochs)
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_wakes_what_it_froze_itself(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    learned = [p for p in model.parameters() if p.requires_grad]
    _probed(model, loader, probe_epochs, probe_lr)
    for p in learned:
        p.requires_grad = True
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_mode_as_it_came_when_tuned(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    was_training = model.training
    _probed(model, loader, probe_epochs, probe_lr)
    model.train(was_training).requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs)


def t05_5_wrong_no_momentum(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr, momentum=0.0)
    _tuned(model, loader, tune_epochs, tune_lr, momentum=0.0)


def t05_5_wrong_momentum_in_the_probe_alone(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    _tuned(model, loader, tune_epochs, tune_lr, momentum=0.0)


def t05_5_wrong_weight_decay_when_tuned(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)
    _tuned(model, loader, tune_epochs, tune_lr, weight_decay=1e-2)


def t05_5_wrong_momentum_lost_each_epoch(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    for _ in range(probe_epochs):
        _probed(model, loader, 1, probe_lr)
    for _ in range(tune_epochs):
        _tuned(model, loader, 1, tune_lr)


def t05_5_wrong_gradients_add_up(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    model.eval().requires_grad_(False)
    model.fc.requires_grad_(True)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    for _ in range(probe_epochs):
        for images, labels in loader:
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_summed_loss(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    loss_of = nn.CrossEntropyLoss(reduction="sum")
    _probed(model, loader, 0, probe_lr)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    _passes(model, loader, optimizer, probe_epochs, loss_of)
    model.train().requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs, loss_of)


def t05_5_wrong_softmax_before_the_loss(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    def loss_of(logits, labels):
        return nn.functional.cross_entropy(logits.softmax(dim=1), labels)

    _probed(model, loader, 0, probe_lr)
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=probe_lr, momentum=0.9)
    _passes(model, loader, optimizer, probe_epochs, loss_of)
    model.train().requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=tune_lr, momentum=0.9)
    _passes(model, loader, optimizer, tune_epochs, loss_of)


def t05_5_wrong_on_a_copy(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    model = copy.deepcopy(model)
    _probed(model, loader, probe_epochs, probe_lr)
    _tuned(model, loader, tune_epochs, tune_lr)
    return model


def t05_5_wrong_probe_left_out(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _tuned(model, loader, tune_epochs, tune_lr)


def t05_5_wrong_tuning_left_out(
    model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr
):
    _probed(model, loader, probe_epochs, probe_lr)


# --- 06.1 A rate for each depth: f(model, stages, lr, ratio) -> list of groups


def t06_1_right_powers(model, stages, lr, ratio):
    groups = []
    for place, (name, layers) in enumerate(stages.items()):
        params = []
        for layer in layers:
            params += list(model.get_submodule(layer).parameters())
        behind = len(stages) - 1 - place
        groups.append({"params": params, "lr": lr * ratio**behind, "name": name})
    return groups


def t06_1_right_from_the_head_back(model, stages, lr, ratio):
    modules = dict(model.named_modules())
    groups = []
    for name in reversed(list(stages)):
        params = [p for layer in stages[name] for p in modules[layer].parameters()]
        groups.insert(0, dict(name=name, lr=lr, params=params))
        lr = lr * ratio
    return groups


def t06_1_right_by_names_of_parameters(model, stages, lr, ratio):
    found = {name: [] for name in stages}
    for path, parameter in model.named_parameters():
        for name, layers in stages.items():
            if any(path.startswith(layer + ".") for layer in layers):
                found[name].append(parameter)
                break
    rates = [lr * ratio**i for i in range(len(stages))][::-1]
    return [
        {"params": found[name], "lr": rate, "name": name}
        for name, rate in zip(stages, rates, strict=True)
    ]


def t06_1_right_generators(model, stages, lr, ratio):
    depth = len(stages)
    return [
        {
            "name": name,
            "params": itertools.chain.from_iterable(
                model.get_submodule(layer).parameters() for layer in layers
            ),
            "lr": lr * math.pow(ratio, depth - i),
        }
        for i, (name, layers) in enumerate(stages.items(), start=1)
    ]


def t06_1_right_dotted_paths_walked(model, stages, lr, ratio):
    def layer_at(path):
        found = model
        for part in path.split("."):
            found = getattr(found, part)
        return found

    names, groups, rate = list(stages), [], float(lr)
    while names:
        name = names.pop()
        params = tuple(p for path in stages[name] for p in layer_at(path).parameters())
        groups.append({"params": params, "lr": rate, "name": name})
        rate *= ratio
    groups.reverse()
    return groups


def t06_1_right_module_lists(model, stages, lr, ratio):
    groups = []
    for name, layers in stages.items():
        together = nn.ModuleList([model.get_submodule(layer) for layer in layers])
        groups.append({"params": list(together.parameters()), "name": name})
    for i, group in enumerate(groups[::-1]):
        group["lr"] = lr * ratio**i
    return groups


def _groups(model, stages, rates):
    return [
        {
            "params": [
                p for layer in layers for p in model.get_submodule(layer).parameters()
            ],
            "lr": rate,
            "name": name,
        }
        for (name, layers), rate in zip(stages.items(), rates, strict=True)
    ]


def _rates(stages, lr, ratio):
    return [lr * ratio**i for i in reversed(range(len(stages)))]


def t06_1_wrong_stem_has_the_full_rate(model, stages, lr, ratio):
    return _groups(model, stages, _rates(stages, lr, ratio)[::-1])


def t06_1_wrong_divided(model, stages, lr, ratio):
    return _groups(model, stages, _rates(stages, lr, 1 / ratio))


def t06_1_wrong_head_reduced_too(model, stages, lr, ratio):
    return _groups(model, stages, _rates(stages, lr * ratio, ratio))


def t06_1_wrong_one_rate_behind(model, stages, lr, ratio):
    rates = [lr * ratio] * (len(stages) - 1) + [lr]
    return _groups(model, stages, rates)


def t06_1_wrong_one_rate(model, stages, lr, ratio):
    return _groups(model, stages, [lr] * len(stages))


def t06_1_wrong_linear(model, stages, lr, ratio):
    n = len(stages)
    rates = [lr * (1 - (1 - ratio) * (n - 1 - i) / (n - 1)) for i in range(n)]
    return _groups(model, stages, rates)


def t06_1_wrong_times_the_depth(model, stages, lr, ratio):
    n = len(stages)
    rates = [lr * ratio * (n - 1 - i) for i in range(n)]
    return _groups(model, stages, [*rates[:-1], lr])


def t06_1_wrong_five_groups_supposed(model, stages, lr, ratio):
    rates = [lr * ratio ** (4 - i) for i in range(len(stages))]
    return _groups(model, stages, rates)


def t06_1_wrong_head_first(model, stages, lr, ratio):
    return _groups(model, stages, _rates(stages, lr, ratio))[::-1]


def t06_1_wrong_sorted_by_name(model, stages, lr, ratio):
    stages = {name: stages[name] for name in sorted(stages)}
    return _groups(model, stages, _rates(stages, lr, ratio))


def t06_1_wrong_a_group_for_each_layer(model, stages, lr, ratio):
    layers = {layer: [layer] for layers in stages.values() for layer in layers}
    return _groups(model, layers, _rates(layers, lr, ratio))


def t06_1_wrong_a_step_for_each_layer(model, stages, lr, ratio):
    found, rate = [], lr
    for name, layers in reversed(stages.items()):
        params = []
        for layer in reversed(layers):
            params += model.get_submodule(layer).parameters()
            rate, used = rate * ratio, rate
        found.insert(0, {"params": params, "lr": used, "name": name})
    return found


def t06_1_wrong_a_group_for_each_parameter(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    return [{**group, "params": [p]} for group in groups for p in group["params"]]


def t06_1_wrong_frozen_left_out(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    for group in groups:
        group["params"] = [p for p in group["params"] if p.requires_grad]
    return groups


def t06_1_wrong_all_woken(model, stages, lr, ratio):
    model.requires_grad_(True)
    return _groups(model, stages, _rates(stages, lr, ratio))


def t06_1_wrong_weights_only(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    for group in groups:
        group["params"] = [p for p in group["params"] if p.ndim > 1]
    return groups


def t06_1_wrong_first_layer_of_each(model, stages, lr, ratio):
    first = {name: layers[:1] for name, layers in stages.items()}
    return _groups(model, first, _rates(stages, lr, ratio))


def t06_1_wrong_layers_called_like_the_group(model, stages, lr, ratio):
    own = {name: [name if hasattr(model, name) else stages[name][0]] for name in stages}
    return _groups(model, own, _rates(stages, lr, ratio))


def t06_1_wrong_prefix_without_a_dot(model, stages, lr, ratio):
    return [
        {
            "params": [
                p for path, p in model.named_parameters() if path.startswith((*layers,))
            ],
            "lr": rate,
            "name": name,
        }
        for (name, layers), rate in zip(
            stages.items(), _rates(stages, lr, ratio), strict=True
        )
    ]


def t06_1_wrong_getattr(model, stages, lr, ratio):
    rates = _rates(stages, lr, ratio)
    return [
        {
            "params": [
                p for layer in layers for p in getattr(model, layer).parameters()
            ],
            "lr": rate,
            "name": name,
        }
        for (name, layers), rate in zip(stages.items(), rates, strict=True)
    ]


def t06_1_wrong_first_part_of_the_name(model, stages, lr, ratio):
    found = {name: [] for name in stages}
    for path, parameter in model.named_parameters():
        for name, layers in stages.items():
            if path.split(".")[0] in layers:
                found[name].append(parameter)
    rates = _rates(stages, lr, ratio)
    return [
        {"params": params, "lr": rate, "name": name}
        for (name, params), rate in zip(found.items(), rates, strict=True)
    ]


def t06_1_wrong_only_own_parameters(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    for group, layers in zip(groups, stages.values(), strict=True):
        group["params"] = [
            p
            for layer in layers
            for p in model.get_submodule(layer).parameters(recurse=False)
        ]
    return groups


def t06_1_wrong_statistics_too(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    for group, layers in zip(groups, stages.values(), strict=True):
        for layer in layers:
            group["params"] += model.get_submodule(layer).buffers()
    return groups


def t06_1_wrong_names_for_parameters(model, stages, lr, ratio):
    rates = _rates(stages, lr, ratio)
    return [
        {"params": layers, "lr": rate, "name": name}
        for (name, layers), rate in zip(stages.items(), rates, strict=True)
    ]


def t06_1_wrong_no_names(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    return [{"params": g["params"], "lr": g["lr"]} for g in groups]


def t06_1_wrong_names_of_the_layers(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    for group, layers in zip(groups, stages.values(), strict=True):
        group["name"] = ", ".join(layers)
    return groups


def t06_1_wrong_a_dict(model, stages, lr, ratio):
    groups = _groups(model, stages, _rates(stages, lr, ratio))
    return {group["name"]: group for group in groups}


def t06_1_wrong_an_optimiser(model, stages, lr, ratio):
    return torch.optim.SGD(_groups(model, stages, _rates(stages, lr, ratio)))


def t06_1_wrong_stages_used_up(model, stages, lr, ratio):
    groups = []
    while stages:
        name, layers = stages.popitem()
        groups = _groups(model, {name: layers}, [lr]) + groups
        lr *= ratio
    return groups


def t06_1_wrong_the_courses_groups(model, stages, lr, ratio):
    return param_groups(model, lr, ratio=ratio)


# --- 06.2 Find the bug: f(model, lr, head_lr) -> list of one or two groups


def t06_2_right_by_ids(model, lr, head_lr):
    head_ids = {id(p) for p in model.fc.parameters()}
    backbone, head = [], []
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in head_ids:
            head.append(parameter)
        else:
            backbone.append(parameter)
    return [{"params": backbone, "lr": lr}, {"params": head, "lr": head_lr}]


def t06_2_right_by_name(model, lr, head_lr):
    learning = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return [
        {
            "params": [p for n, p in learning.items() if not n.startswith("fc.")],
            "lr": lr,
        },
        {"params": [p for n, p in learning.items() if n.startswith("fc.")],
         "lr": head_lr},
    ]  # fmt: skip


def t06_2_right_first_part_of_the_name(model, lr, head_lr):
    groups = [dict(params=[], lr=lr), dict(params=[], lr=head_lr)]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[name.split(".")[0] == "fc"]["params"].append(parameter)
    return groups


def t06_2_right_empty_group_dropped(model, lr, head_lr):
    head = [p for p in model.fc.parameters() if p.requires_grad]
    taken = set(head)
    rest = [p for p in model.parameters() if p.requires_grad and p not in taken]
    groups = [{"params": rest, "lr": lr}, {"params": head, "lr": head_lr}]
    return [group for group in groups if group["params"]]


def t06_2_right_head_first(model, lr, head_lr):
    head = list(model.fc.parameters())
    rest = [p for p in model.parameters() if all(p is not h for h in head)]
    parts = ((head, head_lr), (rest, lr))
    return [
        {"params": [p for p in part if p.requires_grad], "lr": rate}
        for part, rate in parts
    ]


def t06_2_right_filters(model, lr, head_lr):
    head = set(model.fc.parameters())
    rest = set(model.parameters()) - head
    return [
        {"params": filter(lambda p: p.requires_grad, rest), "lr": lr},
        {"params": (p for p in head if p.requires_grad), "lr": head_lr},
    ]


def _learning(model):
    """Names and parameters that learn: of the backbone, of the head."""
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    rest = [p for n, p in learning if not n.startswith("fc.")]
    return rest, [p for n, p in learning if n.startswith("fc.")]


def t06_2_wrong_the_tutorials(model, lr, head_lr):
    groups = []
    for _, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.append({"params": [parameter], "lr": lr})
    groups.append({"params": model.fc.parameters(), "lr": head_lr})
    return groups


def t06_2_wrong_two_groups_but_head_in_both(model, lr, head_lr):
    return [
        {"params": [p for p in model.parameters() if p.requires_grad], "lr": lr},
        {"params": list(model.fc.parameters()), "lr": head_lr},
    ]


def t06_2_wrong_a_group_for_each(model, lr, head_lr):
    rest, head = _learning(model)
    groups = [{"params": [p], "lr": lr} for p in rest]
    return [*groups, {"params": head, "lr": head_lr}]


def t06_2_wrong_frozen_head_stays_in(model, lr, head_lr):
    rest, _ = _learning(model)
    return [
        {"params": rest, "lr": lr},
        {"params": list(model.fc.parameters()), "lr": head_lr},
    ]


def t06_2_wrong_frozen_backbone_stays_in(model, lr, head_lr):
    _, head = _learning(model)
    named = model.named_parameters()
    return [
        {"params": [p for n, p in named if not n.startswith("fc.")], "lr": lr},
        {"params": head, "lr": head_lr},
    ]


def t06_2_wrong_frozen_ones_woken(model, lr, head_lr):
    model.requires_grad_(True)
    rest, head = _learning(model)
    return [{"params": rest, "lr": lr}, {"params": head, "lr": head_lr}]


def t06_2_wrong_fc_anywhere_in_the_name(model, lr, head_lr):
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in learning if "fc" not in n], "lr": lr},
        {"params": [p for n, p in learning if "fc" in n], "lr": head_lr},
    ]


def t06_2_wrong_fc_with_a_dot_anywhere(model, lr, head_lr):
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in learning if "fc." not in n], "lr": lr},
        {"params": [p for n, p in learning if "fc." in n], "lr": head_lr},
    ]


def t06_2_wrong_prefix_without_a_dot(model, lr, head_lr):
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in learning if not n.startswith("fc")], "lr": lr},
        {"params": [p for n, p in learning if n.startswith("fc")], "lr": head_lr},
    ]


def t06_2_wrong_names_of_a_single_layer(model, lr, head_lr):
    own = "fc.weight", "fc.bias"
    learning = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in learning if n not in own], "lr": lr},
        {"params": [p for n, p in learning if n in own], "lr": head_lr},
    ]


def t06_2_wrong_weight_and_bias(model, lr, head_lr):
    head = [model.fc.weight, model.fc.bias]
    rest = [p for p in model.parameters() if all(p is not h for h in head)]
    return [
        {"params": [p for p in rest if p.requires_grad], "lr": lr},
        {"params": [p for p in head if p.requires_grad], "lr": head_lr},
    ]


def t06_2_wrong_head_without_bias(model, lr, head_lr):
    rest, head = _learning(model)
    return [
        {"params": rest, "lr": lr},
        {"params": [p for p in head if p.ndim > 1], "lr": head_lr},
    ]


def t06_2_wrong_biases_with_the_backbone(model, lr, head_lr):
    rest, head = _learning(model)
    return [
        {"params": rest + [p for p in head if p.ndim < 2], "lr": lr},
        {"params": [p for p in head if p.ndim > 1], "lr": head_lr},
    ]


def t06_2_wrong_last_two_parameters(model, lr, head_lr):
    learning = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": learning[:-2], "lr": lr},
        {"params": learning[-2:], "lr": head_lr},
    ]


def t06_2_wrong_last_child(model, lr, head_lr):
    *body, head = model.children()
    rest = [p for child in body for p in child.parameters() if p.requires_grad]
    last = [p for p in head.parameters() if p.requires_grad]
    return [{"params": rest, "lr": lr}, {"params": last, "lr": head_lr}]


def t06_2_wrong_children_only(model, lr, head_lr):
    rest = [
        p
        for name, child in model.named_children()
        if name != "fc"
        for p in child.parameters(recurse=False)
        if p.requires_grad
    ]
    head = [p for p in model.fc.parameters() if p.requires_grad]
    return [{"params": rest, "lr": lr}, {"params": head, "lr": head_lr}]


def t06_2_wrong_linear_layers(model, lr, head_lr):
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    ids = {id(p) for m in linear for p in m.parameters()}
    learning = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in learning if id(p) not in ids], "lr": lr},
        {"params": [p for p in learning if id(p) in ids], "lr": head_lr},
    ]


def t06_2_wrong_compared_with_in(model, lr, head_lr):
    head = list(model.fc.parameters())
    rest = [p for p in model.parameters() if p not in head and p.requires_grad]
    return [{"params": rest, "lr": lr}, {"params": head, "lr": head_lr}]


def t06_2_wrong_compared_by_shape(model, lr, head_lr):
    head = [p for p in model.fc.parameters() if p.requires_grad]
    shapes = {p.shape for p in head}
    learning = [p for p in model.parameters() if p.requires_grad]
    rest = [p for p in learning if p.shape not in shapes]
    return [{"params": rest, "lr": lr}, {"params": head, "lr": head_lr}]


def t06_2_wrong_rates_swapped(model, lr, head_lr):
    rest, head = _learning(model)
    return [{"params": rest, "lr": head_lr}, {"params": head, "lr": lr}]


def t06_2_wrong_one_rate(model, lr, head_lr):
    rest, head = _learning(model)
    return [{"params": rest, "lr": lr}, {"params": head, "lr": lr}]


def t06_2_wrong_rate_of_the_backbone_left_out(model, lr, head_lr):
    rest, head = _learning(model)
    return [{"params": rest}, {"params": head, "lr": head_lr}]


def t06_2_wrong_one_group(model, lr, head_lr):
    rest, head = _learning(model)
    return [{"params": [*rest, *head], "lr": lr}]


def t06_2_wrong_head_alone(model, lr, head_lr):
    return [{"params": _learning(model)[1], "lr": head_lr}]


def t06_2_wrong_backbone_alone(model, lr, head_lr):
    return [{"params": _learning(model)[0], "lr": lr}]


def t06_2_wrong_an_optimiser(model, lr, head_lr):
    rest, head = _learning(model)
    groups = [{"params": rest, "lr": lr}, {"params": head, "lr": head_lr}]
    return torch.optim.SGD(groups)


def t06_2_wrong_no_return(model, lr, head_lr):
    rest, head = _learning(model)
    groups = [{"params": rest, "lr": lr}]
    groups.append({"params": head, "lr": head_lr})


# --- 06.3 No weight decay on norms and biases: f(model, weight_decay) -> two groups


def t06_3_right_ndim(model, weight_decay):
    return [
        {
            "params": [p for p in model.parameters() if p.ndim >= 2],
            "weight_decay": weight_decay,
        },
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]


def t06_3_right_loop(model, weight_decay):
    decay, no_decay = [], []
    for parameter in model.parameters():
        if len(parameter.shape) > 1:
            decay.append(parameter)
        else:
            no_decay.append(parameter)
    return [
        dict(params=decay, weight_decay=weight_decay),
        dict(params=no_decay, weight_decay=0),
    ]


def t06_3_right_spared_first(model, weight_decay):
    spared = {p for p in model.parameters() if p.dim() in (0, 1)}
    rest = set(model.parameters()) - spared
    return [
        {"weight_decay": 0.0, "params": list(spared)},
        {"weight_decay": weight_decay, "params": list(rest)},
    ]


def t06_3_right_filters(model, weight_decay):
    def is_matrix(p):
        return p.dim() > 1

    return [
        {"params": filter(is_matrix, model.parameters()), "weight_decay": weight_decay},
        {
            "params": itertools.filterfalse(is_matrix, model.parameters()),
            "weight_decay": 0.0,
        },
    ]


def t06_3_right_dict_of_groups(model, weight_decay):
    found = {True: [], False: []}
    for _, p in model.named_parameters():
        found[p.ndim > 1].append(p)
    return [
        {"params": params, "weight_decay": weight_decay * decays, "name": str(decays)}
        for decays, params in found.items()
    ]


def _two(model, weight_decay, decays):
    """Two groups: parameters that `decays(name, parameter)`, and the others."""
    named = list(model.named_parameters())
    yes = [p for n, p in named if decays(n, p)]
    no = [p for n, p in named if not decays(n, p)]
    return [
        {"params": yes, "weight_decay": weight_decay},
        {"params": no, "weight_decay": 0.0},
    ]


def t06_3_wrong_only_biases_spared(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: not n.endswith("bias"))


def t06_3_wrong_bias_or_bn_in_the_name(model, weight_decay):
    def decays(name, parameter):
        return "bias" not in name and "bn" not in name

    return _two(model, weight_decay, decays)


def t06_3_wrong_norm_or_bias_in_the_name(model, weight_decay):
    words = "bias", "bn", "norm"
    return _two(
        model, weight_decay, lambda n, p: not any(word in n.lower() for word in words)
    )


def t06_3_wrong_called_weight(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: n.endswith("weight"))


def t06_3_wrong_matrices_only(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim == 2)


def t06_3_wrong_convolutions_only(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim == 4)


def t06_3_wrong_two_or_four_dimensions(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim in (2, 4))


def t06_3_wrong_more_than_two(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim > 2)


def t06_3_wrong_one_or_more(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim >= 1)


def t06_3_wrong_not_one(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim != 1)


def t06_3_wrong_without_dimensions_of_one(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.squeeze().ndim >= 2)


def t06_3_wrong_first_size(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.numel() > p.shape[0])


def t06_3_wrong_large_ones(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.numel() > 100)


def t06_3_wrong_by_kind_of_layer(model, weight_decay):
    kinds = nn.Conv2d, nn.Linear
    ids = {id(m.weight) for m in model.modules() if isinstance(m, kinds)}
    return _two(model, weight_decay, lambda n, p: id(p) in ids)


def t06_3_wrong_batchnorm_and_biases(model, weight_decay):
    ids = {
        id(p)
        for m in model.modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm)
        for p in m.parameters()
    }
    return _two(
        model, weight_decay, lambda n, p: id(p) not in ids and not n.endswith("bias")
    )


def t06_3_wrong_swapped(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim < 2)


def t06_3_wrong_frozen_left_out(model, weight_decay):
    groups = _two(model, weight_decay, lambda n, p: p.ndim >= 2)
    for group in groups:
        group["params"] = [p for p in group["params"] if p.requires_grad]
    return groups


def t06_3_wrong_frozen_without_decay(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim >= 2 and p.requires_grad)


def t06_3_wrong_all_woken(model, weight_decay):
    model.requires_grad_(True)
    return _two(model, weight_decay, lambda n, p: p.ndim >= 2)


def t06_3_wrong_scalars_lost(model, weight_decay):
    groups = _two(model, weight_decay, lambda n, p: p.ndim >= 2)
    groups[1]["params"] = [p for p in model.parameters() if p.ndim == 1]
    return groups


def t06_3_wrong_generator_used_up(model, weight_decay):
    parameters = model.parameters()
    return [
        {
            "params": [p for p in parameters if p.ndim >= 2],
            "weight_decay": weight_decay,
        },
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def t06_3_wrong_layer_by_layer(model, weight_decay):
    decay, spared = [], []
    for module in model.modules():
        for parameter in module.parameters():
            (decay if parameter.ndim >= 2 else spared).append(parameter)
    return [
        {"params": decay, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


def t06_3_wrong_shared_ones_twice(model, weight_decay):
    every = [p for m in model.modules() for p in m.parameters(recurse=False)]
    return [
        {"params": [p for p in every if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0},
    ]


def t06_3_wrong_all_in_the_first_too(model, weight_decay):
    groups = _two(model, weight_decay, lambda n, p: p.ndim >= 2)
    groups[0]["params"] = list(model.parameters())
    return groups


def t06_3_wrong_second_without_a_word(model, weight_decay):
    groups = _two(model, weight_decay, lambda n, p: p.ndim >= 2)
    del groups[1]["weight_decay"]
    return groups


def t06_3_wrong_only_what_decays(model, weight_decay):
    return _two(model, weight_decay, lambda n, p: p.ndim >= 2)[:1]


def t06_3_wrong_a_group_for_each(model, weight_decay):
    return [
        {"params": [p], "weight_decay": weight_decay if p.ndim >= 2 else 0.0}
        for p in model.parameters()
    ]


def t06_3_wrong_decay_hard_coded(model, weight_decay):
    return _two(model, 0.01, lambda n, p: p.ndim >= 2)


def t06_3_wrong_less_instead_of_none(model, weight_decay):
    groups = _two(model, weight_decay, lambda n, p: p.ndim >= 2)
    groups[1]["weight_decay"] = weight_decay / 10
    return groups


def t06_3_wrong_names_for_parameters(model, weight_decay):
    named = list(model.named_parameters())
    return [
        {"params": [n for n, p in named if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [n for n, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]


def t06_3_wrong_two_lists(model, weight_decay):
    groups = _two(model, weight_decay, lambda n, p: p.ndim >= 2)
    return [group["params"] for group in groups]


def t06_3_wrong_an_optimiser(model, weight_decay):
    groups = _two(model, weight_decay, lambda n, p: p.ndim >= 2)
    return torch.optim.SGD(groups, lr=0.1)


# --- 06.4 The range test by hand:
# f(model, batches, start_lr, end_lr, num_iter) -> (rates, losses)


def t06_4_right_powers(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    state = copy.deepcopy(model.state_dict())
    was_training = model.training
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
    rates, losses = [], []
    for i in range(num_iter):
        lr = start_lr * (end_lr / start_lr) ** (i / (num_iter - 1))
        for group in optimizer.param_groups:
            group["lr"] = lr
        images, labels = batches[i % len(batches)]
        loss = nn.functional.cross_entropy(model(images), labels)
        if not torch.isfinite(loss):
            break
        rates.append(lr)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.load_state_dict(state)
    model.train(was_training)
    return rates, losses


def t06_4_right_cycle_and_geomspace(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    before = {k: v.clone() for k, v in model.state_dict().items()}
    modes = {m: m.training for m in model.modules()}
    criterion = nn.CrossEntropyLoss()
    seen = []
    try:
        model.train()
        steps = zip(np.geomspace(start_lr, end_lr, num_iter), itertools.cycle(batches),
                    strict=False)  # fmt: skip
        for rate, (x, y) in steps:
            sgd = torch.optim.SGD(model.parameters(), lr=float(rate))
            sgd.zero_grad()
            loss = criterion(model(x), y)
            if not math.isfinite(loss.item()):
                break
            seen.append((float(rate), float(loss)))
            loss.backward()
            sgd.step()
    finally:
        model.load_state_dict(before)
        for module, mode in modes.items():
            module.training = mode
        model.zero_grad(set_to_none=True)
    return [rate for rate, _ in seen], [loss for _, loss in seen]


def t06_4_right_growing_factor(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    tensors = [*model.parameters(), *model.buffers()]
    kept = [t.detach().clone() for t in tensors]
    training = model.training
    factor = (end_lr / start_lr) ** (1 / (num_iter - 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr, momentum=0.0)
    lr, lrs, losses = start_lr, [], []
    model.train()
    while len(lrs) < num_iter:
        x, y = batches[len(lrs) % len(batches)]
        optimizer.param_groups[0]["lr"] = lr
        loss = nn.functional.cross_entropy(model(x), y)
        value = loss.item()
        if math.isnan(value) or math.isinf(value):
            break
        lrs.append(lr)
        losses.append(value)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        lr *= factor
    with torch.no_grad():
        for tensor, old in zip(tensors, kept, strict=True):
            tensor.copy_(old)
    model.train(training)
    return lrs, losses


def t06_4_right_train_a_copy(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    twin = copy.deepcopy(model).train()
    sgd = torch.optim.SGD(twin.parameters(), lr=start_lr)
    exponents = np.linspace(math.log(start_lr), math.log(end_lr), num_iter)
    rates, losses, turn = [], [], iter(())
    for rate in np.exp(exponents).tolist():
        try:
            images, labels = next(turn)
        except StopIteration:
            turn = iter(batches)
            images, labels = next(turn)
        sgd.param_groups[0]["lr"] = rate
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(twin(images), labels)
        if not loss.isfinite():
            break
        loss.backward()
        sgd.step()
        rates.append(rate)
        losses.append(loss.detach().item())
    return rates, losses


def t06_4_right_exponential_scheduler(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    mode, state = model.training, copy.deepcopy(model.state_dict())
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
    gamma = (end_lr / start_lr) ** (1 / (num_iter - 1))
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
    rates, losses = [], []
    for step in range(num_iter):
        images, labels = batches[step % len(batches)]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        if loss.isnan() or loss.isinf():
            break
        rates.append(float(scheduler.get_last_lr()[0]))
        losses.append(float(loss.detach()))
        loss.backward()
        optimizer.step()
        scheduler.step()
    model.load_state_dict(state)
    model.train(mode)
    return rates, losses


def t06_4_right_torch_logspace(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    return _ranged(
        model,
        batches,
        torch.logspace(math.log10(start_lr), math.log10(end_lr), num_iter).tolist(),
    )


def t06_4_right_zero_grad_last(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    state, mode = copy.deepcopy(model.state_dict()), model.training
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
    optimizer.zero_grad()
    model.train()
    rates, losses = [], []
    for step, lr in enumerate(np.geomspace(start_lr, end_lr, num_iter)):
        optimizer.param_groups[0]["lr"] = float(lr)
        images, labels = batches[step % len(batches)]
        loss = nn.functional.cross_entropy(model(images), labels)
        if not math.isfinite(loss):
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        rates.append(float(lr))
        losses.append(loss.item())
    model.load_state_dict(state)
    model.train(mode)
    return rates, losses


def _geometric(start_lr, end_lr, num_iter):
    return np.geomspace(start_lr, end_lr, num_iter).tolist()


def _ranged(model, batches, lrs, restore=True, kind=torch.optim.SGD, **options):
    """The whole test at given rates, with a choice of how it is undone."""
    state, mode = copy.deepcopy(model.state_dict()), model.training
    model.train()
    optimizer = kind(model.parameters(), lr=lrs[0], **options)
    rates, losses = [], []
    for lr, (images, labels) in zip(lrs, itertools.cycle(batches), strict=False):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        if not math.isfinite(loss.item()):
            break
        rates.append(lr)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    if restore:
        model.load_state_dict(state)
        model.train(mode)
    return rates, losses


def t06_4_wrong_equal_strides(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    return _ranged(model, batches, np.linspace(start_lr, end_lr, num_iter).tolist())


def t06_4_wrong_end_not_reached(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = [start_lr * (end_lr / start_lr) ** (i / num_iter) for i in range(num_iter)]
    return _ranged(model, batches, lrs)


def t06_4_wrong_starts_a_step_late(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    factor = (end_lr / start_lr) ** (1 / num_iter)
    lrs = [start_lr * factor ** (i + 1) for i in range(num_iter)]
    return _ranged(model, batches, lrs)


def t06_4_wrong_one_step_more(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    return _ranged(model, batches, _geometric(start_lr, end_lr, num_iter + 1))


def t06_4_wrong_factor_of_ten(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = [min(start_lr * 10**i, end_lr) for i in range(num_iter)]
    return _ranged(model, batches, lrs)


def t06_4_wrong_rates_hard_coded(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    return _ranged(model, batches, _geometric(1e-7, 1.0, 40))


def t06_4_wrong_one_rate(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    _, losses = _ranged(model, batches, [start_lr] * num_iter)
    return lrs[: len(losses)], losses


def t06_4_wrong_falling_rates(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    return _ranged(model, batches, _geometric(start_lr, end_lr, num_iter)[::-1])


def t06_4_wrong_momentum(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return _ranged(model, batches, lrs, momentum=0.9)


def t06_4_wrong_adam(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return _ranged(model, batches, lrs, kind=torch.optim.Adam)


def t06_4_wrong_weight_decay(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return _ranged(model, batches, lrs, weight_decay=0.1)


def t06_4_wrong_one_pass(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    return _ranged(
        model, batches, _geometric(start_lr, end_lr, num_iter)[: len(batches)]
    )


def t06_4_wrong_always_the_first_batch(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    return _ranged(model, batches[:1], _geometric(start_lr, end_lr, num_iter))


def t06_4_wrong_last_batch_skipped(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    batches = batches[:-1] or batches
    return _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))


def t06_4_wrong_random_batches(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    drawn = [batches[int(torch.randint(len(batches), ()))] for _ in lrs]
    return _ranged(model, drawn, lrs)


def t06_4_wrong_all_batches_at_each_rate(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    lrs = _geometric(start_lr, end_lr, num_iter)
    every = [lr for lr in lrs for _ in batches]
    _, losses = _ranged(model, batches, every)
    n = len(batches)
    means = [sum(losses[i : i + n]) / n for i in range(0, len(losses) - n + 1, n)]
    return lrs[: len(means)], means


def t06_4_wrong_nothing_undone(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return _ranged(model, batches, lrs, restore=False)


def t06_4_wrong_mode_not_put_back(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    found = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    model.train()
    return found


def t06_4_wrong_always_into_eval(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    found = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    model.eval()
    return found


def t06_4_wrong_only_the_top_mode(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    mode = model.training
    found = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    model.train()
    model.training = mode
    return found


def t06_4_wrong_state_not_copied(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    state, mode = model.state_dict(), model.training
    lrs = _geometric(start_lr, end_lr, num_iter)
    found = _ranged(model, batches, lrs, restore=False)
    model.load_state_dict(state)
    model.train(mode)
    return found


def t06_4_wrong_state_copied_shallowly(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    state, mode = dict(model.state_dict()), model.training
    lrs = _geometric(start_lr, end_lr, num_iter)
    found = _ranged(model, batches, lrs, restore=False)
    model.load_state_dict(state)
    model.train(mode)
    return found


def t06_4_wrong_buffers_forgotten(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    kept, mode = [p.detach().clone() for p in model.parameters()], model.training
    lrs = _geometric(start_lr, end_lr, num_iter)
    found = _ranged(model, batches, lrs, restore=False)
    with torch.no_grad():
        for p, old in zip(model.parameters(), kept, strict=True):
            p.copy_(old)
    model.train(mode)
    return found


def t06_4_wrong_weights_forgotten(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    kept, mode = [b.clone() for b in model.buffers()], model.training
    lrs = _geometric(start_lr, end_lr, num_iter)
    found = _ranged(model, batches, lrs, restore=False)
    for buffer, old in zip(model.buffers(), kept, strict=True):
        buffer.copy_(old)
    model.train(mode)
    return found


def t06_4_wrong_counter_of_batches_forgotten(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    state = copy.deepcopy(model.state_dict())
    state = {k: v for k, v in state.items() if "num_batches" not in k}
    mode = model.training
    lrs = _geometric(start_lr, end_lr, num_iter)
    found = _ranged(model, batches, lrs, restore=False)
    model.load_state_dict(state, strict=False)
    model.train(mode)
    return found


def t06_4_wrong_statistics_reset(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    found = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    return found


def t06_4_wrong_undone_at_the_end_only(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    state, mode = copy.deepcopy(model.state_dict()), model.training
    lrs = _geometric(start_lr, end_lr, num_iter)
    rates, losses = _ranged(model, batches, lrs, restore=False)
    if len(rates) < num_iter:
        return rates, losses
    model.load_state_dict(state)
    model.train(mode)
    return rates, losses


def t06_4_wrong_eval_mode(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    state, mode = copy.deepcopy(model.state_dict()), model.training
    model.eval()
    rates, losses = [], []
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
    for i, lr in enumerate(_geometric(start_lr, end_lr, num_iter)):
        optimizer.param_groups[0]["lr"] = lr
        images, labels = batches[i % len(batches)]
        loss = nn.functional.cross_entropy(model(images), labels)
        if not loss.isfinite():
            break
        rates.append(lr)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.load_state_dict(state)
    model.train(mode)
    return rates, losses


def _stepped(model, batches, lrs, *, zero=True, after=False, stops=math.isfinite,
             keeps=False):  # fmt: skip
    """The loop with one thing done otherwise; put back at the end."""
    state, mode = copy.deepcopy(model.state_dict()), model.training
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=lrs[0])
    rates, losses = [], []
    for i, lr in enumerate(lrs):
        optimizer.param_groups[0]["lr"] = lr
        images, labels = batches[i % len(batches)]
        loss = nn.functional.cross_entropy(model(images), labels)
        goes_on = stops(loss.item())
        if not goes_on and not keeps:
            break
        if zero:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after:
            with torch.no_grad():
                loss = nn.functional.cross_entropy(model(images), labels)
        rates.append(lr)
        losses.append(loss.item())
        if not goes_on:
            break
    model.load_state_dict(state)
    model.train(mode)
    return rates, losses


def t06_4_wrong_loss_after_the_update(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    return _stepped(model, batches, _geometric(start_lr, end_lr, num_iter), after=True)


def t06_4_wrong_gradients_add_up(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    return _stepped(model, batches, _geometric(start_lr, end_lr, num_iter), zero=False)


def t06_4_wrong_never_stops(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return _stepped(model, batches, lrs, stops=lambda loss: True)


def t06_4_wrong_last_loss_recorded_too(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    return _stepped(model, batches, _geometric(start_lr, end_lr, num_iter), keeps=True)


def t06_4_wrong_infinity_goes_on(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return _stepped(model, batches, lrs, stops=lambda loss: not math.isnan(loss))


def t06_4_wrong_nan_goes_on(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return _stepped(model, batches, lrs, stops=lambda loss: loss != math.inf)


def t06_4_wrong_steps_skipped_not_ended(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    lrs = _geometric(start_lr, end_lr, num_iter)
    rates, losses = _stepped(model, batches, lrs, stops=lambda loss: True)
    both = [(r, v) for r, v in zip(rates, losses, strict=True) if not math.isnan(v)]
    return [r for r, _ in both], [v for _, v in both]


def t06_4_wrong_ends_when_it_diverges(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    rates, losses = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    for i, loss in enumerate(losses):
        if loss > 4 * min(losses[: i + 1]):
            return rates[:i], losses[:i]
    return rates, losses


def t06_4_wrong_the_courses_tool(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
    curve = lr_range_test(model, batches, optimizer, start_lr=start_lr,
                          end_lr=end_lr, num_iter=num_iter)  # fmt: skip
    return curve.lrs, curve.losses


def t06_4_wrong_best_loss_so_far(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    rates, losses = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    return rates, [min(losses[: i + 1]) for i in range(len(losses))]


def t06_4_wrong_smoothed(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates, losses = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    return rates, list(itertools.accumulate(losses, lambda a, b: 0.9 * a + 0.1 * b))


def t06_4_wrong_rates_as_logarithms(
    model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40
):
    rates, losses = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    return [math.log10(rate) for rate in rates], losses


def t06_4_wrong_all_rates(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs = _geometric(start_lr, end_lr, num_iter)
    return lrs, _ranged(model, batches, lrs)[1]


def t06_4_right_tensors(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates, losses = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    return rates, [torch.tensor(loss) for loss in losses]


def t06_4_wrong_turned_over(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates, losses = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    return losses, rates


def t06_4_wrong_pairs(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates, losses = _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))
    return list(zip(rates, losses, strict=True))


def t06_4_wrong_no_return(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    _ranged(model, batches, _geometric(start_lr, end_lr, num_iter))


# --- 06.5 Warm up, then cosine: f(step, total, warmup, peak, final) -> float


def t06_5_right_math(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = (step - warmup) / (total - 1 - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * done)) / 2


def t06_5_right_square_of_half_the_angle(step, total, warmup, peak, final=0.0):
    if step <= warmup:
        stride = peak / (warmup + 1)
        return stride * (step + 1)
    angle = math.pi / 2 * (step - warmup) / (total - warmup - 1)
    return final * math.sin(angle) ** 2 + peak * math.cos(angle) ** 2


def t06_5_right_whole_list(step, total, warmup, peak, final=0.0):
    climb = np.linspace(0, peak, warmup + 2)[1:-1]
    turn = np.cos(np.linspace(0, np.pi, total - warmup))
    fall = final + 0.5 * (peak - final) * (1 + turn)
    return float(np.concatenate([climb, fall])[step])


def t06_5_right_numpy_float(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return np.float64(peak) * (step + 1) / (warmup + 1)
    share = (step - warmup) / (total - 1 - warmup)
    middle, height = (peak + final) / 2, (peak - final) / 2
    return middle + height * np.cos(share * np.pi)


def t06_5_right_sine(step, total, warmup, peak, final=0.0):
    rates = [peak * i / (warmup + 1) for i in range(1, warmup + 1)]
    length = total - 1 - warmup
    for i in range(length + 1):
        share = (1 - math.sin(math.pi * (i / length - 0.5))) / 2
        rates.append(final + share * (peak - final))
    return rates[step]


def t06_5_right_torch_schedulers(step, total, warmup, peak, final=0.0):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    linear = torch.optim.lr_scheduler.LinearLR
    if step < warmup:
        first = 1 / (warmup + 1)
        scheduler = linear(optimizer, first, total_iters=warmup)
        steps = step
    else:
        scheduler = cosine(optimizer, T_max=total - 1 - warmup, eta_min=final)
        steps = step - warmup
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
    return scheduler.get_last_lr()[0]


def _cosine(share, peak, final):
    return final + (peak - final) * (1 + math.cos(math.pi * share)) / 2


def _fall(step, total, warmup, peak, final):
    return _cosine((step - warmup) / (total - 1 - warmup), peak, final)


def t06_5_wrong_starts_at_zero(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * step / warmup
    return _fall(step, total, warmup, peak, final)


def t06_5_wrong_peak_a_step_early(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / warmup
    return _fall(step, total, warmup, peak, final)


def t06_5_wrong_stride_of_one_more(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * step / (warmup + 1)
    return _fall(step, total, warmup, peak, final)


def t06_5_wrong_climbs_from_final(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return final + (peak - final) * (step + 1) / (warmup + 1)
    return _fall(step, total, warmup, peak, final)


def t06_5_wrong_climbs_as_a_cosine(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return _cosine(1 - (step + 1) / (warmup + 1), peak, 0.0)
    return _fall(step, total, warmup, peak, final)


def t06_5_wrong_climbs_by_a_factor(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * 0.5 ** (warmup - step)
    return _fall(step, total, warmup, peak, final)


def t06_5_wrong_no_warm_up(step, total, warmup, peak, final=0.0):
    return _fall(step, total, 0, peak, final)


def t06_5_wrong_flat_warm_up(step, total, warmup, peak, final=0.0):
    return peak if step < warmup else _fall(step, total, warmup, peak, final)


def t06_5_wrong_end_not_reached(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return _cosine((step - warmup) / (total - warmup), peak, final)


def t06_5_wrong_fall_begins_a_step_late(step, total, warmup, peak, final=0.0):
    if step <= warmup:
        return peak * (step + 1) / (warmup + 1)
    return _cosine((step - warmup - 1) / (total - warmup - 2), peak, final)


def t06_5_wrong_fall_begins_a_step_early(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return _cosine((step - warmup + 1) / (total - warmup), peak, final)


def t06_5_wrong_cosine_of_all_steps(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return _cosine(step / (total - 1), peak, final)


def t06_5_wrong_warm_up_times_cosine(step, total, warmup, peak, final=0.0):
    climb = min(1.0, (step + 1) / (warmup + 1))
    return climb * _cosine(step / (total - 1), peak, final)


def t06_5_wrong_whole_cosine(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return _cosine(2 * (step - warmup) / (total - 1 - warmup), peak, final)


def t06_5_wrong_quarter_of_a_cosine(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / (total - 1 - warmup)
    return final + (peak - final) * math.cos(math.pi / 2 * share)


def t06_5_wrong_linear_fall(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / (total - 1 - warmup)
    return peak + (final - peak) * share


def t06_5_wrong_degrees(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / (total - 1 - warmup)
    return final + (peak - final) * (1 + math.cos(180 * share)) / 2


def t06_5_wrong_final_ignored(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return _fall(step, total, warmup, peak, 0.0)


def t06_5_wrong_final_added(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return final + _fall(step, total, warmup, peak, 0.0)


def t06_5_wrong_cut_off_at_final(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return max(final, _fall(step, total, warmup, peak, 0.0))


def t06_5_wrong_final_as_a_share(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return _fall(step, total, warmup, peak, peak * final)


def t06_5_wrong_last_step_set_apart(step, total, warmup, peak, final=0.0):
    if step == total - 1:
        return final
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return _cosine((step - warmup) / (total - warmup), peak, final)


def t06_5_wrong_steps_from_one(step, total, warmup, peak, final=0.0):
    if step <= warmup:
        return peak * step / (warmup + 1)
    return _cosine((step - warmup - 1) / (total - warmup - 1), peak, final)


def t06_5_wrong_cosine_upside_down(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak + final - _fall(step, total, warmup, peak, final)


def t06_5_wrong_peak_of_one(step, total, warmup, peak, final=0.0):
    return t06_5_right_math(step, total, warmup, 1.0, final)


def t06_5_wrong_rounded(step, total, warmup, peak, final=0.0):
    return round(t06_5_right_math(step, total, warmup, peak, final), 1)


def t06_5_wrong_the_list(step, total, warmup, peak, final=0.0):
    return [t06_5_right_math(s, total, warmup, peak, final) for s in range(total)]


def t06_5_wrong_no_return(step, total, warmup, peak, final=0.0):
    t06_5_right_math(step, total, warmup, peak, final)


# --- All of them


def _named(start):
    return [f for name, f in list(globals().items()) if name.startswith(start)]


_CODE = (*(f"05.{n}" for n in range(1, 6)), *(f"06.{n}" for n in range(1, 6)))

RIGHT: dict[str, list] = {
    task: _named(f"t{task.replace('.', '_')}_right_") for task in _CODE
}
WRONG: dict[str, list] = {
    task: _named(f"t{task.replace('.', '_')}_wrong_") for task in _CODE
}

# 05.6 Validation accuracy falls after epoch 5
RIGHT["05.6"] = [
    {"A": "a", "B": "b", "C": "c"},
    dict(C="c", B="b", A="a"),
    {"A": "A", "B": "B", "C": "C"},
    {"B": " b", "A": "a ", "C": "c"},
    {"a": "A", "b": "B", "c": "C"},
]
WRONG["05.6"] = [
    {"A": "a", "B": "c", "C": "b"},
    {"A": "a", "B": "b", "C": "b"},
    {"A": "a", "B": "c", "C": "c"},
    {"A": "b", "B": "b", "C": "c"},
    {"A": "c", "B": "b", "C": "c"},
    {"A": "e", "B": "b", "C": "c"},
    {"A": "d", "B": "b", "C": "c"},
    {"A": "a", "B": "a", "C": "c"},
    {"A": "a", "B": "d", "C": "c"},
    {"A": "a", "B": "e", "C": "c"},
    {"A": "a", "B": "b", "C": "a"},
    {"A": "a", "B": "b", "C": "d"},
    {"A": "a", "B": "b", "C": "e"},
    {"A": "e", "B": "e", "C": "e"},
    {"A": "a", "B": "a", "C": "a"},
    {"A": "f", "B": "b", "C": "c"},
    {"A": "a", "B": "b"},
    {"A": "ab", "B": "b", "C": "c"},
    {"A": ["a"], "B": ["b"], "C": ["c"]},
    {1: "a", 2: "b", 3: "c"},
    {},
    "abc",
    ["a", "b", "c"],
    [("A", "a"), ("B", "b"), ("C", "c")],
]

# 05.7 Which frozen weights move?
RIGHT["05.7"] = ["bcf", "fcb", "BCF", "b, c, f", "b c f", "b,f,c"]
WRONG["05.7"] = [
    "",
    "a",
    "b",
    "bc",
    "bf",
    "cf",
    "abc",
    "abcf",
    "bcdf",
    "bcef",
    "bcdef",
    "abcef",
    "abcdef",
    "ade",
    "abe",
    "abef",
    "bcg",
    "bcfg",
    "none",
    "123",
    ["b", "c", "f"],
    {"b", "c", "f"},
    ("b", "c", "f"),
    {"a": False, "b": True, "c": True, "d": False, "e": False, "f": True},
    6,
]

# 06.6 What one step at 0.1 does
RIGHT["06.6"] = ["d", "D", " d "]
WRONG["06.6"] = ["a", "b", "c", "e", "f", "", "de", "a lot", 4, ["d"], {"d": True}]
