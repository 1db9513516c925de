"""Answers to the tasks 10.1 to 10.7."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.answers import With

# --- 10.1: one backbone, several heads ----------------------------------------------


class SharedByName(nn.Module):
    """Heads registered by add_module."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone, self.names = backbone, tuple(tasks)
        for name, classes in tasks.items():
            self.add_module(f"head_{name}", nn.Linear(num_features, classes))

    def forward(self, images):
        x = self.backbone(images)
        return {n: self.get_submodule(f"head_{n}")(x) for n in self.names}


class SharedInAList(nn.Module):
    """Heads in a ModuleList, in the order of the tasks."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.body = backbone
        self.tasks = list(tasks)
        self.heads = nn.ModuleList(nn.Linear(num_features, n) for n in tasks.values())

    def forward(self, images):
        x = self.body(images)
        logits = [head(x) for head in self.heads]
        return dict(zip(self.tasks, logits, strict=True))


class SharedWide(nn.Module):
    """One wide layer, cut into the tasks' logits: the same function."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.backbone, self.tasks = backbone, dict(tasks)
        self.wide = nn.Linear(num_features, sum(tasks.values()))

    def forward(self, images):
        parts = self.wide(self.backbone(images)).split(list(self.tasks.values()), dim=1)
        return dict(zip(self.tasks, parts, strict=True))


def shared_by_function(backbone, num_features, tasks):
    """A function that builds the module is as good as its class."""
    heads = {task: nn.Linear(num_features, n) for task, n in tasks.items()}
    return _Heads(backbone, nn.ModuleDict(heads))


def shared_alike_at_first(backbone, num_features, tasks):
    """Heads of one size begin with the same weights, and learn apart."""
    first = {n: nn.Linear(num_features, n) for n in tasks.values()}
    heads = {task: copy.deepcopy(first[n]) for task, n in tasks.items()}
    return _Heads(backbone, nn.ModuleDict(heads))


class _Heads(nn.Module):
    def __init__(self, backbone, heads):
        super().__init__()
        self.backbone, self.heads = backbone, heads

    def forward(self, images):
        features = self.backbone(images)
        return {task: head(features) for task, head in self.heads.items()}


def _module(forward, *, heads=None, keep=lambda backbone: backbone):
    """A class like the solution's, with another forward, heads, or backbone."""

    def registered(width, tasks):
        return nn.ModuleDict({t: nn.Linear(width, n) for t, n in tasks.items()})

    class Answer(nn.Module):
        def __init__(self, backbone, num_features, tasks):
            super().__init__()
            self.backbone, self.tasks = keep(backbone), tasks
            self.width = num_features
            self.heads = (heads or registered)(num_features, tasks)

        def forward(self, images):
            return forward(self, images)

    return Answer


def _usual(self, images):
    features = self.backbone(images)
    return {task: head(features) for task, head in self.heads.items()}


def _named(name, answer):
    answer.__name__ = name
    return answer


def _plain_heads(width, tasks):
    return {t: nn.Linear(width, n) for t, n in tasks.items()}


def _one_head(width, tasks):
    head = nn.Linear(width, max(tasks.values()))
    return nn.ModuleDict(dict.fromkeys(tasks, head))


def _head_by_size(width, tasks):
    sizes = {n: nn.Linear(width, n) for n in tasks.values()}
    return nn.ModuleDict({t: sizes[n] for t, n in tasks.items()})


def _bare_heads(width, tasks):
    return nn.ModuleDict({t: nn.Linear(width, n, bias=False) for t, n in tasks.items()})


def _deep_heads(width, tasks):
    return nn.ModuleDict(
        {
            t: nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n))
            for t, n in tasks.items()
        }
    )


def _active_heads(width, tasks):
    return nn.ModuleDict(
        {t: nn.Sequential(nn.Linear(width, n), nn.ReLU()) for t, n in tasks.items()}
    )


def _dropped(self, images):
    x = F.dropout(self.backbone(images), 0.5)
    return {t: head(x) for t, head in self.heads.items()}


def _passes(self, images):
    return {t: head(self.backbone(images)) for t, head in self.heads.items()}


def _softmax(self, images):
    return {t: x.softmax(1) for t, x in _usual(self, images).items()}


def _log_softmax(self, images):
    return {t: F.log_softmax(x, dim=1) for t, x in _usual(self, images).items()}


def _listed(self, images):
    return list(_usual(self, images).values())


def _tupled(self, images):
    return tuple(_usual(self, images).values())


def _detached(self, images):
    features = self.backbone(images).detach()
    return {t: head(features) for t, head in self.heads.items()}


def _no_grad(self, images):
    with torch.no_grad():
        features = self.backbone(images)
    return {t: head(features) for t, head in self.heads.items()}


def _predicted(self, images):
    return {t: x.argmax(1) for t, x in _usual(self, images).items()}


def _fresh_heads(self, images):
    features = self.backbone(images)
    width, tasks = self.width, self.tasks
    return {t: nn.Linear(width, n)(features) for t, n in tasks.items()}


def _first_task(self, images):
    features = self.backbone(images)
    task = next(iter(self.tasks))
    return {task: self.heads[task](features)}


def _without_return(self, images):
    _usual(self, images)


def _deaf(self, images):
    rows = torch.randn(len(images), self.width)
    return {t: head(rows) for t, head in self.heads.items()}


def _gelu(self, images):
    return {t: F.gelu(x) for t, x in _usual(self, images).items()}


def _kept(self, images):
    self.features = getattr(self, "features", None)
    if self.features is None:
        self.features = self.backbone(images)
    return {t: head(self.features) for t, head in self.heads.items()}


def _one_by_one(self, images):
    x = torch.cat([self.backbone(image[None]) for image in images])
    return {t: head(x) for t, head in self.heads.items()}


def _two_tasks(self, images):
    features, (one, other) = self.backbone(images), self.heads
    return {one: self.heads[one](features), other: self.heads[other](features)}


def _zero_heads(width, tasks):
    heads = nn.ModuleDict({t: nn.Linear(width, n) for t, n in tasks.items()})
    for parameter in heads.parameters():
        nn.init.zeros_(parameter)
    return heads


def _wide_heads(width, tasks):
    return nn.ModuleDict({t: nn.Linear(512, n) for t, n in tasks.items()})


def _cut_head(self, images):
    logits = self.heads["one"](self.backbone(images))
    return {t: logits[:, :n] for t, n in self.tasks.items()}


def _one_wide_head(width, tasks):
    return nn.ModuleDict({"one": nn.Linear(width, max(tasks.values()))})


