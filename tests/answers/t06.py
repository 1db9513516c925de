"""Answers to the tasks 06.1 to 06.6."""

import copy
import itertools
import math

import numpy as np
import torch
from torch import nn

from tests.answers import With

# --- 06.1 ---------------------------------------------------------------------------


def _parameters(model, layers):
    return [p for name in layers for p in model.get_submodule(name).parameters()]


def _grouped(model, stages, rates):
    pairs = zip(stages.items(), rates, strict=True)
    return [
        {"params": _parameters(model, layers), "lr": rate, "name": name}
        for (name, layers), rate in pairs
    ]


def stages_counted(model, stages, lr, ratio):
    last = len(stages) - 1
    return _grouped(model, stages, [lr * ratio ** (last - i) for i in range(last + 1)])


def stages_from_the_head(model, stages, lr, ratio):
    groups = []
    for name in list(stages)[::-1]:
        parameters = _parameters(model, stages[name])
        groups.insert(0, {"name": name, "lr": lr, "params": parameters})
        lr *= ratio
    return groups


def stages_by_names(model, stages, lr, ratio):
    rate, groups = lr / ratio ** -(len(stages) - 1), []
    for group, layers in stages.items():
        inside = tuple(f"{layer}." for layer in layers)
        parameters = (p for n, p in model.named_parameters() if n.startswith(inside))
        groups.append(dict(params=list(parameters), lr=rate, name=group))
        rate /= ratio
    return groups


def stages_of_generators(model, stages, lr, ratio):
    rates = np.geomspace(lr * ratio ** (len(stages) - 1), lr, len(stages))
    groups = _grouped(model, stages, rates)
    return [group | {"params": iter(group["params"])} for group in groups]


def stages_reversed(model, stages, lr, ratio):
    return _grouped(model, stages, [lr * ratio**i for i in range(len(stages))])


def stages_head_first(model, stages, lr, ratio):
    return stages_counted(model, stages, lr, ratio)[::-1]


def stages_ratio_twice(model, stages, lr, ratio):
    return stages_counted(model, stages, lr, ratio**2)


def stages_head_scaled(model, stages, lr, ratio):
    return stages_counted(model, stages, lr * ratio, ratio)


def stages_two_rates(model, stages, lr, ratio):
    return _grouped(model, stages, [lr * ratio] * (len(stages) - 1) + [lr])


def stages_factor_ten(model, stages, lr, ratio):
    return stages_counted(model, stages, lr, 0.1)


def stages_one_rate(model, stages, lr, ratio):
    return stages_counted(model, stages, lr, 1)


def stages_linear(model, stages, lr, ratio):
    count = len(stages)
    return _grouped(model, stages, [lr * (i + 1) / count for i in range(count)])


def stages_first_layer(model, stages, lr, ratio):
    firsts = {name: layers[:1] for name, layers in stages.items()}
    return stages_counted(model, firsts, lr, ratio)


def stages_without_frozen(model, stages, lr, ratio):
    groups = stages_counted(model, stages, lr, ratio)
    for group in groups:
        group["params"] = [p for p in group["params"] if p.requires_grad]
    return groups


def stages_by_prefix(model, stages, lr, ratio):
    groups = stages_counted(model, stages, lr, ratio)
    for group, layers in zip(groups, stages.values(), strict=True):
        known = model.named_parameters()
        group["params"] = [p for n, p in known if n.startswith(tuple(layers))]
    return groups


def stages_by_getattr(model, stages, lr, ratio):
    groups = stages_counted(model, dict.fromkeys(stages, ()), lr, ratio)
    for group, layers in zip(groups, stages.values(), strict=True):
        group["params"] = [p for n in layers for p in getattr(model, n).parameters()]
    return groups


def stages_each_layer(model, stages, lr, ratio):
    layers = {name: [name] for names in stages.values() for name in names}
    return stages_counted(model, layers, lr, ratio)


def stages_without_rates(model, stages, lr, ratio):
    groups = stages_counted(model, stages, lr, ratio)
    return [{k: v for k, v in group.items() if k != "lr"} for group in groups]


def stages_without_names(model, stages, lr, ratio):
    groups = stages_counted(model, stages, lr, ratio)
    return [{k: v for k, v in group.items() if k != "name"} for group in groups]


def stages_texts(model, stages, lr, ratio):
    groups = stages_counted(model, stages, lr, ratio)
    for group, layers in zip(groups, stages.values(), strict=True):
        group["params"] = layers
    return groups


def stages_of_tensor_rates(model, stages, lr, ratio):
    groups = stages_counted(model, stages, lr, ratio)
    return [{**group, "lr": torch.tensor(group["lr"])} for group in groups]


def _altered(answer, alter):
    """Answers whose groups are altered, each or all together."""
    return lambda *given: alter(answer(*given))


def _each(answer, alter):
    return _altered(answer, lambda groups: [alter(group) for group in groups])


def _lists(group):
    return group["params"]


