"""Answers to 02 and 03, written from the text of the tasks alone, without sight of
the checks."""

import contextlib
import copy
import math
import statistics
import time

import numpy as np
import torch
from torch import nn

# --- 02.1 Compare models: f(models, image, passes, warmup, clock) -> list of dicts


def t02_1_right_plain_loop(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        modes = {module: module.training for module in model.modules()}
        model.eval()
        times = []
        with torch.no_grad():
            batch = image.unsqueeze(0)
            for _ in range(warmup):
                model(batch)
            for _ in range(passes):
                start = clock()
                logits = model(batch)
                times.append(clock() - start)
        for module, training in modes.items():
            module.training = training
        rows.append(
            {
                "name": name,
                "parameters": sum(p.numel() for p in model.parameters()),
                "median_ms": float(statistics.median(times) * 1000),
                "top5": logits[0].topk(5).indices.tolist(),
            }
        )
    return rows


@torch.inference_mode()
def t02_1_right_numpy_one_loop(models, image, passes, warmup, clock):
    def one(name, model):
        before = [(module, module.training) for module in model.modules()]
        milliseconds = np.zeros(passes)
        try:
            model.eval()
            for i in range(-warmup, passes):
                if i < 0:
                    model(image[None])
                    continue
                begin = clock()
                output = model(image[None])
                end = clock()
                milliseconds[i] = 1e3 * (end - begin)
        finally:
            for module, training in before:
                module.training = training
        order = torch.argsort(output.squeeze(0), descending=True)
        return dict(
            name=name,
            parameters=sum(math.prod(p.shape) for p in model.parameters()),
            median_ms=float(np.median(milliseconds)),
            top5=[int(i) for i in order[:5]],
        )

    return [one(*item) for item in models.items()]


def _t02_1_times(model, batch, passes, warmup, clock):
    times = []
    for _ in range(warmup):
        model(batch)
    for _ in range(passes):
        start = clock()
        logits = model(batch)
        times.append(clock() - start)
    return times, logits


def _t02_1_row(name, model, times, logits):
    return {
        "name": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "median_ms": float(statistics.median(times) * 1000),
        "top5": logits[0].topk(5).indices.tolist(),
    }


def _t02_1_measure(models, image, passes, warmup, clock):
    """Yield name, model, times and logits, all as the text asks."""
    for name, model in models.items():
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        with torch.no_grad():
            times, logits = _t02_1_times(model, image[None], passes, warmup, clock)
        for module, training in modes:
            module.training = training
        yield name, model, times, logits


def t02_1_wrong_mean(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["median_ms"] = float(statistics.mean(found[2]) * 1000)
        rows.append(row)
    return rows


def t02_1_wrong_seconds(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["median_ms"] = float(statistics.median(found[2]))
        rows.append(row)
    return rows


def t02_1_wrong_lower_median(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        times = torch.tensor(found[2], dtype=torch.float64)
        row["median_ms"] = times.median().item() * 1000
        rows.append(row)
    return rows


def t02_1_wrong_upper_median(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["median_ms"] = sorted(found[2])[len(found[2]) // 2] * 1000
        rows.append(row)
    return rows


def t02_1_wrong_middle_without_sorting(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["median_ms"] = found[2][len(found[2]) // 2] * 1000
        rows.append(row)
    return rows


def t02_1_wrong_fastest(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["median_ms"] = min(found[2]) * 1000
        rows.append(row)
    return rows


def t02_1_wrong_train_mode(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        with torch.no_grad():
            found = _t02_1_times(model, image[None], passes, warmup, clock)
        rows.append(_t02_1_row(name, model, *found))
    return rows


def t02_1_wrong_left_in_eval(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        model.eval()
        with torch.no_grad():
            found = _t02_1_times(model, image[None], passes, warmup, clock)
        rows.append(_t02_1_row(name, model, *found))
    return rows


def t02_1_wrong_always_back_to_train(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        model.eval()
        with torch.no_grad():
            found = _t02_1_times(model, image[None], passes, warmup, clock)
        model.train()
        rows.append(_t02_1_row(name, model, *found))
    return rows


def t02_1_wrong_with_gradients(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        found = _t02_1_times(model, image[None], passes, warmup, clock)
        for module, training in modes:
            module.training = training
        rows.append(_t02_1_row(name, model, *found))
    return rows


def t02_1_wrong_no_warmup(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, passes, 0, clock)
    return [_t02_1_row(*found) for found in measured]


def t02_1_wrong_warmup_timed_too(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, warmup + passes, 0, clock)
    return [_t02_1_row(*found) for found in measured]


def t02_1_wrong_warmup_taken_from_passes(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, passes - warmup, warmup, clock)
    return [_t02_1_row(*found) for found in measured]


def t02_1_wrong_hard_coded_counts(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, 20, 5, clock)
    return [_t02_1_row(*found) for found in measured]


def t02_1_wrong_one_pass_too_many(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, passes + 1, warmup, clock)
    return [_t02_1_row(*found) for found in measured]


def t02_1_wrong_own_clock(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, passes, warmup, time.perf_counter)
    return [_t02_1_row(*found) for found in measured]


def t02_1_wrong_all_passes_timed_together(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        with torch.no_grad():
            for _ in range(warmup):
                model(image[None])
            start = clock()
            for _ in range(passes):
                logits = model(image[None])
            each = (clock() - start) / passes
        for module, training in modes:
            module.training = training
        rows.append(_t02_1_row(name, model, [each], logits))
    return rows


def t02_1_wrong_start_never_reset(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        times = []
        with torch.no_grad():
            for _ in range(warmup):
                model(image[None])
            start = clock()
            for _ in range(passes):
                logits = model(image[None])
                times.append(clock() - start)
        for module, training in modes:
            module.training = training
        rows.append(_t02_1_row(name, model, times, logits))
    return rows


def t02_1_wrong_times_shared_by_all_models(models, image, passes, warmup, clock):
    rows, times = [], []
    for name, model, own, logits in _t02_1_measure(
        models, image, passes, warmup, clock
    ):
        times.extend(own)
        rows.append(_t02_1_row(name, model, times, logits))
    return rows


def t02_1_wrong_only_trainable(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        learn = [p for p in found[1].parameters() if p.requires_grad]
        row["parameters"] = sum(p.numel() for p in learn)
        rows.append(row)
    return rows


def t02_1_wrong_counts_tensors(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["parameters"] = len(list(found[1].parameters()))
        rows.append(row)
    return rows


def t02_1_wrong_counts_buffers(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["parameters"] = sum(t.numel() for t in found[1].state_dict().values())
        rows.append(row)
    return rows


def t02_1_wrong_parameters_in_millions(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["parameters"] = row["parameters"] / 1e6
        rows.append(row)
    return rows


def t02_1_wrong_top5_sorted_by_position(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["top5"] = sorted(row["top5"])
        rows.append(row)
    return rows


def t02_1_wrong_top5_largest_last(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["top5"] = found[3][0].argsort()[-5:].tolist()
        rows.append(row)
    return rows


def t02_1_wrong_top5_smallest(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["top5"] = found[3][0].argsort()[:5].tolist()
        rows.append(row)
    return rows


def t02_1_wrong_top5_values(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["top5"] = found[3][0].topk(5).values.tolist()
        rows.append(row)
    return rows


def t02_1_wrong_top5_of_magnitudes(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["top5"] = found[3][0].abs().topk(5).indices.tolist()
        rows.append(row)
    return rows


def t02_1_wrong_top5_a_tensor(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["top5"] = found[3][0].topk(5).indices
        rows.append(row)
    return rows


def t02_1_wrong_top5_with_batch_axis(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row = _t02_1_row(*found)
        row["top5"] = found[3].topk(5).indices.tolist()
        rows.append(row)
    return rows


def t02_1_wrong_no_batch(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        with torch.no_grad():
            times, logits = _t02_1_times(model, image, passes, warmup, clock)
        for module, training in modes:
            module.training = training
        rows.append(_t02_1_row(name, model, times, logits))
    return rows


def t02_1_wrong_fastest_first(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, passes, warmup, clock)
    rows = [_t02_1_row(*found) for found in measured]
    return sorted(rows, key=lambda row: row["median_ms"])


def t02_1_wrong_sorted_by_name(models, image, passes, warmup, clock):
    ordered = dict(sorted(models.items()))
    measured = _t02_1_measure(ordered, image, passes, warmup, clock)
    return [_t02_1_row(*found) for found in measured]


def t02_1_wrong_return_inside_loop(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        rows.append(_t02_1_row(*found))
        break
    return rows


def t02_1_wrong_same_dict_each_time(models, image, passes, warmup, clock):
    rows, row = [], {}
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        row.update(_t02_1_row(*found))
        rows.append(row)
    return rows


def t02_1_wrong_dict_of_dicts(models, image, passes, warmup, clock):
    measured = _t02_1_measure(models, image, passes, warmup, clock)
    return {found[0]: _t02_1_row(*found) for found in measured}


def t02_1_wrong_no_return(models, image, passes, warmup, clock):
    rows = []
    for found in _t02_1_measure(models, image, passes, warmup, clock):
        rows.append(_t02_1_row(*found))


# --- 02.2 Many times, three numbers: f(times_ms, warmup) -> (median, p10, p90)


def t02_2_right_numpy(times_ms, warmup):
    rest = np.array(times_ms[warmup:])
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_right_torch_double(times_ms, warmup):
    rest = torch.tensor(times_ms[warmup:], dtype=torch.float64)
    q = torch.tensor([0.5, 0.1, 0.9], dtype=torch.float64)
    median, low, high = torch.quantile(rest, q).tolist()
    return median, low, high


def t02_2_right_by_hand(times_ms, warmup):
    ordered = sorted(times_ms[warmup:])

    def at(fraction):
        place = fraction * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        part = place - below
        return float(ordered[below] * (1 - part) + ordered[above] * part)

    return at(0.5), at(0.1), at(0.9)


def t02_2_wrong_warmup_kept(times_ms, warmup):
    return tuple(float(np.percentile(times_ms, q)) for q in (50, 10, 90))


def t02_2_wrong_drops_the_last(times_ms, warmup):
    rest = times_ms[: len(times_ms) - warmup]
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_sorted_before_dropping(times_ms, warmup):
    rest = sorted(times_ms)[warmup:]
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_drops_the_slowest(times_ms, warmup):
    rest = sorted(times_ms, reverse=True)[warmup:]
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_drops_one_more(times_ms, warmup):
    rest = times_ms[warmup + 1 :]
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_drops_one_less(times_ms, warmup):
    rest = times_ms[max(warmup - 1, 0) :]
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_only_the_warmup(times_ms, warmup):
    rest = times_ms[:warmup]
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_hard_coded_warmup(times_ms, warmup):
    rest = times_ms[10:]
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_deletes_in_place(times_ms, warmup):
    del times_ms[:warmup]
    return tuple(float(np.percentile(times_ms, q)) for q in (50, 10, 90))


def t02_2_wrong_sorts_in_place(times_ms, warmup):
    rest = times_ms[warmup:]
    times_ms.sort()
    return tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


def t02_2_wrong_ascending_order(times_ms, warmup):
    rest = times_ms[warmup:]
    return tuple(float(np.percentile(rest, q)) for q in (10, 50, 90))


def t02_2_wrong_90_before_10(times_ms, warmup):
    rest = times_ms[warmup:]
    return tuple(float(np.percentile(rest, q)) for q in (50, 90, 10))


def t02_2_wrong_fractions_as_percent(times_ms, warmup):
    rest = times_ms[warmup:]
    return tuple(float(np.percentile(rest, q)) for q in (0.5, 0.1, 0.9))


def t02_2_wrong_mean(times_ms, warmup):
    rest = times_ms[warmup:]
    low, high = np.percentile(rest, [10, 90])
    return float(np.mean(rest)), float(low), float(high)


def t02_2_wrong_min_and_max(times_ms, warmup):
    rest = times_ms[warmup:]
    return float(np.median(rest)), float(min(rest)), float(max(rest))


def t02_2_wrong_lower_median(times_ms, warmup):
    rest = times_ms[warmup:]
    low, high = np.percentile(rest, [10, 90])
    median = torch.tensor(rest, dtype=torch.float64).median()
    return float(median), float(low), float(high)


def t02_2_wrong_no_interpolation(times_ms, warmup):
    ordered = sorted(times_ms[warmup:])
    n = len(ordered)
    median = float(statistics.median(ordered))
    return median, float(ordered[int(0.1 * n)]), float(ordered[int(0.9 * n)])


def t02_2_wrong_nearest(times_ms, warmup):
    rest = times_ms[warmup:]
    low, high = np.percentile(rest, [10, 90], method="nearest")
    return float(np.median(rest)), float(low), float(high)


def t02_2_wrong_exclusive_quantiles(times_ms, warmup):
    rest = times_ms[warmup:]
    tenths = statistics.quantiles(rest, n=10)
    return float(statistics.median(rest)), float(tenths[0]), float(tenths[-1])


def t02_2_wrong_unsorted_places(times_ms, warmup):
    rest = times_ms[warmup:]
    n = len(rest) - 1
    return tuple(float(rest[round(q * n)]) for q in (0.5, 0.1, 0.9))


def t02_2_wrong_quartiles(times_ms, warmup):
    rest = times_ms[warmup:]
    return tuple(float(np.percentile(rest, q)) for q in (50, 25, 75))


def t02_2_wrong_array(times_ms, warmup):
    return np.percentile(times_ms[warmup:], [50, 10, 90])


def t02_2_right_tensors(times_ms, warmup):
    rest = torch.tensor(times_ms[warmup:], dtype=torch.float64)
    return tuple(torch.quantile(rest, q) for q in (0.5, 0.1, 0.9))


def t02_2_wrong_median_alone(times_ms, warmup):
    return float(np.median(times_ms[warmup:]))


def t02_2_wrong_rounded(times_ms, warmup):
    rest = times_ms[warmup:]
    return tuple(float(round(np.percentile(rest, q))) for q in (50, 10, 90))


def t02_2_wrong_no_return(times_ms, warmup):
    rest = times_ms[warmup:]
    tuple(float(np.percentile(rest, q)) for q in (50, 10, 90))


# --- 02.3 The Pareto front: f(models) -> list of names


def _known(value):
    return value is not None and not math.isnan(value)


def _complete(models):
    return [m for m in models if _known(m["top1"]) and _known(m["params"])]


def _beats(a, b):
    as_good = a["top1"] >= b["top1"] and a["params"] <= b["params"]
    better = a["top1"] > b["top1"] or a["params"] < b["params"]
    return as_good and better


def t02_3_right_by_definition(models):
    known = _complete(models)
    front = [m for m in known if not any(_beats(other, m) for other in known)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_right_one_sweep(models):
    known = _complete(models)
    known = sorted(known, key=lambda m: (m["params"], -m["top1"]))
    names, last = [], None
    for m in known:
        figures = (m["params"], m["top1"])
        if last is None or m["top1"] > last[1] or figures == last:
            names.append(m["name"])
            last = figures
    return names


def t02_3_right_arrays(models):
    known = sorted(_complete(models), key=lambda m: m["params"])
    if not known:
        return []
    top1 = np.array([m["top1"] for m in known], dtype=float)
    size = np.array([m["params"] for m in known], dtype=float)
    as_good = (top1[:, None] >= top1) & (size[:, None] <= size)
    better = (top1[:, None] > top1) | (size[:, None] < size)
    beaten = (as_good & better).any(axis=0)
    return [m["name"] for m, lost in zip(known, beaten, strict=True) if not lost]


def t02_3_wrong_beats_only_if_better_in_both(models):
    known = _complete(models)
    front = [
        m
        for m in known
        if not any(o["top1"] > m["top1"] and o["params"] < m["params"] for o in known)
    ]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_equals_beat_each_other(models):
    known = _complete(models)
    front = [
        m
        for m in known
        if not any(
            o is not m and o["top1"] >= m["top1"] and o["params"] <= m["params"]
            for o in known
        )
    ]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_each_beats_itself(models):
    known = _complete(models)
    front = [
        m
        for m in known
        if not any(o["top1"] >= m["top1"] and o["params"] <= m["params"] for o in known)
    ]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_better_in_one_is_enough(models):
    known = _complete(models)
    front = [
        m
        for m in known
        if not any(o["top1"] > m["top1"] or o["params"] < m["params"] for o in known)
    ]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_sweep_loses_equals(models):
    known = sorted(_complete(models), key=lambda m: (m["params"], -m["top1"]))
    names, best = [], -math.inf
    for m in known:
        if m["top1"] > best:
            names.append(m["name"])
            best = m["top1"]
    return names


def t02_3_wrong_sweep_keeps_same_accuracy(models):
    known = sorted(_complete(models), key=lambda m: (m["params"], -m["top1"]))
    names, best = [], -math.inf
    for m in known:
        if m["top1"] >= best:
            names.append(m["name"])
            best = m["top1"]
    return names


def t02_3_wrong_sweep_ignores_ties_in_params(models):
    known = sorted(_complete(models), key=lambda m: (m["params"], m["top1"]))
    names, best = [], -math.inf
    for m in known:
        if m["top1"] > best:
            names.append(m["name"])
            best = m["top1"]
    return names


def t02_3_wrong_sweep_without_sorting(models):
    names, best = [], -math.inf
    for m in _complete(models):
        if m["top1"] > best:
            names.append(m["name"])
            best = m["top1"]
    return names


def t02_3_wrong_compared_with_the_neighbour_only(models):
    known = sorted(_complete(models), key=lambda m: m["params"])
    front = known[:1]
    for before, m in zip(known, known[1:], strict=False):
        if not _beats(before, m):
            front.append(m)
    return [m["name"] for m in front]


def t02_3_wrong_more_params_better(models):
    known = _complete(models)

    def beats(a, b):
        figures_a, figures_b = (a["top1"], a["params"]), (b["top1"], b["params"])
        at_least = figures_a[0] >= figures_b[0] and figures_a[1] >= figures_b[1]
        return at_least and figures_a != figures_b

    front = [m for m in known if not any(beats(other, m) for other in known)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_given_order(models):
    known = _complete(models)
    return [m["name"] for m in known if not any(_beats(o, m) for o in known)]


def t02_3_wrong_largest_first(models):
    known = _complete(models)
    front = [m for m in known if not any(_beats(o, m) for o in known)]
    front.sort(key=lambda m: m["params"], reverse=True)
    return [m["name"] for m in front]


def t02_3_wrong_sorted_by_name(models):
    known = _complete(models)
    return sorted(m["name"] for m in known if not any(_beats(o, m) for o in known))


def t02_3_wrong_none_not_handled(models):
    front = [m for m in models if not any(_beats(o, m) for o in models)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_nan_kept(models):
    known = [m for m in models if m["top1"] is not None and m["params"] is not None]
    front = [m for m in known if not any(_beats(o, m) for o in known)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_missing_params_kept(models):
    known = [
        {**m, "params": m["params"] if _known(m["params"]) else 0.0}
        for m in models
        if _known(m["top1"])
    ]
    front = [m for m in known if not any(_beats(o, m) for o in known)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_missing_top1_as_zero(models):
    known = [
        {**m, "top1": m["top1"] if _known(m["top1"]) else 0.0}
        for m in models
        if _known(m["params"])
    ]
    front = [m for m in known if not any(_beats(o, m) for o in known)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_sorts_in_place(models):
    known = _complete(models)
    front = [m for m in known if not any(_beats(o, m) for o in known)]
    models.sort(key=lambda m: m["params"] if _known(m["params"]) else math.inf)
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_removes_from_the_list(models):
    for m in list(models):
        if not (_known(m["top1"]) and _known(m["params"])):
            models.remove(m)
    front = [m for m in models if not any(_beats(o, m) for o in models)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_removes_while_iterating(models):
    known = sorted(_complete(models), key=lambda m: m["params"])
    for m in known:
        if any(_beats(o, m) for o in known):
            known.remove(m)
    return [m["name"] for m in known]


def t02_3_wrong_ratio(models):
    known = _complete(models)
    ratios = [m["top1"] / max(m["params"], 1e-9) for m in known]
    front = [
        m
        for m, ratio in zip(known, ratios, strict=True)
        if ratio >= statistics.median(ratios)
    ]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]


def t02_3_wrong_two_extremes_only(models):
    known = _complete(models)
    if not known:
        return []
    small = min(known, key=lambda m: (m["params"], -m["top1"]))
    good = max(known, key=lambda m: (m["top1"], -m["params"]))
    return [small["name"]] if small is good else [small["name"], good["name"]]


def t02_3_wrong_returns_dicts(models):
    known = _complete(models)
    front = [m for m in known if not any(_beats(o, m) for o in known)]
    return sorted(front, key=lambda m: m["params"])


def t02_3_wrong_returns_the_beaten(models):
    known = _complete(models)
    beaten = [m for m in known if any(_beats(o, m) for o in known)]
    return [m["name"] for m in sorted(beaten, key=lambda m: m["params"])]


def t02_3_wrong_returns_a_set(models):
    known = _complete(models)
    return {m["name"] for m in known if not any(_beats(o, m) for o in known)}


def t02_3_wrong_no_return(models):
    known = _complete(models)
    front = [m for m in known if not any(_beats(o, m) for o in known)]
    front.sort(key=lambda m: m["params"])


# --- 02.4 The best within a budget: f(models, max_params, max_gflops) -> name or None


def _fitting(models, max_params, max_gflops):
    return [
        m
        for m in models
        if all(_known(m[key]) for key in ("top1", "params", "gflops"))
        and m["params"] <= max_params
        and m["gflops"] <= max_gflops
    ]


def t02_4_right_max_with_key(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    if not fit:
        return None
    return max(fit, key=lambda m: (m["top1"], -m["params"]))["name"]


def t02_4_right_loop(models, max_params, max_gflops):
    best = None
    for m in models:
        top1, params, gflops = m["top1"], m["params"], m["gflops"]
        if top1 is None or params is None or gflops is None:
            continue
        if any(value != value for value in (top1, params, gflops)):
            continue
        if params > max_params or gflops > max_gflops:
            continue
        if best is None or top1 > best["top1"]:
            best = m
        elif top1 == best["top1"] and params < best["params"]:
            best = m
    return None if best is None else best["name"]


def t02_4_wrong_only_params(models, max_params, max_gflops):
    fit = _fitting(models, max_params, math.inf)
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_only_gflops(models, max_params, max_gflops):
    fit = _fitting(models, math.inf, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_either_budget(models, max_params, max_gflops):
    known = _fitting(models, math.inf, math.inf)
    fit = [m for m in known if m["params"] <= max_params or m["gflops"] <= max_gflops]
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_budgets_swapped(models, max_params, max_gflops):
    fit = _fitting(models, max_gflops, max_params)
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_params_limit_excluded(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    fit = [m for m in fit if m["params"] < max_params]
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_gflops_limit_excluded(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    fit = [m for m in fit if m["gflops"] < max_gflops]
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_at_least(models, max_params, max_gflops):
    known = _fitting(models, math.inf, math.inf)
    fit = [m for m in known if m["params"] >= max_params and m["gflops"] >= max_gflops]
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_first_of_a_tie(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = max(fit, key=lambda m: m["top1"], default=None)
    return best and best["name"]


def t02_4_wrong_last_of_a_tie(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    fit.sort(key=lambda m: m["top1"])
    return fit[-1]["name"] if fit else None


def t02_4_wrong_tie_to_more_params(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_tie_to_fewer_gflops(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], -m["gflops"]), default=None)
    return best and best["name"]


def t02_4_wrong_tie_to_name(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], m["name"]), default=None)
    return best and best["name"]


def t02_4_wrong_accuracy_rounded(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = max(fit, key=lambda m: (round(m["top1"]), -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_fewest_params(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = min(fit, key=lambda m: (m["params"], -m["top1"]), default=None)
    return best and best["name"]


def t02_4_wrong_smallest_accuracy(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = min(fit, key=lambda m: (m["top1"], m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_first_that_fits(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    return fit[0]["name"] if fit else None


def t02_4_wrong_best_of_all_then_budget(models, max_params, max_gflops):
    known = _fitting(models, math.inf, math.inf)
    best = max(known, key=lambda m: (m["top1"], -m["params"]), default=None)
    if best is None:
        return None
    fits = best["params"] <= max_params and best["gflops"] <= max_gflops
    return best["name"] if fits else None


def t02_4_wrong_none_not_handled(models, max_params, max_gflops):
    fit = [m for m in models if m["params"] <= max_params and m["gflops"] <= max_gflops]
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_missing_gflops_as_zero(models, max_params, max_gflops):
    filled = [{**m, "gflops": m["gflops"] or 0} for m in models]
    fit = _fitting(filled, max_params, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_missing_params_as_zero(models, max_params, max_gflops):
    filled = [{**m, "params": m["params"] or 0} for m in models]
    fit = _fitting(filled, max_params, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_missing_top1_as_zero(models, max_params, max_gflops):
    filled = [{**m, "top1": m["top1"] or 0} for m in models]
    fit = _fitting(filled, max_params, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)
    return best and best["name"]


def t02_4_wrong_error_where_none_fits(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    return max(fit, key=lambda m: (m["top1"], -m["params"]))["name"]


def t02_4_wrong_empty_string_where_none_fits(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    best = max(fit, key=lambda m: (m["top1"], -m["params"]), default={"name": ""})
    return best["name"]


def t02_4_wrong_nearest_where_none_fits(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    if not fit:
        known = _fitting(models, math.inf, math.inf)
        smallest = min(known, key=lambda m: m["params"], default=None)
        return smallest and smallest["name"]
    return max(fit, key=lambda m: (m["top1"], -m["params"]))["name"]


def t02_4_wrong_returns_dict(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    return max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)


def t02_4_wrong_returns_accuracy(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    return max((m["top1"] for m in fit), default=None)


def t02_4_wrong_returns_list(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    fit.sort(key=lambda m: (-m["top1"], m["params"]))
    return [m["name"] for m in fit] or None


def t02_4_wrong_no_return(models, max_params, max_gflops):
    fit = _fitting(models, max_params, max_gflops)
    max(fit, key=lambda m: (m["top1"], -m["params"]), default=None)


# --- 03.1 Count the work of a convolution: f(layer, output_shape) -> int


def t03_1_right_attributes(layer, output_shape):
    channels, height, width = output_shape
    kernel_h, kernel_w = layer.kernel_size
    each = layer.in_channels // layer.groups * kernel_h * kernel_w
    return int(channels * height * width * each)


def t03_1_right_weight_times_places(layer, output_shape):
    _, height, width = output_shape
    return layer.weight.numel() * int(height) * int(width)


def t03_1_right_weight_shape(layer, output_shape):
    return math.prod(output_shape) * math.prod(layer.weight.shape[1:])


def t03_1_wrong_groups_forgotten(layer, output_shape):
    each = layer.in_channels * math.prod(layer.kernel_size)
    return math.prod(output_shape) * each


def t03_1_wrong_groups_taken_twice(layer, output_shape):
    each = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return math.prod(output_shape) * each // layer.groups


def t03_1_wrong_times_groups(layer, output_shape):
    each = layer.in_channels * layer.groups * math.prod(layer.kernel_size)
    return math.prod(output_shape) * each


def t03_1_wrong_square_kernel_of_height(layer, output_shape):
    each = layer.in_channels // layer.groups * layer.kernel_size[0] ** 2
    return math.prod(output_shape) * each


def t03_1_wrong_square_kernel_of_width(layer, output_shape):
    each = layer.in_channels // layer.groups * layer.kernel_size[1] ** 2
    return math.prod(output_shape) * each


def t03_1_wrong_kernel_sides_added(layer, output_shape):
    each = layer.in_channels // layer.groups * sum(layer.kernel_size)
    return math.prod(output_shape) * each


def t03_1_wrong_kernel_3_hard_coded(layer, output_shape):
    return math.prod(output_shape) * (layer.in_channels // layer.groups) * 9


def t03_1_wrong_bias_counted(layer, output_shape):
    each = math.prod(layer.weight.shape[1:]) + (layer.bias is not None)
    return math.prod(output_shape) * each


def t03_1_wrong_bias_counted_once_a_channel(layer, output_shape):
    macs = math.prod(output_shape) * math.prod(layer.weight.shape[1:])
    return macs + (0 if layer.bias is None else layer.out_channels)


def t03_1_wrong_two_operations(layer, output_shape):
    return 2 * math.prod(output_shape) * math.prod(layer.weight.shape[1:])


def t03_1_wrong_weights_only(layer, output_shape):
    return layer.weight.numel()


def t03_1_wrong_out_channels_forgotten(layer, output_shape):
    _, height, width = output_shape
    return height * width * math.prod(layer.weight.shape[1:])


def t03_1_wrong_out_channels_twice(layer, output_shape):
    return math.prod(output_shape) * layer.weight.numel()


def t03_1_wrong_in_channels_forgotten(layer, output_shape):
    return math.prod(output_shape) * math.prod(layer.kernel_size)


def t03_1_wrong_width_forgotten(layer, output_shape):
    return layer.weight.numel() * output_shape[1]


def t03_1_wrong_height_squared(layer, output_shape):
    return layer.weight.numel() * output_shape[1] ** 2


def t03_1_wrong_first_two_are_places(layer, output_shape):
    return layer.weight.numel() * output_shape[0] * output_shape[1]


def t03_1_wrong_divided_by_stride(layer, output_shape):
    macs = math.prod(output_shape) * math.prod(layer.weight.shape[1:])
    return macs // math.prod(layer.stride)


def t03_1_wrong_at_input_size(layer, output_shape):
    macs = math.prod(output_shape) * math.prod(layer.weight.shape[1:])
    return macs * math.prod(layer.stride)


def t03_1_wrong_dilated_extent(layer, output_shape):
    extent = [
        d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)
    ]
    each = layer.in_channels // layer.groups * math.prod(extent)
    return math.prod(output_shape) * each


def t03_1_wrong_float(layer, output_shape):
    each = layer.in_channels / layer.groups * math.prod(layer.kernel_size)
    return math.prod(output_shape) * each


def t03_1_right_tensor(layer, output_shape):
    places = torch.tensor(list(output_shape)).prod()
    return places * math.prod(layer.weight.shape[1:])


def t03_1_wrong_millions(layer, output_shape):
    return math.prod(output_shape) * math.prod(layer.weight.shape[1:]) // 10**6


def t03_1_wrong_no_return(layer, output_shape):
    math.prod(output_shape) * math.prod(layer.weight.shape[1:])


# --- 03.2 A new head: f(model, images, num_classes) -> the model, changed in place


def _fresh(old, num_classes):
    like = {"device": old.weight.device, "dtype": old.weight.dtype}
    if isinstance(old, nn.Linear):
        return nn.Linear(
            old.in_features, num_classes, bias=old.bias is not None, **like
        )
    return nn.Conv2d(
        old.in_channels,
        num_classes,
        old.kernel_size,
        stride=old.stride,
        padding=old.padding,
        dilation=old.dilation,
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
        **like,
    )


def _exchange(model, old, new):
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, name, new)


def _run_order(model, images, kinds=(nn.Linear, nn.Conv2d)):
    """The layers of these kinds as they run in eval mode; all back as it came."""
    ran = []
    was_training = model.training
    handles = [
        module.register_forward_hook(lambda layer, args, out: ran.append(layer))
        for module in model.modules()
        if isinstance(module, kinds)
    ]
    model.eval()
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
    return ran


def t03_2_right_hooks_and_modules(model, images, num_classes):
    ran = []

    def remember(layer, args, output):
        ran.append(layer)

    was_training = model.training
    handles = []
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            handles.append(module.register_forward_hook(remember))
    model.eval()
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    model.train(was_training)

    head = ran[-1]
    new = _fresh(head, num_classes).train(was_training)
    _exchange(model, head, new)
    return model


def t03_2_right_names_and_pre_hooks(model, images, num_classes):
    last = {}
    modes = {module: module.training for module in model.modules()}
    with contextlib.ExitStack() as stack:
        for module in modes:
            if isinstance(module, nn.Linear | nn.Conv2d):
                handle = module.register_forward_pre_hook(
                    lambda layer, args: last.update(layer=layer)
                )
                stack.callback(handle.remove)
        with torch.inference_mode():
            model.eval()(images)
    for module, training in modes.items():
        module.training = training

    old = last["layer"]
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, num_classes)
    else:
        new = nn.Conv2d(
            old.in_channels,
            num_classes,
            kernel_size=old.kernel_size,
            stride=old.stride,
            padding=old.padding,
            dilation=old.dilation,
        )
    new = new.to(old.weight).train(model.training)
    places = [
        name
        for name, module in model.named_modules(remove_duplicate=False)
        if module is old
    ]
    for name in places:
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, new)
    return model


def t03_2_wrong_fc_hard_coded(model, images, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t03_2_wrong_adds_an_unused_fc(model, images, num_classes):
    old = _run_order(model, images)[-1]
    model.fc = _fresh(old, num_classes).train(model.training)
    return model


def t03_2_wrong_last_registered(model, images, num_classes):
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    new = _fresh(layers[-1], num_classes).train(model.training)
    _exchange(model, layers[-1], new)
    return model


def t03_2_wrong_last_registered_linear(model, images, num_classes):
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    new = _fresh(layers[-1], num_classes).train(model.training)
    _exchange(model, layers[-1], new)
    return model


def t03_2_wrong_last_child(model, images, num_classes):
    name, old = list(model.named_children())[-1]
    if isinstance(old, nn.Sequential):
        old[-1] = _fresh(old[-1], num_classes).train(model.training)
    else:
        setattr(model, name, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_last_linear_that_ran(model, images, num_classes):
    old = _run_order(model, images, (nn.Linear,))[-1]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_linear_before_conv(model, images, num_classes):
    ran = _run_order(model, images)
    linear = [layer for layer in ran if isinstance(layer, nn.Linear)]
    old = linear[-1] if linear else ran[-1]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_first_that_ran(model, images, num_classes):
    old = _run_order(model, images)[0]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_last_by_first_run(model, images, num_classes):
    old = list(dict.fromkeys(_run_order(model, images)))[-1]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_every_layer_with_that_many_outputs(model, images, num_classes):
    old = _run_order(model, images)[-1]
    outputs = old.weight.shape[0]
    for module in list(model.modules()):
        if type(module) is type(old) and module.weight.shape[0] == outputs:
            _exchange(model, module, _fresh(module, num_classes).train(model.training))
    return model


def t03_2_wrong_run_in_train_mode(model, images, num_classes):
    ran = []
    was_training = model.training
    handles = [
        module.register_forward_hook(lambda layer, args, out: ran.append(layer))
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    model.train()
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    model.train(was_training)
    _exchange(model, ran[-1], _fresh(ran[-1], num_classes).train(was_training))
    return model


def t03_2_wrong_run_in_the_mode_it_came(model, images, num_classes):
    ran = []
    handles = [
        module.register_forward_hook(lambda layer, args, out: ran.append(layer))
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    _exchange(model, ran[-1], _fresh(ran[-1], num_classes).train(model.training))
    return model


def t03_2_wrong_left_in_eval(model, images, num_classes):
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, num_classes))
    return model.eval()


def t03_2_wrong_left_in_train(model, images, num_classes):
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, num_classes))
    return model.train()


def t03_2_wrong_hooks_kept(model, images, num_classes):
    ran = []
    was_training = model.training
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_hook(lambda layer, args, out: ran.append(layer))
    with torch.no_grad():
        model.eval()(images)
    model.train(was_training)
    old = ran[-1]
    _exchange(model, old, _fresh(old, num_classes).train(was_training))
    return model


def t03_2_wrong_all_hooks_cleared(model, images, num_classes):
    old = _run_order(model, images)[-1]
    for module in model.modules():
        module._forward_hooks.clear()
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_body_frozen(model, images, num_classes):
    old = _run_order(model, images)[-1]
    for parameter in model.parameters():
        parameter.requires_grad = False
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_all_unfrozen(model, images, num_classes):
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model.requires_grad_(True)


def t03_2_wrong_weights_reset(model, images, num_classes):
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return model


def t03_2_wrong_out_features_only(model, images, num_classes):
    old = _run_order(model, images)[-1]
    if isinstance(old, nn.Linear):
        old.out_features = num_classes
    else:
        old.out_channels = num_classes
    return model


def t03_2_wrong_kernel_1_hard_coded(model, images, num_classes):
    old = _run_order(model, images)[-1]
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, num_classes)
    else:
        new = nn.Conv2d(old.in_channels, num_classes, 1)
    _exchange(model, old, new.to(old.weight).train(model.training))
    return model


def t03_2_wrong_linear_for_a_conv(model, images, num_classes):
    old = _run_order(model, images)[-1]
    new = nn.Linear(old.weight.shape[1], num_classes).to(old.weight)
    _exchange(model, old, new.train(model.training))
    return model


def t03_2_wrong_features_512_hard_coded(model, images, num_classes):
    old = _run_order(model, images)[-1]
    if isinstance(old, nn.Linear):
        new = nn.Linear(512, num_classes)
    else:
        new = nn.Conv2d(512, num_classes, old.kernel_size)
    _exchange(model, old, new.train(model.training))
    return model


def t03_2_wrong_inputs_are_old_outputs(model, images, num_classes):
    old = _run_order(model, images)[-1]
    new = nn.Linear(old.weight.shape[0], num_classes)
    _exchange(model, old, new.train(model.training))
    return model


def t03_2_wrong_second_layer_behind_the_head(model, images, num_classes):
    old = _run_order(model, images)[-1]
    outputs = old.weight.shape[0]
    if isinstance(old, nn.Linear):
        more = nn.Linear(outputs, num_classes)
    else:
        more = nn.Conv2d(outputs, num_classes, 1)
    both = nn.Sequential(old, more.to(old.weight))
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, name, both)
    return model.train(model.training)


def t03_2_wrong_one_class_too_many(model, images, num_classes):
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, num_classes + 1).train(model.training))
    return model


def t03_2_wrong_ten_classes_hard_coded(model, images, num_classes):
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, 10).train(model.training))
    return model


def t03_2_wrong_head_sliced_not_new(model, images, num_classes):
    old = _run_order(model, images)[-1]
    with torch.no_grad():
        rows = min(num_classes, old.weight.shape[0])
        old.weight = nn.Parameter(old.weight[:rows].clone())
        if old.bias is not None:
            old.bias = nn.Parameter(old.bias[:rows].clone())
    return model


def t03_2_wrong_dotted_name_set_on_the_model(model, images, num_classes):
    old = _run_order(model, images)[-1]
    name = next(name for name, module in model.named_modules() if module is old)
    new = _fresh(old, num_classes).train(model.training)
    setattr(model, name, new)
    return model


def t03_2_wrong_leaf_name_set_on_the_model(model, images, num_classes):
    old = _run_order(model, images)[-1]
    name = next(name for name, module in model.named_modules() if module is old)
    new = _fresh(old, num_classes).train(model.training)
    setattr(model, name.split(".")[-1], new)
    return model


def t03_2_wrong_only_one_level_deep(model, images, num_classes):
    old = _run_order(model, images)[-1]
    for name, child in list(model.named_children()):
        if child is old:
            setattr(model, name, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_copy_returned(model, images, num_classes):
    model = copy.deepcopy(model)
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))
    return model


def t03_2_wrong_head_returned(model, images, num_classes):
    old = _run_order(model, images)[-1]
    new = _fresh(old, num_classes).train(model.training)
    _exchange(model, old, new)
    return new


def t03_2_wrong_no_return(model, images, num_classes):
    old = _run_order(model, images)[-1]
    _exchange(model, old, _fresh(old, num_classes).train(model.training))


def t03_2_wrong_nothing_replaced(model, images, num_classes):
    old = _run_order(model, images)[-1]
    old = _fresh(old, num_classes)
    return model


# --- 03.3 The shape that leaves each layer: f(model, images) -> {name: shape}


def t03_3_right_hooks(model, images):
    shapes, handles = {}, []

    def watch(name):
        def hook(layer, args, output):
            if name not in shapes:
                shapes[name] = tuple(output.shape)

        return hook

    for name, module in model.named_modules():
        if not list(module.children()):
            handles.append(module.register_forward_hook(watch(name)))
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            model(images)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return shapes


def t03_3_right_names_looked_up(model, images):
    names = {
        module: name
        for name, module in model.named_modules()
        if next(module.children(), None) is None
    }
    ran = []
    modes = [(module, module.training) for module in model.modules()]
    with contextlib.ExitStack() as stack:
        for module in names:
            stack.enter_context(
                module.register_forward_hook(
                    lambda layer, args, out: ran.append((layer, tuple(out.shape)))
                )
            )
        with torch.inference_mode():
            model.eval()(images)
    for module, training in modes:
        module.training = training
    result = {}
    for layer, shape in ran:
        result.setdefault(names[layer], shape)
    return result


def _leaves(model):
    return {
        name: module
        for name, module in model.named_modules()
        if not list(module.children())
    }


def _record(model, images, layers, note):
    """Run with note(name, layer, args, output) on each; all back as it came."""
    handles = [
        layer.register_forward_hook(
            lambda module, args, output, name=name: note(name, module, args, output)
        )
        for name, layer in layers.items()
    ]
    was_training = model.training
    with torch.no_grad():
        model.eval()(images)
    model.train(was_training)
    for handle in handles:
        handle.remove()


def t03_3_wrong_hooks_kept(model, images):
    shapes = {}
    was_training = model.training
    for name, layer in _leaves(model).items():
        layer.register_forward_hook(
            lambda module, args, output, name=name: (
                shapes.setdefault(name, tuple(output.shape)) and None
            )
        )
    with torch.no_grad():
        model.eval()(images)
    model.train(was_training)
    return dict(shapes)


def t03_3_wrong_last_hook_removed_only(model, images):
    shapes, handle = {}, None
    was_training = model.training
    for name, layer in _leaves(model).items():
        handle = layer.register_forward_hook(
            lambda module, args, output, name=name: (
                shapes.setdefault(name, tuple(output.shape)) and None
            )
        )
    with torch.no_grad():
        model.eval()(images)
    model.train(was_training)
    handle.remove()
    return dict(shapes)


def t03_3_wrong_all_hooks_cleared(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, _leaves(model), note)
    for module in model.modules():
        module._forward_hooks.clear()
    return shapes


def t03_3_wrong_name_bound_late(model, images):
    shapes, handles = {}, []
    name = None

    def hook(layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    for name, layer in _leaves(model).items():  # noqa: B007
        handles.append(layer.register_forward_hook(hook))
    was_training = model.training
    with torch.no_grad():
        model.eval()(images)
    model.train(was_training)
    for handle in handles:
        handle.remove()
    return shapes


def t03_3_wrong_order_of_registration(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    leaves = _leaves(model)
    _record(model, images, leaves, note)
    return {name: shapes[name] for name in leaves if name in shapes}


def t03_3_wrong_sorted_names(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, _leaves(model), note)
    return dict(sorted(shapes.items()))


def t03_3_wrong_repeated_layer_moved_back(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.pop(name, None)
        shapes[name] = tuple(output.shape)

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_repeated_layer_twice(model, images):
    shapes = {}

    def note(name, layer, args, output):
        number = 1
        key = name
        while key in shapes:
            number += 1
            key = f"{name}_{number}"
        shapes[key] = tuple(output.shape)

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_containers_too(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, dict(model.named_modules()), note)
    return shapes


def t03_3_wrong_direct_children(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, dict(model.named_children()), note)
    return shapes


def t03_3_wrong_only_leaves_with_parameters(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    layers = {
        name: layer
        for name, layer in _leaves(model).items()
        if list(layer.parameters())
    }
    _record(model, images, layers, note)
    return shapes


def t03_3_wrong_only_conv_and_linear(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    layers = {
        name: layer
        for name, layer in _leaves(model).items()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    _record(model, images, layers, note)
    return shapes


def t03_3_wrong_idle_layers_as_none(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    leaves = _leaves(model)
    _record(model, images, leaves, note)
    for name in leaves:
        shapes.setdefault(name, None)
    return shapes


def t03_3_wrong_input_shapes(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(args[0].shape))

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_weight_shapes(model, images):
    shapes = {}

    def note(name, layer, args, output):
        weight = getattr(layer, "weight", None)
        shapes.setdefault(name, () if weight is None else tuple(weight.shape))

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_without_batch(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape[1:]))

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_batch_of_one(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images[:1], _leaves(model), note)
    return shapes


def t03_3_wrong_hard_coded_picture_size(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, torch.zeros(len(images), 3, 224, 224), _leaves(model), note)
    return shapes


def t03_3_wrong_lists(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, list(output.shape))

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_outputs_themselves(model, images):
    outputs = {}

    def note(name, layer, args, output):
        outputs.setdefault(name, output)

    _record(model, images, _leaves(model), note)
    return outputs


def t03_3_wrong_number_of_values(model, images):
    sizes = {}

    def note(name, layer, args, output):
        sizes.setdefault(name, output.numel())

    _record(model, images, _leaves(model), note)
    return sizes


def t03_3_wrong_keys_are_layers(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(layer, tuple(output.shape))

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_keys_are_kinds(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(type(layer).__name__, tuple(output.shape))

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_last_part_of_the_name(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name.split(".")[-1], tuple(output.shape))

    _record(model, images, _leaves(model), note)
    return shapes


def t03_3_wrong_list_of_pairs(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, _leaves(model), note)
    return list(shapes.items())


def t03_3_wrong_run_in_train_mode(model, images):
    shapes = {}
    was_training = model.training
    handles = [
        layer.register_forward_hook(
            lambda module, args, output, name=name: (
                shapes.setdefault(name, tuple(output.shape)) and None
            )
        )
        for name, layer in _leaves(model).items()
    ]
    with torch.no_grad():
        model.train()(images)
    model.train(was_training)
    for handle in handles:
        handle.remove()
    return shapes


def t03_3_wrong_run_in_the_mode_it_came(model, images):
    shapes = {}
    handles = [
        layer.register_forward_hook(
            lambda module, args, output, name=name: (
                shapes.setdefault(name, tuple(output.shape)) and None
            )
        )
        for name, layer in _leaves(model).items()
    ]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return shapes


def t03_3_wrong_left_in_eval(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, _leaves(model), note)
    model.eval()
    return shapes


def t03_3_wrong_left_in_train(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, _leaves(model), note)
    model.train()
    return shapes


def t03_3_wrong_only_the_top_mode_restored(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    was_training = model.training
    _record(model, images, _leaves(model), note)
    model.eval()
    model.training = was_training
    return shapes


def t03_3_wrong_with_gradients(model, images):
    shapes = {}
    was_training = model.training
    handles = [
        layer.register_forward_hook(
            lambda module, args, output, name=name: (
                shapes.setdefault(name, tuple(output.shape)) and None
            )
        )
        for name, layer in _leaves(model).items()
    ]
    model.eval()(images)
    model.train(was_training)
    for handle in handles:
        handle.remove()
    return shapes


def t03_3_wrong_hook_changes_the_output(model, images):
    shapes = {}

    def watch(name):
        return lambda layer, args, output: shapes.setdefault(name, tuple(output.shape))

    was_training = model.training
    handles = [
        layer.register_forward_hook(watch(name))
        for name, layer in _leaves(model).items()
    ]
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return shapes


def t03_3_wrong_model_not_run(model, images):
    shapes = {}
    handles = [
        layer.register_forward_hook(
            lambda module, args, output, name=name: (
                shapes.setdefault(name, tuple(output.shape)) and None
            )
        )
        for name, layer in _leaves(model).items()
    ]
    for handle in handles:
        handle.remove()
    return shapes


def t03_3_wrong_layers_chained_by_hand(model, images):
    shapes = {}
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for name, layer in _leaves(model).items():
            images = layer(images)
            shapes[name] = tuple(images.shape)
    model.train(was_training)
    return shapes


def t03_3_wrong_no_return(model, images):
    shapes = {}

    def note(name, layer, args, output):
        shapes.setdefault(name, tuple(output.shape))

    _record(model, images, _leaves(model), note)


# --- 03.4 Will it fit?: f(num_params, trainable_params, activation_bytes, batch_size,
# optimizer) -> int


def t03_4_right_added_up(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    states = {"sgd": 1, "adam": 2}[optimizer]
    weights = 4 * num_params
    gradients = 4 * trainable_params
    state = 4 * states * trainable_params
    return weights + gradients + state + activation_bytes * batch_size


def t03_4_right_values_first(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    for_each = 2 if optimizer == "sgd" else 3
    values = num_params + for_each * trainable_params
    return int(values * 4 + batch_size * activation_bytes)


def t03_4_wrong_weights_forgotten(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_gradients_forgotten(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 1, "adam": 2}[optimizer] * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_state_forgotten(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_activations_forgotten(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    return 4 * (num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params)


def t03_4_wrong_activations_of_one_picture(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 4 * values + activation_bytes


def t03_4_wrong_activations_times_four(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 4 * (values + activation_bytes * batch_size)


def t03_4_wrong_activations_doubled(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 4 * values + 2 * activation_bytes * batch_size


def t03_4_wrong_all_times_batch(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return (4 * values + activation_bytes) * batch_size


def t03_4_wrong_gradients_times_batch(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    states = {"sgd": 1, "adam": 2}[optimizer]
    values = num_params + (batch_size + states) * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_frozen_as_if_they_learned(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * num_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_gradients_for_all(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    states = {"sgd": 1, "adam": 2}[optimizer]
    values = 2 * num_params + states * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_state_for_all(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    states = {"sgd": 1, "adam": 2}[optimizer]
    values = num_params + trainable_params + states * num_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_weights_that_learn_only(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = {"sgd": 3, "adam": 4}[optimizer] * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_weights_counted_twice(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = 2 * num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_frozen_ones_learn(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    frozen = num_params - trainable_params
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * frozen
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_sgd_without_momentum(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 1, "adam": 3}[optimizer] * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_adam_one_value(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + 2 * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_always_adam(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + 3 * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_optimizers_swapped(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 3, "adam": 2}[optimizer] * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_capital_letters(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    states = {"SGD": 1, "Adam": 2}.get(optimizer, 0)
    values = num_params + (1 + states) * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_adam_with_step(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 4}[optimizer] * trainable_params
    return 4 * values + activation_bytes * batch_size


def t03_4_wrong_values_not_bytes(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return values + activation_bytes * batch_size


def t03_4_wrong_half_precision(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 2 * values + activation_bytes * batch_size


def t03_4_wrong_bits(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 32 * values + 8 * activation_bytes * batch_size


def t03_4_wrong_megabytes(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return (4 * values + activation_bytes * batch_size) / 1e6


def t03_4_wrong_float(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 4.0 * values + activation_bytes * batch_size


def t03_4_wrong_four_parts(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    state = 4 * {"sgd": 1, "adam": 2}[optimizer] * trainable_params
    activations = activation_bytes * batch_size
    return 4 * num_params, 4 * trainable_params, state, activations


def t03_4_wrong_batch_hard_coded(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    return 4 * values + activation_bytes * 32


def t03_4_wrong_no_return(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    values = num_params + {"sgd": 2, "adam": 3}[optimizer] * trainable_params
    4 * values + activation_bytes * batch_size  # noqa: B018


# --- All of them


def _named(start):
    return [f for name, f in list(globals().items()) if name.startswith(start)]


_CODE = ("02.1", "02.2", "02.3", "02.4", "03.1", "03.2", "03.3", "03.4")

RIGHT: dict[str, list] = {
    task: _named(f"t{task.replace('.', '_')}_right_") for task in _CODE
}
WRONG: dict[str, list] = {
    task: _named(f"t{task.replace('.', '_')}_wrong_") for task in _CODE
}

# 02.5 What does the table tell? 03.5 Why does full fine-tuning need more memory?
for _task in ("02.5", "03.5"):
    RIGHT[_task] = ["d", "D"]
    WRONG[_task] = ["a", "b", "c", "e", "f", "", "ad", 3, ["d", "e"]]