class SharedPerTask(nn.Module):
    """A deep copy of the backbone for each task."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.nets = nn.ModuleDict(
            {
                t: nn.Sequential(copy.deepcopy(backbone), nn.Linear(num_features, n))
                for t, n in tasks.items()
            }
        )

    def forward(self, images):
        return {t: net(images) for t, net in self.nets.items()}


class SharedNets(nn.Module):
    """The same backbone in a Sequential for each task."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.nets = nn.ModuleDict(
            {
                t: nn.Sequential(backbone, nn.Linear(num_features, n))
                for t, n in tasks.items()
            }
        )

    def forward(self, images):
        return {t: net(images) for t, net in self.nets.items()}


def _transposed(self, images):
    return {task: logits.T for task, logits in _usual(self, images).items()}


SHARED_WRONG = [
    ("shared_transposed", _module(_transposed), "shape"),
    ("shared_plain_dict", _module(_usual, heads=_plain_heads), "not-registered"),
    ("shared_fresh", _module(_fresh_heads, heads=lambda *_: {}), "not-registered"),
    ("shared_head", _module(_usual, heads=_one_head), "one-head"),
    ("shared_by_size", _module(_usual, heads=_head_by_size), "shared-head"),
    ("shared_bare", _module(_usual, heads=_bare_heads), "bias"),
    ("shared_deep", _module(_usual, heads=_deep_heads), "head"),
    ("shared_active", _module(_usual, heads=_active_heads), "not-linear"),
    ("shared_dropped", _module(_dropped), "chance"),
    ("shared_passes", _module(_passes), "passes"),
    ("shared_softmax", _module(_softmax), "softmax"),
    ("shared_log_softmax", _module(_log_softmax), "softmax"),
    ("shared_listed", _module(_listed), "type"),
    ("shared_tupled", _module(_tupled), "type"),
    ("shared_detached", _module(_detached), "detached"),
    ("shared_no_grad", _module(_no_grad), "detached"),
    ("shared_predicted", _module(_predicted), "guesses"),
    ("shared_first", _module(_first_task), "tasks"),
    ("shared_silent", _module(_without_return), "none"),
    ("shared_deaf", _module(_deaf), "unused"),
    ("shared_copy", _module(_usual, keep=copy.deepcopy), "backbone-lost"),
    ("shared_hidden_backbone", _module(
        lambda self, images: {t: h(self.backbone[0](images))
                              for t, h in self.heads.items()},
        keep=lambda backbone: [backbone]), "backbone-lost"),
    ("shared_gelu", _module(_gelu), "not-linear"),
    ("shared_kept", _module(_kept), "kept"),
    ("shared_one_by_one", _module(_one_by_one), "one-by-one"),
    ("shared_two_tasks", _module(_two_tasks), "fixed-tasks"),
    ("shared_zeros", _module(_usual, heads=_zero_heads), "detached"),
    ("shared_wide", _module(_usual, heads=_wide_heads), "width"),
    ("shared_cut", _module(_cut_head, heads=_one_wide_head), "shared-head"),
    ("shared_drawn_anew", _module(_fresh_heads), "idle"),
    ("shared_frozen", _module(_usual, keep=lambda b: b.requires_grad_(False)),
     "changed-requires_grad"),
]  # fmt: skip


class SharedWithoutSuper(nn.Module):
    """Without super().__init__()."""

    def __init__(self, backbone, num_features, tasks):
        self.backbone = backbone