def _other_key(group):
    return {"parameters" if k == "params" else k: v for k, v in group.items()}


def _set(group):
    return {**group, "params": set(group["params"])}


def _detached(group):
    return {**group, "params": [p.data for p in group["params"]]}


def _twice(group):
    return {**group, "params": [*group["params"], *group["params"][:1]]}


def _moved(groups):
    groups[1]["params"].append(groups[0]["params"].pop())
    return groups


stages_lists = _each(stages_counted, _lists)
stages_other_key = _each(stages_counted, _other_key)
stages_sets = _each(stages_counted, _set)
stages_detached = _each(stages_counted, _detached)
stages_repeated = _each(stages_counted, _twice)
stages_moved = _altered(stages_counted, _moved)


def stages_thawed(model, stages, lr, ratio):
    return stages_counted(model.requires_grad_(True), stages, lr, ratio)


def stages_by_part_of_a_name(model, stages, lr, ratio):
    known = list(model.named_parameters())
    groups = stages_counted(model, stages, lr, ratio)
    for group in groups:
        layers = stages[group["name"]]
        group["params"] = [p for n, p in known if any(x in n for x in layers)]
    return groups


def _nested(group):
    return group | {"params": [list(group["params"])]}


stages_nested = _each(stages_counted, _nested)


def stages_of_weights(model, stages, lr, ratio):
    groups = stages_counted(model, stages, lr, ratio)
    for group in groups:
        layers = map(model.get_submodule, stages[group["name"]])
        group["params"] = [layer.weight for layer in layers]
    return groups


def stages_of_the_example(model, stages, lr, ratio):
    names = ["stem", "layer2", "layer3", "layer4", "head"]
    return stages_counted(model, {name: stages[name] for name in names}, lr, ratio)


def stages_tuple(model, stages, lr, ratio):
    return tuple(stages_counted(model, stages, lr, ratio))


# --- 06.2 ---------------------------------------------------------------------------


def _two(body, head, lr, head_lr):
    return [{"params": body, "lr": lr}, {"params": head, "lr": head_lr}]


def _learning(parameters):
    return [p for p in parameters if p.requires_grad]


def bug_by_id(model, lr, head_lr):
    mine = {id(p) for p in model.fc.parameters()}
    body = [p for p in _learning(model.parameters()) if id(p) not in mine]
    return _two(body, _learning(model.fc.parameters()), lr, head_lr)


def bug_by_is(model, lr, head_lr):
    head = _learning(model.fc.parameters())
    body = []
    for p in model.parameters():
        if p.requires_grad and not any(p is q for q in head):
            body.append(p)
    groups = _two(body, head, lr, head_lr)[::-1]
    return [group for group in groups if group["params"]]


def bug_tuple(model, lr, head_lr):
    return tuple(bug_by_is(model, lr, head_lr))


def bug_nested(model, lr, head_lr):
    return [_nested(group) for group in bug_by_is(model, lr, head_lr)]


def bug_by_children(model, lr, head_lr):
    others = [m for n, m in model.named_children() if n != "fc"]
    body = [p for m in others for p in m.parameters() if p.requires_grad]
    return _two(body, filter(lambda p: p.requires_grad, model.fc.parameters()), lr,
                head_lr)  # fmt: skip


