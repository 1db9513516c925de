"""Answers to the tasks 04.1 to 04.6."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def freeze_flag(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def freeze_then_thaw(model, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    return model


def freeze_by_timm(model, num_classes):
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.reset_classifier(num_classes)
    return model


def freeze_after(model, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model.requires_grad_(False)


def freeze_nothing(model, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def freeze_misspelt(model, num_classes):
    for parameter in model.parameters():
        parameter.require_grad = False
    return freeze_nothing(model, num_classes)


def freeze_old_head(model, num_classes):
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    return model


def freeze_copy(model, num_classes):
    return freeze_flag(copy.deepcopy(model), num_classes)


def freeze_no_return(model, num_classes):
    freeze_flag(model, num_classes)


def freeze_fixed_classes(model, num_classes):
    return freeze_flag(model, 5)


def freeze_without_bias(model, num_classes):
    freeze_flag(model, num_classes)
    model.fc.bias.requires_grad = False
    return model


def freeze_fixed_width(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(2048, num_classes)
    return model


def freeze_bare_head(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes, bias=False)
    return model


def freeze_softmax(model, num_classes):
    freeze_flag(model, num_classes)
    model.fc = nn.Sequential(model.fc, nn.Softmax(dim=1))
    return model


def freeze_two_layers(model, num_classes):
    width = model.fc.in_features
    freeze_flag(model, num_classes)
    model.fc = nn.Sequential(
        nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, num_classes)
    )
    return model


def freeze_last_stage_too(model, num_classes):
    freeze_flag(model, num_classes)
    model.layer4.requires_grad_(True)
    return model


def freeze_zeroed(model, num_classes):
    freeze_flag(model, num_classes)
    nn.init.zeros_(model.conv1[0].weight)
    return model


def features_hook(model, images):
    kept, mode = [], model.training
    hook = model.fc.register_forward_pre_hook(lambda m, x: kept.append(x[0]))
    model.eval()
    with torch.no_grad():
        model(images)
    hook.remove()
    model.train(mode)
    return kept[0]


def features_timm(model, images):
    mode = model.training
    model.eval()
    with torch.inference_mode():
        found = model.forward_head(model.forward_features(images), pre_logits=True)
    model.train(mode)
    return found


def features_copy(model, images):
    twin = copy.deepcopy(model).eval()
    twin.fc = nn.Identity()
    with torch.no_grad():
        return twin(images)


def features_logits(model, images):
    mode = model.training
    model.eval()
    with torch.no_grad():
        found = model(images)
    model.train(mode)
    return found


def features_maps(model, images):
    mode = model.training
    model.eval()
    with torch.no_grad():
        found = model.forward_features(images)
    model.train(mode)
    return found


def features_lost_head(model, images):
    mode = model.training
    model.eval()
    model.fc = nn.Identity()
    with torch.no_grad():
        found = model(images)
    model.train(mode)
    return found


def features_new_head(model, images):
    width, classes = model.fc.in_features, model.fc.out_features
    found = features_lost_head(model, images)
    model.fc = nn.Linear(width, classes)
    return found


def features_graph(model, images):
    head, mode = model.fc, model.training
    model.eval()
    model.fc = nn.Identity()
    found = model(images)
    model.fc = head
    model.train(mode)
    return found


def features_mode_lost(model, images):
    head = model.fc
    model.eval()
    model.fc = nn.Identity()
    with torch.no_grad():
        found = model(images)
    model.fc = head
    return found


def features_train_mode(model, images):
    head = model.fc
    model.fc = nn.Identity()
    with torch.no_grad():
        found = model(images)
    model.fc = head
    return found


def features_flat_maps(model, images):
    return features_maps(model, images).flatten(1)


def features_numpy(model, images):
    return features_hook(model, images).numpy()


def features_max_pooled(model, images):
    return features_maps(model, images).amax((2, 3))


def features_normalised(model, images):
    return nn.functional.normalize(features_hook(model, images), dim=1)


def features_scaled(model, images):
    return features_hook(model, images) * 2


def features_forgotten_statistics(model, images):
    found = features_hook(model, images)
    mode = model.training
    model.train()(images)
    model.train(mode)
    return found


def features_always_train(model, images):
    found = features_hook(model, images)
    model.train()
    return found


def features_bare_no_grad(model, images):
    torch.no_grad()
    return features_graph(model, images)


def features_none_for_head(model, images):
    head, mode = model.fc, model.training
    model.eval()
    model.fc = None
    with torch.no_grad():
        found = model(images)
    model.fc = head
    model.train(mode)
    return found


def features_tuple_of_hook(model, images):
    kept, mode = [], model.training
    hook = model.fc.register_forward_pre_hook(lambda m, x: kept.append(x))
    with torch.no_grad():
        model.eval()(images)
    hook.remove()
    model.train(mode)
    return kept[0]


def _classifier(width, hidden, num_classes):
    return nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )


def build_in_fc(backbone, hidden, num_classes):
    backbone.fc = _classifier(backbone.fc.in_features, hidden, num_classes)
    return backbone


def build_empty_head(backbone, hidden, num_classes):
    width, backbone.fc = backbone.fc.weight.shape[1], nn.Sequential()
    return nn.Sequential(backbone, _classifier(width, hidden, num_classes))


class _Both(nn.Module):
    def __init__(self, backbone, hidden, num_classes):
        super().__init__()
        width = backbone.fc.in_features
        backbone.fc = nn.Identity()
        self.backbone = backbone
        self.first, self.act = nn.Linear(width, hidden), nn.ReLU()
        self.last = nn.Linear(hidden, num_classes)

    def forward(self, images):
        return self.last(self.act(self.first(self.backbone(images))))


def build_as_written(backbone, hidden, num_classes):
    return nn.Sequential(backbone, _classifier(hidden, hidden, num_classes))


def build_on_logits(backbone, hidden, num_classes):
    return nn.Sequential(
        backbone, _classifier(backbone.fc.out_features, hidden, num_classes)
    )


def build_old_head(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    return nn.Sequential(backbone, _classifier(width, hidden, num_classes))


def build_without_relu(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    backbone.fc = nn.Sequential(
        nn.Linear(width, hidden), nn.Linear(hidden, num_classes)
    )
    return backbone


def build_one_layer(backbone, hidden, num_classes):
    backbone.fc = nn.Linear(backbone.fc.in_features, num_classes)
    return backbone


def build_fixed_width(backbone, hidden, num_classes):
    backbone.fc = nn.Identity()
    return nn.Sequential(backbone, _classifier(2048, hidden, num_classes))


def build_truncated(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    body = nn.Sequential(*list(backbone.children())[:-2])
    return nn.Sequential(body, _classifier(width, hidden, num_classes))


def build_classifier_only(backbone, hidden, num_classes):
    return _classifier(backbone.fc.in_features, hidden, num_classes)


def build_swapped(backbone, hidden, num_classes):
    return build_in_fc(backbone, num_classes, hidden)


def build_softmax_last(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    layers = nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    return nn.Sequential(backbone, *layers, nn.Softmax(1))


def _with(between, *behind):
    def build(backbone, hidden, num_classes):
        width = backbone.fc.in_features
        backbone.fc = nn.Identity()
        first, last = nn.Linear(width, hidden), nn.Linear(hidden, num_classes)
        return nn.Sequential(backbone, first, between, last, *behind)

    return build


build_relu_last = _with(nn.ReLU(), nn.ReLU())
build_gelu = _with(nn.GELU())
build_leaky = _with(nn.LeakyReLU())
build_dropout = _with(nn.Sequential(nn.ReLU(), nn.Dropout(0.5)))


def build_without_graph(backbone, hidden, num_classes):
    model = build_relu_in_between(backbone, hidden, num_classes)
    model.forward = torch.no_grad()(model.forward)
    return model


build_relu_in_between = _with(nn.ReLU())
build_flattened = _with(nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True)))


def build_one_more(backbone, hidden, num_classes):
    backbone.fc = nn.Linear(backbone.fc.in_features, hidden)
    return nn.Sequential(backbone, _classifier(hidden, hidden, num_classes))


def build_function(backbone, hidden, num_classes):
    model = build_relu_in_between(backbone, hidden, num_classes)
    return lambda images: model(images)


def build_late_width(backbone, hidden, num_classes):
    backbone.fc = nn.Identity()
    width = backbone.fc.in_features
    return nn.Sequential(backbone, _classifier(width, hidden, num_classes))


def build_without_head(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    del backbone.fc
    return nn.Sequential(backbone, _classifier(width, hidden, num_classes))


class _InList(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.parts = parts

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x


def build_in_list(backbone, hidden, num_classes):
    return _InList(*build_relu_in_between(backbone, hidden, num_classes))


class _BackboneHidden(_Both):
    def __init__(self, backbone, hidden, num_classes):
        super().__init__(backbone, hidden, num_classes)
        del self.backbone
        self.body = [backbone]

    def forward(self, images):
        return self.last(self.act(self.first(self.body[0](images))))


def build_on_another(backbone, hidden, num_classes):
    other = copy.deepcopy(backbone)
    for parameter in other.parameters():
        nn.init.normal_(parameter, std=0.1)
    return build_relu_in_between(other, hidden, num_classes)


def build_on_a_copy(backbone, hidden, num_classes):
    return build_relu_in_between(copy.deepcopy(backbone), hidden, num_classes)


def nearest_of_numpy(query, features, k):
    return list(np.array(nearest_functional(query, features, k)))


def nearest_functional(query, features, k):
    likeness = nn.functional.cosine_similarity(features, query[None], dim=1)
    return likeness.argsort(descending=True)[:k].tolist()


def nearest_from_one(query, features, k):
    return [i + 1 for i in nearest_functional(query, features, k)]


def nearest_as_floats(query, features, k):
    return [float(i) for i in nearest_functional(query, features, k)]


def nearest_rows(query, features, k):
    return features[nearest_functional(query, features, k)]


def nearest_skips_first(query, features, k):
    return nearest_functional(query, features, k + 1)[1:]


def nearest_normalize(query, features, k):
    rows = nn.functional.normalize(features)
    return (rows @ query).topk(k)[1].tolist()


def nearest_loop(query, features, k):
    scores = [float(row @ query / (row.norm() * query.norm())) for row in features]
    return sorted(range(len(scores)), key=lambda i: -scores[i])[:k]


def nearest_dot(query, features, k):
    return (features @ query).topk(k).indices.tolist()


def nearest_euclid(query, features, k):
    return (features - query).norm(dim=1).topk(k, largest=False).indices.tolist()


def nearest_least(query, features, k):
    return nearest_functional(-query, features, k)


def nearest_tensor(query, features, k):
    return nn.functional.cosine_similarity(features, query[None]).topk(k).indices


def nearest_reversed(query, features, k):
    return nearest_functional(query, features, k)[::-1]


def nearest_all(query, features, k):
    return nearest_functional(query, features, len(features))


def nearest_scores(query, features, k):
    return (
        nn.functional.cosine_similarity(features, query[None]).topk(k).values.tolist()
    )


def nearest_columns(query, features, k):
    rows = features / features.norm(dim=0, keepdim=True)
    return (rows @ query).topk(k).indices.tolist()


def nearest_in_place(query, features, k):
    features /= features.norm(dim=1, keepdim=True)
    return (features @ query).topk(k).indices.tolist()


def nearest_l1(query, features, k):
    rows = nn.functional.normalize(features, p=1, dim=1)
    return (rows @ query).topk(k).indices.tolist()


def nearest_absolute(query, features, k):
    likeness = nn.functional.cosine_similarity(features, query[None])
    return likeness.abs().topk(k).indices.tolist()


def nearest_centred(query, features, k):
    rows = features - features.mean(dim=1, keepdim=True)
    return nearest_functional(query - query.mean(), rows, k)


def nearest_over_rows(query, features, k):
    likeness = nn.functional.cosine_similarity(features, query[None], dim=0)
    return likeness.topk(k).indices.tolist()


def nearest_query_as_column(query, features, k):
    likeness = nn.functional.cosine_similarity(features, query[:, None])
    return likeness.topk(k).indices.tolist()


def batchnorm_base_class(model):
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train(False)


def batchnorm_apply(model):
    model.train().apply(lambda m: m.eval() if isinstance(m, _BatchNorm) else None)


def batchnorm_names(model):
    model.train()
    for layer in list(model.modules()):
        if "BatchNorm" in type(layer).__name__:
            layer.eval()
    return model


def batchnorm_train_only(model):
    model.train()


def batchnorm_eval_only(model):
    model.eval()


def batchnorm_children_only(model):
    model.train()
    for layer in model.children():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


def batchnorm_requires_grad(model):
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
            layer.requires_grad_(False)


def batchnorm_gradients_only(model):
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.requires_grad_(False)


def batchnorm_before_train(model):
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    model.train()


def batchnorm_and_dropout(model):
    model.train()
    for layer in model.modules():
        if isinstance(layer, (_BatchNorm, nn.Dropout)):
            layer.eval()


def batchnorm_flag_on_model(model):
    model.eval()
    model.training = True


def batchnorm_replaced(model):
    model.train()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.BatchNorm2d):
                setattr(parent, name, nn.Identity())


def batchnorm_two_only(model):
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def batchnorm_untracked(model):
    batchnorm_base_class(model)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = None


def batchnorm_exact_types(model):
    model.train()
    for module in model.modules():
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            module.eval()


def batchnorm_every_norm(model):
    model.train()
    for module in model.modules():
        if "Norm" in type(module).__name__:
            module.eval()


def batchnorm_reset(model):
    batchnorm_base_class(model)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()


def batchnorm_no_brackets(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval  # noqa: B018


def batchnorm_on_a_copy(model):
    batchnorm_base_class(copy.deepcopy(model))


def batchnorm_by_name(model):
    model.train()
    for name, module in model.named_modules():
        if "bn" in name:
            module.eval()


def batchnorm_two_levels(model):
    model.train()
    for outer in model.children():
        for module in (outer, *outer.children()):
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.eval()


def batchnorm_momentum(model):
    model.train()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.momentum = 0.0


def batchnorm_containers(model):
    model.train()
    for module in model.modules():
        if any(isinstance(child, _BatchNorm) for child in module.children()):
            module.eval()


def _drift(module):
    module.running_mean.add_(0.1)


def batchnorm_eval_overridden(model):
    batchnorm_base_class(model)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_hook(lambda m, _, out: _drift(m))


RIGHT = {
    "04.1": [freeze_flag, freeze_then_thaw, freeze_by_timm, freeze_bare_head],
    "04.2": [features_hook, features_timm, features_copy],
    "04.3": [build_in_fc, build_empty_head, _Both, build_flattened, build_on_a_copy],
    "04.4": [nearest_functional, nearest_normalize, nearest_loop, nearest_of_numpy],
    "04.5": [batchnorm_base_class, batchnorm_apply, batchnorm_names],
    "04.6": ["b", "B", " b"],
}
WRONG = {
    "04.1": [
        (freeze_after, "all-frozen"),
        (freeze_nothing, "nothing-frozen"),
        (freeze_misspelt, "nothing-frozen"),
        (freeze_old_head, "same-head"),
        (freeze_copy, "copy"),
        (freeze_no_return, "none"),
        (freeze_fixed_classes, "shape"),
        (freeze_without_bias, "part-of-head"),
        (freeze_fixed_width, "fixed-width"),
        (freeze_last_stage_too, "not-frozen"),
        (freeze_zeroed, "weights-changed"),
        (freeze_softmax, "softmax"),
        (freeze_two_layers, "head"),
    ],
    "04.2": [
        (features_logits, "logits"),
        (features_maps, "maps"),
        (features_lost_head, "head-lost"),
        (features_new_head, "head-lost"),
        (features_graph, "gradients"),
        (features_mode_lost, "mode-lost"),
        (features_train_mode, "mode"),
        (features_flat_maps, "maps"),
        (features_numpy, "type"),
        (features_max_pooled, "max-pooled"),
        (features_always_train, "mode-lost"),
        (features_normalised, "normalised"),
        (features_scaled, "value"),
        (features_forgotten_statistics, "changed-statistics"),
        (features_bare_no_grad, "gradients"),
        (features_none_for_head, "no-head"),
        (features_tuple_of_hook, "hook-inputs"),
    ],
    "04.3": [
        (build_as_written, "old-head"),
        (build_on_logits, "on-logits"),
        (build_old_head, "old-head"),
        (build_without_relu, "no-relu"),
        (build_one_layer, "layers"),
        (build_fixed_width, "width"),
        (build_truncated, "children"),
        (build_classifier_only, "no-backbone"),
        (build_swapped, "shape"),
        (build_softmax_last, "softmax"),
        (build_relu_last, "value"),
        (build_gelu, "gelu"),
        (build_leaky, "other-activation"),
        (build_dropout, "dropout"),
        (build_without_graph, "no-graph"),
        (build_one_more, "one-more"),
        (build_function, "function"),
        (build_late_width, "head-gone"),
        (build_without_head, "head-gone"),
        (build_in_list, "unregistered"),
        (_BackboneHidden, "backbone"),
        (build_on_another, "backbone"),
    ],
    "04.4": [
        (nearest_dot, "dot"),
        (nearest_euclid, "euclid"),
        (nearest_least, "least"),
        (nearest_tensor, "tensor"),
        (nearest_reversed, "order"),
        (nearest_all, "length"),
        (nearest_scores, "items"),
        (nearest_columns, "axis"),
        (nearest_in_place, "mutated"),
        (nearest_from_one, "from-one"),
        (nearest_as_floats, "floats"),
        (nearest_rows, "rows"),
        (nearest_skips_first, "skipped"),
        (nearest_l1, "length-l1"),
        (nearest_absolute, "absolute"),
        (nearest_centred, "value"),
        (nearest_over_rows, "dim"),
        (nearest_query_as_column, "dim"),
    ],
    "04.5": [
        (batchnorm_train_only, "train"),
        (batchnorm_eval_only, "nothing-changed"),
        (batchnorm_children_only, "depth"),
        (batchnorm_requires_grad, "changed-requires_grad"),
        (batchnorm_gradients_only, "train"),
        (batchnorm_before_train, "train"),
        (batchnorm_and_dropout, "others"),
        (batchnorm_flag_on_model, "others"),
        (batchnorm_replaced, "removed"),
        (batchnorm_two_only, "one-kind"),
        (batchnorm_exact_types, "subclass"),
        (batchnorm_every_norm, "others"),
        (batchnorm_reset, "changed-statistics"),
        (batchnorm_no_brackets, "train"),
        (batchnorm_on_a_copy, "nothing-changed"),
        (batchnorm_untracked, "changed-statistics"),
        (batchnorm_eval_overridden, "moved"),
        (batchnorm_by_name, "by-name"),
        (batchnorm_two_levels, "depth"),
        (batchnorm_momentum, "train"),
        (batchnorm_containers, "nothing-changed"),
    ],
    "04.6": [
        ("a", "a"),
        ("c", "c"),
        ("d", "d"),
        ("x", "unknown"),
        ("random crops", "unknown"),
        ("ab", "unknown"),
        (2, "type"),
        (("b",), "type"),
    ],
}


# Lines of mutants that mean the same as the solution's, with the reason.
EQUIVALENT = {
    # The query's length does not change the order.
    "04.4": (
        "likeness = rows @ (query * query.norm())",
        "likeness = rows @ query",
    ),
}