class SharedForgotten(nn.Module):
    """The backbone without `self.`."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        self.heads = _plain_heads(num_features, tasks)

    def forward(self, images):
        return _usual(self, images)


def _of_pictures(self, images):
    return {t: head(images) for t, head in self.heads.items()}


def _squeezed(self, images):
    features = self.backbone(images).squeeze()
    return {t: head(features) for t, head in self.heads.items()}


def shared_unbuilt(backbone, num_features, tasks):
    return {t: nn.Linear(num_features, n) for t, n in tasks.items()}


def _numbers_as_heads(width, tasks):
    return nn.ModuleDict(tasks)


def _heads_of_keys(width, tasks):
    return nn.ModuleDict({t: nn.Linear(width, n) for t, n in tasks})


class _Built(_Heads):
    """Handed over as an object."""


shared_built = _named("shared_built", _Built(nn.Flatten(), nn.ModuleDict()))


# --- 10.2: nothing is shared --------------------------------------------------------


def share_in_a_list(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    heads = {t: nn.Linear(num_features, n) for t, n in tasks.items()}
    nets = {t: nn.Sequential(backbone, head) for t, head in heads.items()}
    parameters = list(backbone.parameters())
    for head in heads.values():
        parameters += head.parameters()
    return nets, torch.optim.SGD(parameters, lr=lr)


def share_by_groups(make_backbone, num_features, tasks, lr):
    backbone, nets = make_backbone(), {}
    optimizer = torch.optim.SGD(backbone.parameters(), lr)
    for task in tasks:
        head = nn.Linear(num_features, tasks[task])
        optimizer.add_param_group({"params": head.parameters()})
        nets[task] = nn.Sequential(backbone, head)
    return [nets, optimizer]


def share_by_identity(make_backbone, num_features, tasks, lr):
    backbone, nets, found = make_backbone(), {}, {}
    for task, classes in tasks.items():
        nets[task] = nn.Sequential(backbone, nn.Linear(num_features, classes))
        found.update({id(p): p for p in nets[task].parameters()})
    return nets, torch.optim.SGD(list(found.values()), lr=lr)


class _Net(nn.Module):
    def __init__(self, backbone, head):
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, images):
        return self.head(self.backbone(images))


def share_own_class(make_backbone, num_features, tasks, lr):
    body = make_backbone()
    nets = {t: _Net(body, nn.Linear(num_features, n)) for t, n in tasks.items()}
    unique = set()
    for net in nets.values():
        unique.update(net.parameters())
    return nets, torch.optim.SGD(unique, lr=lr)


def _nets_on(backbones, num_features, tasks):
    pairs = zip(backbones, tasks.items(), strict=True)
    return nn.ModuleDict(
        {t: nn.Sequential(b, nn.Linear(num_features, n)) for b, (t, n) in pairs}
    )


def _sgd(nets, lr):
    return torch.optim.SGD(nn.ModuleDict(nets).parameters(), lr=lr)


def share_as_written(make_backbone, num_features, tasks, lr):
    nets, parameters = {}, []
    for task, classes in tasks.items():
        backbone = make_backbone()
        head = nn.Linear(num_features, classes)
        nets[task] = nn.Sequential(backbone, head)
        parameters += nets[task].parameters()
    return nets, torch.optim.SGD(parameters, lr=lr)


def share_line_moved(make_backbone, num_features, tasks, lr):
    nets, parameters, backbone = {}, [], make_backbone()
    for task, classes in tasks.items():
        head = nn.Linear(num_features, classes)
        nets[task] = nn.Sequential(backbone, head)
        parameters += nets[task].parameters()
    return nets, torch.optim.SGD(parameters, lr=lr)


def share_deepcopy(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    nets = _nets_on([copy.deepcopy(backbone) for _ in tasks], num_features, tasks)
    return nets, _sgd(nets, lr)


def share_first_is_original(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    copies = [copy.deepcopy(backbone) for _ in list(tasks)[1:]]
    nets = _nets_on([backbone, *copies], num_features, tasks)
    return nets, _sgd(nets, lr)


def share_same_values(make_backbone, num_features, tasks, lr):
    first = make_backbone()
    others = [make_backbone() for _ in list(tasks)[1:]]
    for other in others:
        other.load_state_dict(first.state_dict())
    nets = _nets_on([first, *others], num_features, tasks)
    return nets, _sgd(nets, lr)


def share_spare_call(make_backbone, num_features, tasks, lr):
    make_backbone()
    return share_in_a_list(make_backbone, num_features, tasks, lr)


def share_many_optimizers(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    return nets, {
        t: torch.optim.SGD(net.parameters(), lr=lr) for t, net in nets.items()
    }


def share_heads_only(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    heads = [p for net in nets.values() for p in net[1].parameters()]
    return nets, torch.optim.SGD(heads, lr=lr)


def share_last_net(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    return nets, torch.optim.SGD(nets[list(nets)[-1]].parameters(), lr=lr)


def share_fixed_rate(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    return nets, _sgd(nets, 0.1)


def share_momentum(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    parameters = nn.ModuleDict(nets).parameters()
    return nets, torch.optim.SGD(parameters, lr=lr, momentum=0.9)


def share_adam(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    return nets, torch.optim.Adam(nn.ModuleDict(nets).parameters(), lr=lr)


def share_frozen(make_backbone, num_features, tasks, lr):
    nets, optimizer = share_in_a_list(make_backbone, num_features, tasks, lr)
    for net in nets.values():
        net[0].requires_grad_(False)
    return nets, optimizer


def share_one_head(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    heads = {n: nn.Linear(num_features, n) for n in tasks.values()}
    nets = {t: nn.Sequential(backbone, heads[n]) for t, n in tasks.items()}
    return nets, _sgd(nets, lr)


def share_softmax(make_backbone, num_features, tasks, lr):
    backbone, nets = make_backbone(), {}
    for task, n in tasks.items():
        head = nn.Linear(num_features, n)
        nets[task] = nn.Sequential(backbone, head, nn.Softmax(dim=1))
    return nets, _sgd(nets, lr)


def _shared_by(make_net):
    """An answer whose nets are made of the backbone, a width, and a number of classes."""

    def share(make_backbone, num_features, tasks, lr):
        backbone = make_backbone()
        nets = {t: make_net(backbone, num_features, n) for t, n in tasks.items()}
        return nets, _sgd(nets, lr)

    return share


class _HiddenHead(_Net):
    """A head that parameters() does not give."""

    def __init__(self, backbone, width, classes):
        super().__init__(backbone, nn.Identity())
        self.hidden = [nn.Linear(width, classes)]

    def forward(self, images):
        return self.hidden[0](self.backbone(images))


class _DrawnHead(_Net):
    """A new head in each pass."""

    def __init__(self, backbone, width, classes):
        super().__init__(backbone, nn.Linear(width, classes))

    def forward(self, images):
        head = nn.Linear(self.head.in_features, self.head.out_features)
        return head(self.backbone(images))


SHARE_WRONG = [
    ("share_dropout", lambda b, w, n: nn.Sequential(b, nn.Dropout(0.5), nn.Linear(w, n)),
     "chance"),
    ("share_relu", lambda b, w, n: nn.Sequential(b, nn.Linear(w, n), nn.ReLU()),
     "not-linear"),
    ("share_gelu", lambda b, w, n: nn.Sequential(b, nn.GELU(), nn.Linear(w, n)),
     "not-linear"),
    ("share_deep", lambda b, w, n: nn.Sequential(b, nn.Linear(w, w), nn.Linear(w, n)),
     "head"),
    ("share_wider", lambda b, w, n: nn.Sequential(b, nn.Linear(w, n + 1)), "shape"),
    ("share_fixed_width", lambda b, w, n: nn.Sequential(b, nn.Linear(512, n)), "width"),
    ("share_log_softmax", lambda b, w, n: nn.Sequential(b, nn.Linear(w, n),
                                                        nn.LogSoftmax(1)), "softmax"),
    ("share_hidden_head", _HiddenHead, "not-registered"),
    ("share_drawn_head", _DrawnHead, "idle"),
]  # fmt: skip


def share_first_net_only(make_backbone, num_features, tasks, lr):
    nets, optimizer = share_in_a_list(make_backbone, num_features, tasks, lr)
    task = next(iter(nets))
    return {task: nets[task]}, optimizer


def share_swapped(make_backbone, num_features, tasks, lr):
    return share_in_a_list(make_backbone, num_features, tasks, lr)[::-1]


def share_twice_in_groups(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    groups = [{"params": list(net.parameters())} for net in nets.values()]
    return nets, torch.optim.SGD(groups, lr=lr)


def share_moves_a_copy(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    return nets, _sgd(copy.deepcopy(nets), lr)


def share_weights_only(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    weights = [p for p in nn.ModuleDict(nets).parameters() if p.dim() > 1]
    return nets, torch.optim.SGD(weights, lr=lr)


def share_nets_only(make_backbone, num_features, tasks, lr):
    return share_in_a_list(make_backbone, num_features, tasks, lr)[0]


def share_list_of_nets(make_backbone, num_features, tasks, lr):
    nets, optimizer = share_in_a_list(make_backbone, num_features, tasks, lr)
    return list(nets.values()), optimizer


def share_without_backbone(make_backbone, num_features, tasks, lr):
    nets = {t: nn.Sequential(nn.Flatten(), nn.Linear(12, n)) for t, n in tasks.items()}
    return nets, _sgd(nets, lr)


def share_functions(make_backbone, num_features, tasks, lr):
    nets, optimizer = share_in_a_list(make_backbone, num_features, tasks, lr)
    return {
        t: lambda images, net=net: net(images) for t, net in nets.items()
    }, optimizer


def share_not_called(make_backbone, num_features, tasks, lr):
    return _shared_by(lambda b, w, n: nn.Sequential(make_backbone, nn.Linear(w, n)))(
        make_backbone, num_features, tasks, lr
    )


def share_compared(make_backbone, num_features, tasks, lr):
    nets, parameters = share_in_a_list(make_backbone, num_features, tasks, lr)[0], []
    for net in nets.values():
        parameters += [p for p in net.parameters() if p not in parameters]
    return nets, torch.optim.SGD(parameters, lr=lr)


def share_one_head_for_all(make_backbone, num_features, tasks, lr):
    head = nn.Linear(num_features, max(tasks.values()))
    return _shared_by(lambda b, w, n: nn.Sequential(b, head))(
        make_backbone, num_features, tasks, lr
    )


def share_of_keys(make_backbone, num_features, tasks, lr):
    backbone = make_backbone()
    nets = {t: nn.Sequential(backbone, nn.Linear(num_features, n)) for t, n in tasks}
    return nets, _sgd(nets, lr)


def share_parameters_of_a_dict(make_backbone, num_features, tasks, lr):
    nets, _ = share_in_a_list(make_backbone, num_features, tasks, lr)
    return nets, torch.optim.SGD(nets.parameters(), lr=lr)


# --- 10.3: masked losses ------------------------------------------------------------


def masked_by_index(logits, labels):
    losses = {}
    for task in logits:
        rows = (labels[task] >= 0).nonzero()[:, 0]
        if len(rows) == 0:
            losses[task] = logits[task].sum() * 0
        else:
            losses[task] = F.cross_entropy(logits[task][rows], labels[task][rows])
    return losses


def masked_ignore(logits, labels):
    found = {}
    for task, truth in labels.items():
        total = F.cross_entropy(logits[task], truth, ignore_index=-1, reduction="sum")
        found[task] = total / max(1, int((truth != -1).sum()))
    return found


def masked_by_hand(logits, labels):
    def one(scores, truth):
        known = truth.ne(-1)
        picked = scores.log_softmax(1).gather(1, truth.clamp(min=0)[:, None])[:, 0]
        return -(picked * known).sum() / known.sum().clamp(min=1)

    return {task: one(logits[task], truth) for task, truth in labels.items()}


def masked_constant_zero(logits, labels):
    losses = {}
    for task, truth in labels.items():
        losses[task] = torch.tensor(0.0)
        if (truth != -1).any():
            losses[task] = nn.CrossEntropyLoss(ignore_index=-1)(logits[task], truth)
    return losses


def masked_nan_to_num(logits, labels):
    ignoring = nn.CrossEntropyLoss(ignore_index=-1)
    return {t: ignoring(logits[t], y).nan_to_num() for t, y in labels.items()}


def masked_nan(logits, labels):
    return {
        t: F.cross_entropy(logits[t], y, ignore_index=-1) for t, y in labels.items()
    }


def masked_nan_rows(logits, labels):
    return {
        t: F.cross_entropy(logits[t][y != -1], y[y != -1]) for t, y in labels.items()
    }


def masked_forgotten(logits, labels):
    return {t: F.cross_entropy(logits[t], y) for t, y in labels.items()}


def masked_last_class(logits, labels):
    found = {}
    for task, truth in labels.items():
        rows = torch.arange(len(truth))
        found[task] = -logits[task].log_softmax(1)[rows, truth].mean()
    return found


def masked_zeroed(logits, labels):
    found = {}
    for task, truth in labels.items():
        known = truth != -1
        scores = logits[task] * known[:, None]
        found[task] = F.cross_entropy(scores, truth.clamp(min=0))
    return found


def masked_left_out(logits, labels):
    return {t: x for t, x in masked_ignore(logits, labels).items() if x > 0}


def masked_total(logits, labels):
    return sum(masked_ignore(logits, labels).values())


def masked_numbers(logits, labels):
    return {t: x.item() for t, x in masked_ignore(logits, labels).items()}


def masked_detached(logits, labels):
    return {t: x.detach() for t, x in masked_ignore(logits, labels).items()}


def masked_each(logits, labels):
    return {
        t: F.cross_entropy(logits[t], y, ignore_index=-1, reduction="none")
        for t, y in labels.items()
    }


def masked_in_place(logits, labels):
    found = masked_ignore(logits, labels)
    for truth in labels.values():
        truth[truth == -1] = 0
    return found


def masked_tiny(logits, labels):
    found = masked_ignore(logits, labels)
    return {t: x + 1e-3 * (labels[t] == -1).all() for t, x in found.items()}


def masked_log_of_softmax(logits, labels):
    return masked_ignore({t: x.softmax(1).log() for t, x in logits.items()}, labels)


def masked_leaking(logits, labels):
    found = masked_ignore(logits, labels)
    extra = {t: (x - x.detach()).sum() for t, x in logits.items()}
    return {t: found[t] + extra[t] for t in found}


def masked_one_denominator(logits, labels):
    most = max(int((y != -1).sum()) for y in labels.values())
    found = {}
    for task, truth in labels.items():
        total = F.cross_entropy(logits[task], truth, ignore_index=-1, reduction="sum")
        found[task] = total / max(1, most - 1)
    return found


def masked_in_double(logits, labels):
    return masked_ignore({t: x.double() for t, x in logits.items()}, labels)


def masked_by_exp(logits, labels):
    """exp() of a logit of 300 is infinite."""

    def one(scores, truth):
        known = truth != -1
        chances = scores[known].exp() / scores[known].exp().sum(1, keepdim=True)
        picked = chances.gather(1, truth[known][:, None])
        return -picked.log().sum() / known.sum().clamp(min=1)

    return {task: one(logits[task], truth) for task, truth in labels.items()}


def masked_new_tensors(logits, labels):
    found = masked_ignore(logits, labels)
    return {t: torch.tensor(x.item(), requires_grad=True) for t, x in found.items()}


def masked_nothing_for_empty(logits, labels):
    found = masked_ignore(logits, labels)
    return {t: x if (labels[t] != -1).any() else None for t, x in found.items()}


def masked_epsilon(logits, labels):
    def one(scores, truth):
        known = truth != -1
        chances = (scores.softmax(1) + 1e-8).log()[known]
        total = F.nll_loss(chances, truth[known], reduction="sum")
        return total / known.sum().clamp(min=1)

    return {task: one(logits[task], truth) for task, truth in labels.items()}


def masked_by_the_first(logits, labels):
    known = next(iter(labels.values())) != -1
    return masked_ignore(
        {t: x[known] for t, x in logits.items()},
        {t: y[known] for t, y in labels.items()},
    )


def masked_if(logits, labels):
    found = {}
    for task in logits:
        if labels[task] == -1:
            found[task] = torch.tensor(0.0)
        else:
            found[task] = F.cross_entropy(logits[task], labels[task])
    return found


# --- 10.4: learnt weights -----------------------------------------------------------


def _learnt(forward, *, start=torch.zeros, keep=nn.Parameter):
    """A class like the solution's, with another forward or another s."""

    class Answer(nn.Module):
        def __init__(self, tasks):
            super().__init__()
            self.tasks = list(tasks)
            self.s = keep(start(len(tasks)))

        def forward(self, losses):
            return forward(self, losses)

    return Answer