def bug_by_first_part(model, lr, head_lr):
    found = {False: [], True: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found[name.split(".")[0] == "fc"].append((name, parameter))
    return _two(found[False], found[True], lr, head_lr)


def bug_as_written(model, lr, head_lr):
    groups = [{"params": [p], "lr": lr} for p in _learning(model.parameters())]
    return [*groups, {"params": model.fc.parameters(), "lr": head_lr}]


def bug_two_lists(model, lr, head_lr):
    body = _learning(model.parameters())
    return _two(body, _learning(model.fc.parameters()), lr, head_lr)


def bug_no_head(model, lr, head_lr):
    return bug_by_id(model, lr, head_lr)[:1]


def bug_one_each(model, lr, head_lr):
    known = model.named_parameters()
    return [
        {"params": [p], "lr": head_lr if n.startswith("fc.") else lr}
        for n, p in known
        if p.requires_grad
    ]


def bug_never_added(model, lr, head_lr):
    return [{"params": _learning(model.parameters()), "lr": lr}]


def bug_tensor_in(model, lr, head_lr):
    head = list(model.fc.parameters())
    body = [p for p in model.parameters() if p.requires_grad and p not in head]
    return _two(body, head, lr, head_lr)


def bug_fc_inside(model, lr, head_lr):
    known = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    body = [p for n, p in known if "fc" not in n]
    return _two(body, [p for n, p in known if "fc" in n], lr, head_lr)


def bug_fc_left_out(model, lr, head_lr):
    known = model.named_parameters()
    body = [p for n, p in known if not n.startswith("fc") and p.requires_grad]
    return _two(body, _learning(model.fc.parameters()), lr, head_lr)


def bug_swapped(model, lr, head_lr):
    return bug_by_id(model, head_lr, lr)


def bug_frozen_head_in(model, lr, head_lr):
    return _two(bug_by_id(model, lr, head_lr)[0]["params"], model.fc.parameters(), lr,
                head_lr)  # fmt: skip


def bug_frozen_in(model, lr, head_lr):
    mine = {id(p) for p in model.fc.parameters()}
    body = [p for p in model.parameters() if id(p) not in mine]
    return _two(body, model.fc.parameters(), lr, head_lr)


def bug_sets(model, lr, head_lr):
    head = set(model.fc.parameters())
    return _two(set(model.parameters()) - head, head, lr, head_lr)


def bug_default_rate(model, lr, head_lr):
    groups = bug_by_id(model, lr, head_lr)
    del groups[0]["lr"]
    return groups


def bug_last_linear(model, lr, head_lr):
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    mine = {id(p) for p in last.parameters()}
    body = [p for p in _learning(model.parameters()) if id(p) not in mine]
    return _two(body, _learning(last.parameters()), lr, head_lr)


def bug_names(model, lr, head_lr):
    learning = [n for n, p in model.named_parameters() if p.requires_grad]
    head = [n for n in learning if n.startswith("fc.")]
    return _two([n for n in learning if n not in head], head, lr, head_lr)


bug_lists = _each(bug_by_id, _lists)
bug_other_key = _each(bug_by_id, _other_key)
bug_repeated = _each(bug_by_id, _twice)


def bug_layers(model, lr, head_lr):
    return _two([model.layer1], [model.fc], lr, head_lr)


def bug_ten_times(model, lr, head_lr):
    return bug_by_id(model, lr, 10 * lr)


def _bug_by(is_head):
    def answer(model, lr, head_lr):
        found = {False: [], True: []}
        for name, p in model.named_parameters():
            if p.requires_grad:
                found[is_head(model, name, p)].append(p)
        return _two(found[False], found[True], lr, head_lr)

    return answer


bug_by_last_layer = _bug_by(lambda model, name, p: name.split(".")[-2:-1] == ["fc"])
bug_by_shape = _bug_by(
    lambda model, name, p: p.shape in [q.shape for q in model.fc.parameters()]
)
bug_weights_alone = _bug_by(
    lambda model, name, p: name.startswith("fc.") and name.endswith("weight")
)
bug_single_layer = _bug_by(lambda model, name, p: name in ("fc.weight", "fc.bias"))


# --- 06.3 ---------------------------------------------------------------------------


def _decays(model, rule, weight_decay):
    known = list(model.named_parameters())
    weights = [p for name, p in known if rule(name, p)]
    others = [p for name, p in known if not rule(name, p)]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0},
    ]


def decay_shape(model, weight_decay):
    return _decays(model, lambda n, p: len(p.shape) >= 2, weight_decay)


def decay_loop(model, weight_decay):
    plain = {"params": [], "weight_decay": 0.0}
    decayed = {"params": [], "weight_decay": weight_decay}
    for parameter in model.parameters():
        (plain if parameter.dim() in (0, 1) else decayed)["params"].append(parameter)
    return [plain, decayed]


def decay_tuple(model, weight_decay):
    return tuple(decay_loop(model, weight_decay))


def decay_nested(model, weight_decay):
    return [_nested(group) for group in decay_loop(model, weight_decay)]


def decay_set(model, weight_decay):
    vectors = {id(p) for p in model.parameters() if p.squeeze().shape == p.shape[:1]}
    vectors |= {id(p) for p in model.parameters() if p.ndim == 0}
    vectors -= {id(p) for p in model.parameters() if p.ndim > 1}
    return _decays(model, lambda n, p: id(p) not in vectors, weight_decay)


def decay_bn_in_name(model, weight_decay):
    return _decays(
        model, lambda n, p: "bn" not in n and not n.endswith("bias"), weight_decay
    )


def decay_norm_in_name(model, weight_decay):
    spared = "bn", "norm", "bias"
    return _decays(model, lambda n, p: not any(s in n for s in spared), weight_decay)


def decay_batchnorm_class(model, weight_decay):
    kinds = nn.BatchNorm2d
    spared = [
        p for m in model.modules() if isinstance(m, kinds) for p in m.parameters()
    ]
    ids = {id(p) for p in spared}
    return _decays(
        model,
        lambda n, p: id(p) not in ids and not n.endswith("bias"),
        weight_decay,
    )


def decay_biases_only(model, weight_decay):
    return _decays(model, lambda n, p: not n.endswith("bias"), weight_decay)


def decay_norms_only(model, weight_decay):
    kinds = nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm
    spared = [
        p for m in model.modules() if isinstance(m, kinds) for p in m.parameters()
    ]
    ids = {id(p) for p in spared}
    return _decays(model, lambda n, p: id(p) not in ids, weight_decay)