def _term(rule):
    """A forward that adds up a rule of s and loss over the tasks."""

    def forward(self, losses):
        place = self.tasks.index
        return sum(rule(self.s[place(t)], loss) for t, loss in losses.items())

    return forward


def _kendall(s, loss):
    return (-s).exp() * loss + s / 2


class WeightsStacked(nn.Module):
    """All terms at once."""

    def __init__(self, tasks):
        super().__init__()
        self.places = {task: i for i, task in enumerate(tasks)}
        self.s = nn.Parameter(torch.zeros(len(tasks)))

    def forward(self, losses):
        s = self.s[[self.places[task] for task in losses]]
        return (torch.stack(list(losses.values())) / s.exp() + 0.5 * s).sum()


class WeightsMasked(nn.Module):
    """The tasks one by one, those that are there."""

    def __init__(self, tasks):
        super().__init__()
        self.tasks = tuple(tasks)
        self.register_parameter("s", nn.Parameter(torch.tensor([0.0] * len(tasks))))

    def forward(self, losses):
        total = torch.zeros(())
        for task, s in zip(self.tasks, self.s, strict=True):
            if task in losses:
                total = total + losses[task] * torch.exp(-s) + s / 2
        return total


class WeightsBySigma(nn.Module):
    """The paper's own form: L/σ² + log σ, from s."""

    def __init__(self, tasks):
        super().__init__()
        self.tasks = tasks
        self.s = nn.Parameter(torch.zeros(len(tasks)))

    def forward(self, losses):
        terms = []
        for task in losses:
            sigma = torch.exp(self.s[self.tasks.index(task)] / 2)
            terms.append(losses[task] / sigma**2 + sigma.log())
        return torch.stack(terms).sum()


def _by_place(self, losses):
    return sum(_kendall(s, x) for s, x in zip(self.s, losses.values(), strict=False))


def _by_sorted_names(self, losses):
    place = sorted(self.tasks).index
    return sum(_kendall(self.s[place(t)], x) for t, x in losses.items())


def _truthy(self, losses):
    pairs = zip(self.tasks, self.s, strict=True)
    return sum(_kendall(s, losses[t]) for t, s in pairs if losses.get(t))


def _all_halves(self, losses):
    weighed = _term(lambda s, x: (-s).exp() * x)(self, losses)
    return weighed + self.s.sum() / 2


def _mean(self, losses):
    return _term(_kendall)(self, losses) / len(losses)


def _plain_number(self, losses):
    return _term(_kendall)(self, losses).item()


def _every_task(self, losses):
    return sum(_kendall(s, losses[t]) for s, t in zip(self.s, self.tasks, strict=True))


def _in_place(self, losses):
    total = torch.tensor(0.0, requires_grad=True)
    for task, loss in losses.items():
        total += _kendall(self.s[self.tasks.index(task)], loss)
    return total


WEIGHTS_WRONG = [
    ("weights_in_place", _learnt(_in_place), "in-place"),
    ("weights_no_half", _learnt(_term(lambda s, x: (-s).exp() * x)), "no-half"),
    ("weights_whole", _learnt(_term(lambda s, x: (-s).exp() * x + s)), "whole-s"),
    ("weights_minus", _learnt(_term(lambda s, x: (-s).exp() * x - s / 2)),
     "minus-half"),
    ("weights_plus", _learnt(_term(lambda s, x: s.exp() * x + s / 2)), "plus"),
    ("weights_divided", _learnt(_term(lambda s, x: x / (-s).exp() + s / 2)), "plus"),
    ("weights_regression", _learnt(_term(lambda s, x: (-s).exp() * x / 2 + s / 2)),
     "regression"),
    ("weights_log_sigma", _learnt(_term(lambda s, x: (-2 * s).exp() * x + s)),
     "log-sigma"),
    ("weights_sigma", _learnt(_term(lambda s, x: x / s**2 + s.log()),
                              start=torch.ones), "sigma"),
    ("weights_half_sigma", _learnt(_term(lambda s, x: x / (2 * s**2) + s.log()),
                                   start=torch.ones), "sigma"),
    ("weights_variance", _learnt(_term(lambda s, x: x / s + s.log() / 2),
                                 start=torch.ones), "sigma"),
    ("weights_no_exp", _learnt(_term(lambda s, x: s * x + s / 2)), "no-exp"),
    ("weights_tensor", _learnt(_term(_kendall), keep=lambda x: x), "not-parameter"),
    ("weights_leaf", _learnt(_term(_kendall), keep=lambda x: x.requires_grad_()),
     "not-parameter"),
    ("weights_list", _learnt(_term(_kendall), keep=lambda x: [nn.Parameter(v) for v
                                                              in x]), "not-parameter"),
    ("weights_frozen", _learnt(_term(_kendall), keep=lambda x: nn.Parameter(
        x, requires_grad=False)), "frozen"),
    ("weights_of_one", _learnt(_term(_kendall), start=torch.ones), "start"),
    ("weights_random", _learnt(_term(_kendall), start=torch.randn), "start"),
    ("weights_scalar", _learnt(_term(lambda s, x: x), start=lambda n: torch.zeros(())),
     "shape"),
    ("weights_column", _learnt(_term(lambda s, x: _kendall(s[0], x)),
                               start=lambda n: torch.zeros(n, 1)), "shape"),
    ("weights_detached", _learnt(_term(lambda s, x: _kendall(s.detach(), x))),
     "detached"),
    ("weights_half_detached",
     _learnt(_term(lambda s, x: (-s.detach()).exp() * x + s / 2)), "detached"),
    ("weights_item", _learnt(_term(lambda s, x: _kendall(torch.tensor(s.item()), x))),
     "detached"),
    ("weights_loss_item", _learnt(_term(lambda s, x: _kendall(s, x.item()))),
     "losses-detached"),
    ("weights_by_place", _learnt(_by_place), "order"),
    ("weights_all_halves", _learnt(_all_halves), "absent"),
    ("weights_mean", _learnt(_mean), "mean"),
    ("weights_number", _learnt(_plain_number), "one-total"),
    ("weights_every_task", _learnt(_every_task), "left-out"),
    ("weights_unused", _learnt(_term(lambda s, x: x + 0 * s)), "unused"),
    ("weights_truthy", _learnt(_truthy), "zero"),
    ("weights_sorted", _learnt(_by_sorted_names), "sorted"),
    ("weights_row", _learnt(lambda self, x: _term(_kendall)(self, x)[None]),
     "one-total"),
    ("weights_silent", _learnt(lambda self, losses: None), "none"),
]  # fmt: skip