def decay_swapped(model, weight_decay):
    return _decays(model, lambda n, p: p.ndim < 2, weight_decay)


def decay_one_dimension(model, weight_decay):
    return _decays(model, lambda n, p: p.ndim != 1, weight_decay)


def decay_no_embedding(model, weight_decay):
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    return _decays(model, lambda n, p: p.ndim > 1 and id(p) not in tables, weight_decay)


def decay_name_and_shape(model, weight_decay):
    return _decays(model, lambda n, p: p.ndim > 1 and "bn" not in n, weight_decay)


def decay_four_dimensions(model, weight_decay):
    return _decays(model, lambda n, p: p.ndim == 4, weight_decay)


def decay_learning(model, weight_decay):
    groups = decay_shape(model, weight_decay)
    return [g | {"params": [p for p in g["params"] if p.requires_grad]} for g in groups]


def decay_layer_by_layer(model, weight_decay):
    known = [p for m in model.modules() for p in m.parameters(recurse=False)]
    return [
        {"params": [p for p in known if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in known if p.ndim < 2], "weight_decay": 0.0},
    ]


def decay_bare_vectors(model, weight_decay):
    return _decays(
        model, lambda n, p: p.ndim > 1 or (p.ndim == 1 and "." not in n), weight_decay
    )


decay_numpy = _each(
    decay_shape, lambda g: g | {"weight_decay": np.float64(g["weight_decay"])}
)
decay_other_key = _each(decay_shape, _other_key)
decay_sets = _each(decay_shape, _set)
decay_detached = _each(decay_shape, _detached)


def decay_known_layers(model, weight_decay):
    known = [m for m in model.modules() if list(m.children()) == []]
    parameters = {id(p): p for m in known for p in m.parameters()}.values()
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def decay_unsaid(model, weight_decay):
    groups = decay_shape(model, weight_decay)
    del groups[1]["weight_decay"]
    return groups


def decay_fixed(model, weight_decay):
    return decay_shape(model, 0.01)


def decay_one_each(model, weight_decay):
    return [
        {"params": [p], "weight_decay": weight_decay if p.ndim > 1 else 0.0}
        for p in model.parameters()
    ]


def decay_used_up(model, weight_decay):
    known = model.parameters()
    decaying = [p for p in known if p.ndim > 1]
    others = [p for p in known if p.ndim <= 1]
    return [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def decay_two_or_four(model, weight_decay):
    known = list(model.parameters())
    return [
        {
            "params": [p for p in known if p.ndim in (2, 4)],
            "weight_decay": weight_decay,
        },
        {"params": [p for p in known if p.ndim == 1], "weight_decay": 0.0},
    ]


# --- 06.4 ---------------------------------------------------------------------------


def _rates(start, end, count):
    return np.geomspace(start, end, count).tolist()


def _run(model, batches, rates, *, record="before", zero=True, put=None, **options):
    """Rates and losses of a run, which changes the model; `options` are SGD's."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rates[0], **options)
    lrs, losses = [], []
    for rate, (images, labels) in zip(rates, itertools.cycle(batches), strict=False):
        if put is None:
            optimizer.param_groups[0]["lr"] = rate
        else:
            put(optimizer, rate)
        loss = nn.functional.cross_entropy(model(images), labels)
        if not torch.isfinite(loss):
            break
        if zero:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if record == "after":
            with torch.no_grad():
                loss = nn.functional.cross_entropy(model(images), labels)
        lrs.append(rate)
        losses.append(loss.item())
    return lrs, losses


def _undone(model, run, *, keep=copy.deepcopy):
    """Keep, train, run, and put back."""
    kept, training = keep(model.state_dict()), model.training
    model.train()
    found = run()
    model.load_state_dict(kept)
    model.train(training)
    return found


def range_on_a_copy(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    twin = copy.deepcopy(model).train()
    return _run(twin, batches, _rates(start_lr, end_lr, num_iter))


def range_by_hand(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    tensors = [*model.parameters(), *model.buffers()]
    kept, mode = [t.detach().clone() for t in tensors], model.training
    model.train()
    lrs, losses, lr = [], [], start_lr
    for step in range(num_iter):
        images, labels = batches[step % len(batches)]
        loss = nn.CrossEntropyLoss()(model(images), labels)
        if loss.isnan() or loss.isinf():
            break
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, gradient in zip(model.parameters(), gradients, strict=True):
                p -= lr * gradient
        lrs.append(lr)
        losses.append(float(loss))
        lr *= (end_lr / start_lr) ** (1 / (num_iter - 1))
    with torch.no_grad():
        for tensor, value in zip(tensors, kept, strict=True):
            tensor.copy_(value)
    model.train(mode)
    return lrs, losses


def range_scheduler(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    kept, mode = copy.deepcopy(model.state_dict()), model.training
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
    gamma = (end_lr / start_lr) ** (1 / (num_iter - 1))
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
    lrs, losses = [], []
    try:
        for step in range(num_iter):
            images, labels = batches[step % len(batches)]
            loss = nn.functional.cross_entropy(model(images), labels)
            if not math.isfinite(loss):
                return [lrs, losses]
            losses.append(loss.item())
            lrs.append(scheduler.get_last_lr()[0])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
    finally:
        model.load_state_dict(kept)
        model.train(mode)
    return [lrs, losses]


def range_logspace(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    ends = math.log10(start_lr), math.log10(end_lr)
    rates = torch.logspace(*ends, num_iter, dtype=torch.float64).tolist()
    return _undone(model, lambda: _run(model, batches, rates))


def _range(rates=_rates, keep=copy.deepcopy, **options):
    def answer(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
        found = rates(start_lr, end_lr, num_iter)
        return _undone(model, lambda: _run(model, batches, found, **options), keep=keep)

    return answer


def range_numpy(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    found = range_on_a_copy(model, batches, start_lr, end_lr, num_iter)
    return [list(np.array(values)) for values in found]


range_linear = _range(lambda a, b, n: np.linspace(a, b, n).tolist())
range_end_missed = _range(lambda a, b, n: [a * (b / a) ** (i / n) for i in range(n)])
range_start_missed = _range(lambda a, b, n: _rates(a, b, n + 1)[1:])
range_one_short = _range(lambda a, b, n: _rates(a, b, n)[:-1])
range_one_more = _range(lambda a, b, n: _rates(a, b, n + 1))
range_tenfold = _range(lambda a, b, n: [a * 10**i for i in range(n)])
range_after = _range(record="after")
range_gradients_add_up = _range(zero=False)
range_momentum = _range(momentum=0.9)
range_slight_decay = _range(weight_decay=1e-4)
range_wrong_attribute = _range(
    put=lambda optimizer, rate: setattr(optimizer, "lr", rate)
)
range_aliased = _range(keep=lambda state: state)
range_aliased_dict = _range(keep=dict)
range_aliased_detached = _range(
    keep=lambda state: {k: v.detach() for k, v in state.items()}
)


def range_until_it_diverges(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs, losses = range_scheduler(model, batches, start_lr, end_lr, num_iter)
    for step, loss in enumerate(losses):
        if loss > 4 * min(losses[: step + 1]):
            return lrs[:step], losses[:step]
    return lrs, losses


def range_not_undone(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    mode = model.training
    found = _run(model.train(), batches, _rates(start_lr, end_lr, num_iter))
    model.train(mode)
    return found


def range_parameters_only(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    mode, kept = model.training, [p.detach().clone() for p in model.parameters()]
    found = _run(model.train(), batches, _rates(start_lr, end_lr, num_iter))
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), kept, strict=True):
            parameter.copy_(value)
    model.train(mode)
    return found


def range_left_in_train(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    kept = copy.deepcopy(model.state_dict())
    found = _run(model.train(), batches, _rates(start_lr, end_lr, num_iter))
    model.load_state_dict(kept)
    return found


def range_in_eval(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    twin = copy.deepcopy(model).eval()
    return _run(twin, batches, _rates(start_lr, end_lr, num_iter))


def range_one_round(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    twin = copy.deepcopy(model).train()
    return _run(twin, batches, _rates(start_lr, end_lr, num_iter)[: len(batches)])


def range_one_batch(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    return range_on_a_copy(model, batches[:1], start_lr, end_lr, num_iter)


def range_fresh_each_time(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs, losses = [], []
    for rate, batch in zip(
        _rates(start_lr, end_lr, num_iter), itertools.cycle(batches), strict=False
    ):
        found = _run(copy.deepcopy(model).train(), [batch], [rate])
        lrs, losses = lrs + found[0], losses + found[1]
    return lrs, losses


def _step_by_step(model, batches, rates, finite, leave):
    """A loop with its own idea of a finite loss, and of what to do where it is not."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    lrs, losses = [], []
    for step, rate in enumerate(rates):
        images, labels = batches[step % len(batches)]
        optimizer.param_groups[0]["lr"] = rate
        loss = nn.functional.cross_entropy(model(images), labels)
        if not finite(loss):
            if leave == "break":
                break
            continue
        lrs.append(rate)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lrs, losses


def range_never_stops(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates = _rates(start_lr, end_lr, num_iter)
    twin = copy.deepcopy(model).train()
    return _step_by_step(twin, batches, rates, lambda loss: True, "break")


def range_skips(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates = _rates(start_lr, end_lr, num_iter)
    twin = copy.deepcopy(model).train()
    return _step_by_step(twin, batches, rates, torch.isfinite, "continue")


def range_only_nan(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates = _rates(start_lr, end_lr, num_iter)
    twin = copy.deepcopy(model).train()
    return _step_by_step(twin, batches, rates, lambda x: not x.isnan(), "break")


def range_returns_early(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    kept, mode = copy.deepcopy(model.state_dict()), model.training
    found = _run(model.train(), batches, _rates(start_lr, end_lr, num_iter))
    if len(found[0]) < num_iter:
        return found
    model.load_state_dict(kept)
    model.train(mode)
    return found


def range_tensors(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs, losses = range_on_a_copy(model, batches, start_lr, end_lr, num_iter)
    return lrs, [torch.tensor(loss) for loss in losses]


def range_graphs(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs, losses = range_on_a_copy(model, batches, start_lr, end_lr, num_iter)
    return lrs, [torch.tensor(loss, requires_grad=True) for loss in losses]


def range_pairs(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    found = range_on_a_copy(model, batches, start_lr, end_lr, num_iter)
    return list(zip(*found, strict=True))


def range_rate_first(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    lrs, losses = range_on_a_copy(model, batches, start_lr, end_lr, num_iter)
    rates = _rates(start_lr, end_lr, num_iter)
    return rates[: min(len(lrs) + 1, num_iter)], losses


def range_set_late(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    rates = _rates(start_lr, end_lr, num_iter)
    late = iter([rates[0], *rates])

    def put(optimizer, rate):
        optimizer.param_groups[0]["lr"] = next(late)

    return _run(copy.deepcopy(model).train(), batches, rates, put=put)


def _range_of_loss(change):
    """A range test whose batches or losses are changed; `change` gives a new loss."""

    def answer(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
        rates, losses = _rates(start_lr, end_lr, num_iter), []

        def run():
            optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
            for step, rate in enumerate(rates):
                optimizer.param_groups[0]["lr"] = rate
                images, labels = batches[step % len(batches)]
                loss = change(model, images, labels)
                if not torch.isfinite(loss):
                    break
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())

        _undone(model, run)
        return rates[: len(losses)], losses

    return answer


range_summed = _range_of_loss(
    lambda net, x, y: nn.functional.cross_entropy(net(x), y, reduction="sum")
)
range_softmax = _range_of_loss(
    lambda net, x, y: nn.functional.cross_entropy(net(x).softmax(1), y)
)
range_labels_first = _range_of_loss(
    lambda net, x, y: nn.functional.cross_entropy(net(y), x)
)


def range_second_first(model, batches, *numbers):
    return range_on_a_copy(model, batches[1:] + batches[:1], *numbers)


def range_of_shares(model, batches, *numbers):
    rates, losses = range_on_a_copy(model, batches, *numbers)
    return rates, [loss / len(batches[0][1]) for loss in losses]


def range_to_one(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    return range_on_a_copy(model, batches, start_lr, 1.0, num_iter)


def range_past_the_end(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    steps = [batches[step] for step in range(num_iter)]
    return range_on_a_copy(model, steps, start_lr, end_lr, num_iter)


# --- 06.5 ---------------------------------------------------------------------------


def _half(t):
    return (1 + math.cos(math.pi * t)) / 2


def _rest(step, total, warmup):
    return (step - warmup) / (total - 1 - warmup)


def rate_by_mixing(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return (step + 1) * (peak / (warmup + 1))
    weight = 0.5 + 0.5 * math.cos(_rest(step, total, warmup) * math.pi)
    return weight * peak + (1 - weight) * final


def rate_numpy(step, total, warmup, peak, final=0.0):
    climb = np.linspace(0, peak, warmup + 2)[1:-1]
    angles = np.linspace(0, np.pi, total - warmup)
    fall = final + (peak - final) * np.cos(angles / 2) ** 2
    return np.concatenate([climb, fall])[step]


def rate_torch(step, total, warmup, peak, final=0.0):
    if step <= warmup:
        return peak * (step + 1) / (warmup + 1)
    left = torch.tensor(math.pi * _rest(step, total, warmup), dtype=torch.float64)
    return float(peak - (peak - final) * (1 - left.cos()) / 2)


def rate_tensor(step, total, warmup, peak, final=0.0):
    return torch.tensor(rate_by_mixing(step, total, warmup, peak, final))


def rate_scheduler(step, total, warmup, peak, final=0.0):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=peak)
    strides = total - 1 - warmup
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, strides, final)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    for _ in range(step - warmup):
        optimizer.step()
        cosine.step()
    return optimizer.param_groups[0]["lr"]


def _rate(climb=None, done=_rest, shape=None):
    def answer(step, total, warmup, peak, final=0.0):
        if step < warmup:
            if climb is None:
                return peak * (step + 1) / (warmup + 1)
            return climb(step, warmup, peak)
        t = done(step, total, warmup)
        if shape is None:
            return final + (peak - final) * _half(t)
        return shape(t, peak, final)

    return answer


rate_from_zero = _rate(climb=lambda s, w, peak: peak * s / w)
rate_zero_strides = _rate(climb=lambda s, w, peak: peak * s / (w + 1))
rate_peak_early = _rate(climb=lambda s, w, peak: peak * (s + 1) / w)
rate_squared_climb = _rate(climb=lambda s, w, peak: peak * ((s + 1) / (w + 1)) ** 2)
rate_over_total = _rate(done=lambda s, n, w: s / n)
rate_counted_from_zero = _rate(done=lambda s, n, w: s / (n - 1))
rate_out_of_total = _rate(done=lambda s, n, w: (s - w) / n)
rate_end_late = _rate(done=lambda s, n, w: (s - w) / (n - w))
rate_full_wave = _rate(shape=lambda t, p, f: f + (p - f) * _half(2 * t))
rate_quarter = _rate(shape=lambda t, p, f: f + (p - f) * math.cos(math.pi / 2 * t))
rate_rising = _rate(shape=lambda t, p, f: f + (p - f) * _half(1 - t))
rate_doubled = _rate(shape=lambda t, p, f: f + (p - f) * 2 * _half(t))
rate_bare_cosine = _rate(shape=lambda t, p, f: f + (p - f) * math.cos(math.pi * t))
rate_above_peak = _rate(shape=lambda t, p, f: f + p * _half(t))
rate_no_final = _rate(shape=lambda t, p, f: p * _half(t))
rate_at_least = _rate(shape=lambda t, p, f: max(f, p * _half(t)))
rate_straight = _rate(shape=lambda t, p, f: p + (f - p) * t)
rate_degrees = _rate(shape=lambda t, p, f: f + (p - f) * (1 + math.cos(180 * t)) / 2)


rate_by_whole_numbers = _rate(climb=lambda s, w, peak: (s + 1) // (w + 1) * peak)
rate_of_the_example = _rate(climb=lambda s, w, peak: 0.2 * (s + 1))


def rate_share(step, total, warmup, peak, final=0.0):
    return rate_by_mixing(step, total, warmup, 1.0)


def rate_torch_cos(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (1 + torch.cos(math.pi * _rest(step, total, warmup))) / 2
    return final + (peak - final) * share


def rate_factor(step, total, warmup, peak, final=0.0):
    return rate_by_mixing(step, total, warmup, peak, final) / peak


def rate_no_warmup(step, total, warmup, peak, final=0.0):
    return rate_by_mixing(step, total, 0, peak, final)


def rate_text(step, total, warmup, peak, final=0.0):
    return f"{rate_by_mixing(step, total, warmup, peak, final):.4f}"


def rate_both_wrong(step, total, warmup, peak, final=0.0):
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return final + (peak - final) * _half((step - warmup) / (total - warmup)) ** 2


# ------------------------------------------------------------------------------------

MEASURED = {
    0.1: {"move": 0.1, "accuracy": 0.2},
    0.001: {"move": 0.001, "accuracy": 0.85},
}
RIGHT = {
    "06.1": [stages_counted, stages_from_the_head, stages_by_names,
             stages_of_generators, stages_of_tensor_rates],
    "06.2": [bug_by_id, bug_by_is, bug_by_first_part],
    "06.3": [decay_shape, decay_loop, decay_set, decay_numpy],
    "06.4": [range_on_a_copy, range_by_hand, range_scheduler, range_logspace,
             range_tensors, range_numpy],
    "06.5": [rate_by_mixing, rate_numpy, rate_torch, rate_scheduler, rate_tensor],
    "06.6": ["d", "D", " d\n", With("d", measured=MEASURED)],
}  # fmt: skip
WRONG = {
    "06.1": [
        (stages_reversed, "reversed"),
        (stages_head_first, "order"),
        (stages_ratio_twice, "ratio-twice"),
        (stages_head_scaled, "head-scaled"),
        (stages_two_rates, "two-rates"),
        (stages_factor_ten, "fixed-ratio"),
        (stages_one_rate, "same-lr"),
        (stages_linear, "linear"),
        (stages_first_layer, "first-layer"),
        (stages_without_frozen, "frozen-dropped"),
        (stages_by_prefix, "prefix"),
        (stages_by_getattr, "dotted"),
        (stages_each_layer, "count"),
        (stages_without_rates, "no-lr"),
        (stages_without_names, "no-name"),
        (stages_texts, "text"),
        (stages_thawed, "changed-requires_grad"),
        (stages_lists, "no-dict"),
        (stages_other_key, "no-params"),
        (stages_sets, "set"),
        (stages_detached, "foreign"),
        (stages_repeated, "twice"),
        (stages_moved, "wrong-group"),
        (stages_by_part_of_a_name, "prefix"),
        (stages_nested, "nested"),
        (stages_of_weights, "no-weight"),
        (stages_of_the_example, "fixed-names"),
        (stages_tuple, "tuple"),
    ],
    "06.2": [
        (bug_tuple, "tuple"),
        (bug_nested, "nested"),
        (bug_as_written, "head-twice"),
        (bug_two_lists, "head-twice"),
        (bug_no_head, "head-missing"),
        (bug_one_each, "count"),
        (bug_never_added, "one-rate"),
        (bug_by_children, "loose"),
        (bug_ten_times, "fixed-rate"),
        (bug_by_last_layer, "by-name"),
        (bug_by_shape, "body-lr"),
        (bug_single_layer, "single-layer"),
        (bug_weights_alone, "head-lr"),
        (bug_tensor_in, "tensor-in"),
        (bug_fc_inside, "by-name"),
        (bug_fc_left_out, "by-name"),
        (bug_swapped, "swapped"),
        (bug_frozen_in, "frozen-in"),
        (bug_frozen_head_in, "frozen-in"),
        (bug_sets, "set"),
        (bug_default_rate, "no-lr"),
        (bug_last_linear, "last"),
        (bug_layers, "foreign"),
        (bug_names, "text"),
        (bug_lists, "no-dict"),
        (bug_other_key, "no-params"),
        (bug_repeated, "twice"),
    ],
    "06.3": [
        (decay_tuple, "tuple"),
        (decay_nested, "nested"),
        (decay_bn_in_name, "norms"),
        (decay_norm_in_name, "norms"),
        (decay_batchnorm_class, "other-norms"),
        (decay_biases_only, "only-biases"),
        (decay_norms_only, "biases"),
        (decay_swapped, "swapped"),
        (decay_one_dimension, "scalar"),
        (decay_no_embedding, "embedding"),
        (decay_name_and_shape, "by-name"),
        (decay_four_dimensions, "spared"),
        (decay_learning, "frozen-dropped"),
        (decay_layer_by_layer, "twice"),
        (decay_known_layers, "loose"),
        (decay_unsaid, "no-key"),
        (decay_fixed, "values"),
        (decay_one_each, "count"),
        (decay_other_key, "no-params"),
        (decay_sets, "set"),
        (decay_detached, "foreign"),
        (decay_bare_vectors, "lone-vectors"),
        (decay_used_up, "used-up"),
        (decay_two_or_four, "missing"),
    ],
    "06.4": [
        (range_linear, "linear"),
        (range_end_missed, "end"),
        (range_start_missed, "start"),
        (range_one_short, "short"),
        (range_one_more, "steps"),
        (range_tenfold, "rates"),
        (range_after, "after"),
        (range_gradients_add_up, "no-zero-grad"),
        (range_momentum, "momentum"),
        (range_slight_decay, "losses"),
        (range_until_it_diverges, "stops-early"),
        (range_wrong_attribute, "constant-lr"),
        (range_set_late, "shifted"),
        (range_aliased, "changed-weights"),
        (range_aliased_dict, "changed-weights"),
        (range_aliased_detached, "changed-weights"),
        (range_not_undone, "changed-weights"),
        (range_parameters_only, "changed-statistics"),
        (range_left_in_train, "changed-mode"),
        (range_in_eval, "eval-mode"),
        (range_one_round, "one-round"),
        (range_one_batch, "one-batch"),
        (range_fresh_each_time, "no-update"),
        (range_never_stops, "not-finite"),
        (range_skips, "no-stop"),
        (range_only_nan, "not-finite"),
        (range_returns_early, "stopped"),
        (range_rate_first, "lengths"),
        (range_graphs, "graph"),
        (range_pairs, "two-lists"),
        (range_summed, "reduced"),
        (range_of_shares, "reduced"),
        (range_softmax, "softmax-twice"),
        (range_labels_first, "labels-first"),
        (range_second_first, "second-first"),
        (range_to_one, "constants"),
        (range_past_the_end, "one-round"),
    ],
    "06.5": [
        (rate_from_zero, "from-zero"),
        (rate_zero_strides, "from-one"),
        (rate_peak_early, "peak-early"),
        (rate_squared_climb, "warmup"),
        (rate_over_total, "over-total"),
        (rate_counted_from_zero, "over-total"),
        (rate_out_of_total, "over-total"),
        (rate_end_late, "end-late"),
        (rate_full_wave, "full-wave"),
        (rate_quarter, "quarter-wave"),
        (rate_rising, "rising"),
        (rate_doubled, "no-half"),
        (rate_bare_cosine, "bare-cosine"),
        (rate_above_peak, "above-peak"),
        (rate_no_final, "no-final"),
        (rate_straight, "straight"),
        (rate_degrees, "degrees"),
        (rate_factor, "factor"),
        (rate_share, "factor"),
        (rate_torch_cos, "torch-cos"),
        (rate_by_whole_numbers, "whole"),
        (rate_of_the_example, "example"),
        (rate_no_warmup, "no-warmup"),
        (rate_at_least, "clipped"),
        (rate_both_wrong, "cosine"),
        (rate_text, "type"),
    ],
    "06.6": [
        ("a", "a"),
        ("b", "b"),
        ("c", "c"),
        ("e", "e"),
        ("overwritten", "unknown"),
        (4, "type"),
        (["d"], "type"),
        (With("a", measured=MEASURED), "a"),
        (With("d", measured={}), "measurement"),
        (With("d", measured=MEASURED | {0.1: 0.2}), "measurement"),
    ],
}