def weights_elsewhere(tasks):
    """The parameter has another name."""
    module = _learnt(_term(_kendall))(tasks)
    module.log_variances = module.s
    del module.s
    return module


def weights_extra(tasks):
    module = _learnt(_term(_kendall))(tasks)
    module.temperature = nn.Parameter(torch.ones(1))
    return module


# --- 10.5: the cosine of two gradients ----------------------------------------------


def _cosine(a, b):
    return (a @ b / (a.norm() * b.norm())).item()


def _shared(model):
    return [p for p in model.backbone.parameters() if p.requires_grad]


def _joined(tensors):
    return torch.cat([t.flatten() for t in tensors])


def _losses(model, images, labels, *, train=False):
    """Losses in eval mode; the mode is put back."""
    training = model.training
    model.train(train)
    logits = model(images)
    model.train(training)
    return [F.cross_entropy(logits[t], labels[t]) for t in labels]


def cosine_two_passes(model, images, labels):
    mode = model.training
    model.eval()
    rows = []
    for task in labels:
        loss = F.cross_entropy(model(images)[task], labels[task])
        rows.append(_joined(torch.autograd.grad(loss, _shared(model))))
    model.train(mode)
    return float(F.cosine_similarity(rows[0], rows[1], dim=0))


def cosine_sums(model, images, labels):
    first, second = _losses(model, images, labels)
    shared = _shared(model)
    a = torch.autograd.grad(first, shared, retain_graph=True)
    b = torch.autograd.grad(second, shared)

    def dot(x, y):
        return sum(float((u * v).sum()) for u, v in zip(x, y, strict=True))

    return dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5


def cosine_backward_restored(model, images, labels):
    kept = {p: p.grad for p in model.parameters()}
    rows = []
    for loss in _losses(model, images, labels):
        for parameter in kept:
            parameter.grad = None
        loss.backward(retain_graph=True)
        rows.append(_joined([p.grad.clone() for p in _shared(model)]))
    for parameter, gradient in kept.items():
        parameter.grad = gradient
    return _cosine(*rows)


def cosine_on_a_copy(model, images, labels):
    twin = copy.deepcopy(model).eval()
    logits, shared = twin(images), _shared(twin)
    a, b = (
        _joined(torch.autograd.grad(F.cross_entropy(logits[t], labels[t]), shared,
                                    retain_graph=True))
        for t in labels
    )  # fmt: skip
    return (torch.dot(a, b) / a.norm() / b.norm()).item()


def _rows(model, images, labels, *, train=False):
    return [
        _joined(torch.autograd.grad(loss, _shared(model), retain_graph=True))
        for loss in _losses(model, images, labels, train=train)
    ]


def cosine_with_heads(model, images, labels):
    learns = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for loss in _losses(model, images, labels):
        found = torch.autograd.grad(loss, learns, retain_graph=True, allow_unused=True)
        pairs = zip(found, learns, strict=True)
        rows.append(_joined([torch.zeros_like(p) if g is None else g
                             for g, p in pairs]))  # fmt: skip
    return _cosine(*rows)


def cosine_heads_unused(model, images, labels):
    learns = [p for p in model.parameters() if p.requires_grad]
    rows = [
        _joined(torch.autograd.grad(loss, learns, retain_graph=True))
        for loss in _losses(model, images, labels)
    ]
    return _cosine(*rows)


def cosine_of_layers(model, images, labels):
    a, b = (
        torch.autograd.grad(loss, _shared(model), retain_graph=True)
        for loss in _losses(model, images, labels)
    )
    each = [_cosine(x.flatten(), y.flatten()) for x, y in zip(a, b, strict=True)]
    return sum(each) / len(each)


def cosine_no_retain(model, images, labels):
    rows = [
        _joined(torch.autograd.grad(loss, _shared(model)))
        for loss in _losses(model, images, labels)
    ]
    return _cosine(*rows)


def cosine_writes(model, images, labels):
    rows = []
    for loss in _losses(model, images, labels):
        model.zero_grad()
        loss.backward(retain_graph=True)
        rows.append(_joined([p.grad.clone() for p in _shared(model)]))
    return _cosine(*rows)


def cosine_clears(model, images, labels):
    found = cosine_two_passes(model, images, labels)
    model.zero_grad()
    return found


def cosine_accumulates(model, images, labels):
    model.zero_grad()
    rows = []
    for loss in _losses(model, images, labels):
        loss.backward(retain_graph=True)
        rows.append(_joined([p.grad.clone() for p in _shared(model)]))
    return _cosine(*rows)


def cosine_adds_to_old(model, images, labels):
    rows = []
    for loss in _losses(model, images, labels):
        loss.backward(retain_graph=True)
        rows.append(_joined([p.grad.clone() for p in _shared(model)]))
    return _cosine(*rows)


def cosine_aliased(model, images, labels):
    model.zero_grad()
    kept = []
    for loss in _losses(model, images, labels):
        loss.backward(retain_graph=True)
        kept.append([p.grad for p in _shared(model)])
        for parameter in model.parameters():
            if parameter.grad is not None and len(kept) < 2:
                parameter.grad.zero_()
    return _cosine(*map(_joined, kept))


def cosine_train_mode(model, images, labels):
    training = model.training
    model.train()
    logits, shared = model(images), _shared(model)
    model.train(training)
    losses = [F.cross_entropy(logits[t], labels[t]) for t in labels]
    rows = [
        _joined(torch.autograd.grad(loss, shared, retain_graph=True)) for loss in losses
    ]
    return _cosine(*rows)


def cosine_heads_in_train(model, images, labels):
    training = model.training
    model.train().backbone.eval()
    logits, shared = model(images), _shared(model)
    model.train(training)
    losses = [F.cross_entropy(logits[t], labels[t]) for t in labels]
    rows = [
        _joined(torch.autograd.grad(loss, shared, retain_graph=True)) for loss in losses
    ]
    return _cosine(*rows)


def cosine_mode_as_it_came(model, images, labels):
    return _cosine(*_rows(model, images, labels, train=model.training))


def cosine_mode_lost(model, images, labels):
    found = cosine_two_passes(model, images, labels)
    model.eval()
    return found


def cosine_train_left(model, images, labels):
    found = cosine_two_passes(model, images, labels)
    model.train()
    return found


def cosine_extra_pass(model, images, labels):
    found, mode = cosine_two_passes(model, images, labels), model.training
    with torch.no_grad():
        model.train()(images)
    model.train(mode)
    return found


def cosine_frozen_too(model, images, labels):
    shared = list(model.backbone.parameters())
    rows = [
        _joined(torch.autograd.grad(loss, shared, retain_graph=True))
        for loss in _losses(model, images, labels)
    ]
    return _cosine(*rows)


def cosine_thawed(model, images, labels):
    model.requires_grad_(True)
    return cosine_two_passes(model, images, labels)


def cosine_no_grad(model, images, labels):
    with torch.no_grad():
        losses = _losses(model, images, labels)
    shared = _shared(model)
    return _cosine(*[_joined(torch.autograd.grad(x, shared)) for x in losses])


def cosine_dot(model, images, labels):
    a, b = _rows(model, images, labels)
    return (a @ b).item()


def cosine_absolute(model, images, labels):
    return abs(cosine_two_passes(model, images, labels))


def cosine_negative(model, images, labels):
    return -cosine_two_passes(model, images, labels)


def cosine_distance(model, images, labels):
    return 1 - cosine_two_passes(model, images, labels)


def cosine_tensor(model, images, labels):
    return F.cosine_similarity(*_rows(model, images, labels), dim=0)


def cosine_numpy(model, images, labels):
    return np.float32(cosine_two_passes(model, images, labels))


def cosine_with_a_graph(model, images, labels):
    a, b = (row.requires_grad_() for row in _rows(model, images, labels))
    return a @ b / (a.norm() * b.norm())


def cosine_per_cent(model, images, labels):
    return 500 * cosine_tensor(model, images, labels)


def cosine_angle(model, images, labels):
    return cosine_tensor(model, images, labels).acos().item()


def cosine_of_weights(model, images, labels):
    weights = [p for p in _shared(model) if p.dim() > 1]
    rows = [
        _joined(torch.autograd.grad(loss, weights, retain_graph=True))
        for loss in _losses(model, images, labels)
    ]
    return _cosine(*rows)


def cosine_of_one_picture(model, images, labels):
    one = {task: truth[:1] for task, truth in labels.items()}
    return cosine_two_passes(model, images[:1], one)


def cosine_on_old_gradients(model, images, labels):
    held = [torch.zeros_like(p) if p.grad is None else p.grad for p in _shared(model)]
    a, b = _rows(model, images, labels)
    return _cosine(_joined(held) + a, _joined(held) + b)


def cosine_rounded(model, images, labels):
    return round(cosine_two_passes(model, images, labels), 3)


def cosine_thawed_for_now(model, images, labels):
    frozen = [p for p in model.parameters() if not p.requires_grad]
    model.requires_grad_(True)
    found = cosine_two_passes(model, images, labels)
    for parameter in frozen:
        parameter.requires_grad_(False)
    return found


def cosine_one_length(model, images, labels):
    a, b = _rows(model, images, labels)
    return (a @ b / a.norm() ** 2).item() * 100


def cosine_last_layer(model, images, labels):
    last = list(model.backbone[4].parameters())
    rows = [
        _joined(torch.autograd.grad(loss, last, retain_graph=True))
        for loss in _losses(model, images, labels)
    ]
    return _cosine(*rows)


def cosine_silent(model, images, labels):
    cosine_two_passes(model, images, labels)


def cosine_hook_left(model, images, labels):
    model.backbone.register_forward_hook(lambda *_: None)
    return cosine_two_passes(model, images, labels)


def cosine_stepped(model, images, labels):
    found = cosine_two_passes(model, images, labels)
    with torch.no_grad():
        next(model.heads.parameters()).add_(0.1)
    return found


def cosine_of_known_names(model, images, labels):
    mode = model.training
    logits = model.eval()(images)
    losses = [F.cross_entropy(logits[t], labels[t]) for t in ("species", "colour")]
    rows = [
        _joined(torch.autograd.grad(loss, _shared(model), retain_graph=True))
        for loss in losses
    ]
    model.train(mode)
    return _cosine(*rows)


# --- the tables ---------------------------------------------------------------------

ONE, TWO = 11_182_155, 22_358_667
MEASURED = {"A": 0.6, "B": -0.2, "C": 1.0}

RIGHT = {
    "10.1": [
        SharedByName,
        SharedInAList,
        SharedWide,
        shared_by_function,
        shared_alike_at_first,
    ],
    "10.2": [share_in_a_list, share_by_groups, share_by_identity, share_own_class],
    "10.3": [
        masked_by_index,
        masked_ignore,
        masked_by_hand,
        masked_constant_zero,
        masked_nan_to_num,
        masked_in_double,
    ],
    "10.4": [WeightsStacked, WeightsMasked, WeightsBySigma],
    "10.5": [
        cosine_two_passes,
        cosine_sums,
        cosine_backward_restored,
        cosine_on_a_copy,
        cosine_tensor,
        cosine_numpy,
        cosine_with_a_graph,
    ],
    "10.6": [
        {"one": ONE, "two": TWO},
        {"two": TWO, "one": ONE},
        {"one": float(ONE), "two": float(TWO)},
        {"one": np.int64(ONE), "two": torch.tensor(TWO)},
        {np.str_("one"): np.float64(ONE), "two": np.array(TWO)},
        With({"one": ONE, "two": TWO}, counted={"one": ONE, "two": TWO}),
    ],
    "10.7": [
        {"A": "b", "B": "d", "C": "a", "D": "f"},
        {"D": "F", "C": "A", "B": "D", "A": "B"},
        {"a": "b", "b": "d", "c": "a", "d": "f"},
        {"A": " b", "B": "d ", "C": "a", "D": "f"},
        With({"A": "b", "B": "d", "C": "a", "D": "f"}, measured=MEASURED),
    ],
}
WRONG = {
    "10.1": [
        *[(_named(name, answer), key) for name, answer, key in SHARED_WRONG],
        (shared_built, "instance"),
        (
            _named("shared_numbers", _module(_usual, heads=_numbers_as_heads)),
            "no-layers",
        ),
        (_named("shared_keys", _module(_usual, heads=_heads_of_keys)), "items"),
        (SharedPerTask, "backbone-lost"),
        (SharedNets, "passes"),
        (shared_unbuilt, "type"),
        (SharedWithoutSuper, "no-super"),
        (SharedForgotten, "no-self"),
        (_named("shared_of_pictures", _module(_of_pictures)), "pictures"),
        (_named("shared_squeezed", _module(_squeezed)), "squeezed"),
        (
            _named("shared_eval", _module(_usual, keep=lambda b: b.eval())),
            "changed-mode",
        ),
    ],
    "10.2": [
        (share_as_written, "built-twice"),
        (share_line_moved, "twice"),
        (share_deepcopy, "copy"),
        (share_first_is_original, "copy"),
        (share_same_values, "built-twice"),
        (share_spare_call, "built-twice"),
        (share_many_optimizers, "optimizers"),
        (share_heads_only, "no-backbone"),
        (share_last_net, "missing"),
        (share_fixed_rate, "rate"),
        (share_momentum, "options"),
        (share_adam, "type"),
        (share_frozen, "detached"),
        (share_one_head, "shared-head"),
        (share_softmax, "softmax"),
        (share_nets_only, "two-things"),
        (share_list_of_nets, "type"),
        (share_without_backbone, "not-built"),
        *[(_named(name, _shared_by(make)), key) for name, make, key in SHARE_WRONG],
        (share_first_net_only, "tasks"),
        (share_swapped, "swapped"),
        (share_not_called, "not-called"),
        (share_compared, "compared"),
        (share_one_head_for_all, "one-head"),
        (share_of_keys, "items"),
        (share_parameters_of_a_dict, "plain-dict"),
        (share_twice_in_groups, "twice"),
        (share_moves_a_copy, "strangers"),
        (share_weights_only, "missing"),
        (share_functions, "no-module"),
    ],
    "10.3": [
        (masked_epsilon, "log-of-zero"),
        (masked_by_the_first, "first-mask"),
        (masked_if, "one-truth"),
        (masked_nan, "nan"),
        (masked_nan_rows, "nan"),
        (masked_forgotten, "ignore-index"),
        (masked_last_class, "last-class"),
        (masked_zeroed, "zeroed"),
        (masked_left_out, "tasks"),
        (masked_total, "type"),
        (masked_numbers, "no-tensor"),
        (masked_detached, "no-graph"),
        (masked_each, "shape"),
        (masked_in_place, "mutated"),
        (masked_tiny, "not-zero"),
        (masked_log_of_softmax, "log-of-zero"),
        (masked_leaking, "gradient"),
        (masked_one_denominator, "value"),
        (masked_by_exp, "log-of-zero"),
        (masked_new_tensors, "no-graph"),
        (masked_nothing_for_empty, "no-tensor"),
    ],
    "10.4": [
        *[(_named(name, answer), key) for name, answer, key in WEIGHTS_WRONG],
        (weights_extra, "extra"),
        (_named("weights_built", WeightsStacked(["a", "b"])), "instance"),
        (weights_elsewhere, "no-s"),
    ],
    "10.5": [
        (cosine_with_heads, "heads"),
        (cosine_heads_unused, "unused"),
        (cosine_of_layers, "mean-of-cosines"),
        (cosine_no_retain, "retain-graph"),
        (cosine_writes, "grad-written"),
        (cosine_clears, "grad-written"),
        (cosine_accumulates, "accumulated"),
        (cosine_adds_to_old, "accumulated"),
        (cosine_aliased, "aliased"),
        (cosine_train_mode, "train-mode"),
        (cosine_heads_in_train, "train-mode"),
        (cosine_mode_as_it_came, "train-mode"),
        (cosine_mode_lost, "changed-mode"),
        (cosine_train_left, "changed-mode"),
        (cosine_extra_pass, "changed-statistics"),
        (cosine_frozen_too, "frozen"),
        (cosine_thawed, "frozen"),
        (cosine_no_grad, "no-grad"),
        (cosine_dot, "dot"),
        (cosine_absolute, "sign"),
        (cosine_negative, "sign"),
        (cosine_distance, "distance"),
        (cosine_one_length, "range"),
        (cosine_per_cent, "range"),
        (cosine_angle, "angle"),
        (cosine_rounded, "rounded"),
        (cosine_of_weights, "part"),
        (cosine_of_one_picture, "pictures"),
        (cosine_on_old_gradients, "old-gradients"),
        (cosine_thawed_for_now, "frozen"),
        (cosine_last_layer, "part"),
        (cosine_silent, "none"),
        (cosine_hook_left, "changed-hooks"),
        (cosine_stepped, "changed-weights"),
        (cosine_of_known_names, "names"),
    ],
    "10.6": [
        ({"one": ONE + 513_000, "two": TWO + 1_026_000}, "old-head"),
        ({"one": 11_176_512, "two": 2 * 11_176_512}, "no-heads"),
        ({"one": 11_176_512 + 5632, "two": TWO}, "bias"),
        ({"one": ONE, "two": TWO + 5643}, "twice"),
        ({"one": TWO, "two": ONE}, "mixed-up"),
        ({"one": TWO, "two": TWO}, "twice"),
        ({"one": ONE, "two": 2 * ONE + 1}, "value"),
        (With({"one": ONE, "two": TWO}, counted={"one": 5, "two": TWO}), "measurement"),
        ({"one": ONE}, "names"),
        ({"one": ONE, "two": ONE}, "shared"),
        ({"one": ONE - 513 * 5, "two": TWO}, "one-head"),
        ({"one": ONE, "two": TWO - 513 * 6}, "one-head"),
        ({"one": ONE + 513 * 19, "two": TWO}, "pairs"),
        ({"one": 11.18, "two": 22.36}, "millions"),
        ({"one": 11.2e6, "two": 22.4e6}, "rounded"),
        ({"one": ONE + 1, "two": TWO}, "value"),
        ({"one": True, "two": TWO}, "type"),
        ({"one": None, "two": TWO}, "none"),
        ({"one": "11182155", "two": TWO}, "type"),
        (ONE, "type"),
    ],
    "10.7": [
        *[({"A": x, "B": "d", "C": "a", "D": "f"}, f"A-{x}") for x in "acd"],
        *[({"A": "b", "B": x, "C": "a", "D": "f"}, f"B-{x}") for x in "abc"],
        *[({"A": "b", "B": "d", "C": x, "D": "f"}, f"C-{x}") for x in "bcd"],
        *[({"A": "b", "B": "d", "C": "a", "D": x}, f"D-{x}") for x in "egh"],
        ({"A": "b", "B": "d", "C": "a", "D": "a"}, "unknown"),
        ({"A": "e", "B": "d", "C": "a", "D": "f"}, "unknown"),
        ({"A": "b", "B": "d", "C": "a"}, "questions"),
        (With({"A": "b", "B": "d", "C": "d", "D": "f"}, measured=MEASURED), "C-d"),
        (With({"A": "b", "B": "d", "C": "a", "D": "f"}, measured={}), "measurement"),
        ({"A": 1, "B": "d", "C": "a", "D": "f"}, "type"),
        ({"A": None, "B": "d", "C": "a", "D": "f"}, "type"),
        ("bdaf", "type"),
    ],
}
# The last line without item(): a tensor without dimensions is a number too.
EQUIVALENT = {"10.5": ["return a @ b / (a.norm() * b.norm())"]}
