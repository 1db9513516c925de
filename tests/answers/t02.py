"""Answers to the tasks 02.1 to 02.5."""

import copy
import math
import statistics
import time

import numpy as np
import pandas as pd
import torch


def _count(model):
    return sum(p.numel() for p in model.parameters())


def _row(name, model, times, logits):
    return {
        "name": name,
        "parameters": _count(model),
        "median_ms": 1000 * statistics.median(times),
        "top5": logits.topk(5).indices.tolist(),
    }


def _measured(model, image, passes, warmup, clock):
    """Times of all passes, warm-up included, and the logits of the last."""
    mode, times = model.training, []
    model.eval()
    with torch.no_grad():
        for _ in range(warmup + passes):
            start = clock()
            logits = model(image[None])[0]
            times.append(clock() - start)
    model.train(mode)
    return times, logits


def compare_helper(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        times, logits = _measured(model, image, passes, warmup, clock)
        rows.append(_row(name, model, times[warmup:], logits))
    return rows


def compare_warm_first(models, image, passes, warmup, clock):
    """Warm up without the clock, and one pass more for the top 5."""
    rows, batch = [], image.unsqueeze(0)
    for name, model in models.items():
        was, milliseconds = model.training, []
        model.eval()
        with torch.inference_mode():
            best = model(batch).argsort(dim=1, descending=True)[0, :5]
            for _ in range(warmup):
                model(batch)
            for _ in range(passes):
                begin = clock()
                model(batch)
                milliseconds.append((clock() - begin) * 1e3)
        model.train(was)
        rows.append(
            {
                "name": name,
                "parameters": int(sum(np.prod(p.shape) for p in model.parameters())),
                "median_ms": float(np.median(milliseconds)),
                "top5": [int(i) for i in best],
                "slowest_ms": max(milliseconds),
            }
        )
    return rows


def compare_copies(models, image, passes, warmup, clock):
    copies = {name: copy.deepcopy(model).eval() for name, model in models.items()}
    return compare_helper(copies, image, passes, warmup, clock)


@torch.no_grad()
def compare_in_turns(models, image, passes, warmup, clock):
    """One pass of each in turn, so that a slow moment hits all alike."""
    modes = {name: model.training for name, model in models.items()}
    times, logits = {name: [] for name in models}, {}
    for _ in range(warmup + passes):
        for name, model in models.items():
            model.eval()
            before = clock()
            logits[name] = model(image[None])[0]
            times[name].append(clock() - before)
    for name, model in models.items():
        model.train(modes[name])
    return pd.DataFrame(
        [_row(name, models[name], times[name][warmup:], logits[name]) for name in times]
    ).to_dict("records")


def compare_in_numpy(models, image, passes, warmup, clock):
    """Figures of NumPy's kinds, and of PyTorch's."""
    rows = []
    for name, model in models.items():
        times, logits = _measured(model, image, passes, warmup, clock)
        figures = {
            "parameters": np.int64(_count(model)),
            "median_ms": 1000 * torch.tensor(times[warmup:]).quantile(0.5),
            "top5": list(np.argsort(-logits.numpy())[:5]),
        }
        rows.append({"name": name} | figures)
    return rows


def compare_same_dict(models, image, passes, warmup, clock):
    rows, row = [], {}
    for found in compare_helper(models, image, passes, warmup, clock):
        row.update(found)
        rows.append(row)
    return rows


def compare_warmup_of_passes(models, image, passes, warmup, clock):
    return compare_helper(models, image, passes - warmup, warmup, clock)


def compare_without_eval(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        with torch.inference_mode():
            for _ in range(warmup):
                model(image[None])
            times = []
            for _ in range(passes):
                start = clock()
                logits = model(image[None])[0]
                times.append(clock() - start)
        rows.append(_row(name, model, times, logits))
    return rows


def compare_with_gradients(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        mode, times = model.training, []
        model.eval()
        for _ in range(warmup + passes):
            start = clock()
            logits = model(image[None])[0]
            times.append(clock() - start)
        model.train(mode)
        rows.append(_row(name, model, times[warmup:], logits))
    return rows


def compare_frozen(models, image, passes, warmup, clock):
    for model in models.values():
        model.requires_grad_(False)
    return compare_helper(models, image, passes, warmup, clock)


def compare_left_in_eval(models, image, passes, warmup, clock):
    for model in models.values():
        model.eval()
    return compare_helper(models, image, passes, warmup, clock)


def compare_no_warmup(models, image, passes, warmup, clock):
    return compare_helper(models, image, passes, 0, clock)


def compare_warmup_once(models, image, passes, warmup, clock):
    (first, *others) = models
    rows = compare_helper({first: models[first]}, image, passes, warmup, clock)
    rest = {name: models[name] for name in others}
    return rows + compare_helper(rest, image, passes, 0, clock)


def compare_fixed_passes(models, image, passes, warmup, clock):
    return compare_helper(models, image, 100, 10, clock)


def compare_warmup_kept(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        times, logits = _measured(model, image, passes, warmup, clock)
        rows.append(_row(name, model, times, logits))
    return rows


def _compare_with(change):
    """compare_helper, with rows changed by `change(row, model, times, logits)`."""

    def compare(models, image, passes, warmup, clock):
        rows = []
        for name, model in models.items():
            times, logits = _measured(model, image, passes, warmup, clock)
            row = _row(name, model, times[warmup:], logits)
            rows.append({**row, **change(model, times[warmup:], logits)})
        return rows

    return compare


def _named(name, function):
    function.__name__ = name
    return function


def _changed(name, change):
    return _named(f"compare_{name}", _compare_with(change))


def compare_whole_loop(models, image, passes, warmup, clock):
    rows = []
    for name, model in models.items():
        mode = model.training
        model.eval()
        with torch.no_grad():
            for _ in range(warmup):
                model(image[None])
            start = clock()
            for _ in range(passes):
                logits = model(image[None])[0]
            mean = (clock() - start) / passes
        model.train(mode)
        rows.append(_row(name, model, [mean], logits))
    return rows


def compare_own_clock(models, image, passes, warmup, clock):
    return compare_helper(models, image, passes, warmup, time.perf_counter)


def compare_no_batch(models, image, passes, warmup, clock):
    return [_lone_row(*item, image, passes, warmup, clock) for item in models.items()]


def _lone_row(name, model, image, passes, warmup, clock):
    mode, times = model.training, []
    model.eval()
    with torch.no_grad():
        for _ in range(warmup + passes):
            start = clock()
            logits = model(image)
            times.append(clock() - start)
    model.train(mode)
    return _row(name, model, times[warmup:], logits.flatten())


def compare_big_batch(models, image, passes, warmup, clock):
    batch = image.expand(8, -1, -1, -1)
    rows = [_lone_row(*item, batch, passes, warmup, clock) for item in models.items()]
    return rows


def compare_no_return(models, image, passes, warmup, clock):
    compare_helper(models, image, passes, warmup, clock)


def compare_first_only(models, image, passes, warmup, clock):
    return compare_helper(models, image, passes, warmup, clock)[:1]


def compare_last_net(models, image, passes, warmup, clock):
    """The loop's last model measured under each name."""
    last = list(models.values())[-1]
    return compare_helper(dict.fromkeys(models, last), image, passes, warmup, clock)


def compare_by_name(models, image, passes, warmup, clock):
    rows = compare_helper(models, image, passes, warmup, clock)
    return sorted(rows, key=lambda row: row["name"])


def compare_slowest_last(models, image, passes, warmup, clock):
    rows = compare_helper(models, image, passes, warmup, clock)
    return sorted(rows, key=lambda row: row["median_ms"])


def compare_slowest_first(models, image, passes, warmup, clock):
    return compare_slowest_last(models, image, passes, warmup, clock)[::-1]


def compare_frame(models, image, passes, warmup, clock):
    return pd.DataFrame(compare_helper(models, image, passes, warmup, clock))


def compare_tuples(models, image, passes, warmup, clock):
    rows = compare_helper(models, image, passes, warmup, clock)
    return [tuple(row.values()) for row in rows]


def compare_other_column(models, image, passes, warmup, clock):
    rows = compare_helper(models, image, passes, warmup, clock)
    return [{key.replace("_ms", ""): row[key] for key in row} for row in rows]


def compare_unsqueezed_in_place(models, image, passes, warmup, clock):
    return compare_no_batch(models, image.unsqueeze_(0), passes, warmup, clock)


def latency_numpy(times_ms, warmup):
    low, median, high = np.percentile(times_ms[warmup:], [10, 50, 90])
    return median, low, high


def latency_statistics(times_ms, warmup):
    kept = times_ms[warmup:]
    tenths = statistics.quantiles(kept, n=10, method="inclusive")
    return statistics.median(kept), tenths[0], tenths[-1]


def latency_by_hand(times_ms, warmup):
    ordered = sorted(times_ms[warmup:])

    def at(share):
        place = share * (len(ordered) - 1)
        left = math.floor(place)
        right = min(left + 1, len(ordered) - 1)
        return ordered[left] + (place - left) * (ordered[right] - ordered[left])

    return at(0.5), at(0.1), at(0.9)


def latency_warmup_kept(times_ms, warmup):
    return latency_numpy(times_ms, 0)


def latency_sorted_first(times_ms, warmup):
    return latency_numpy(sorted(times_ms), warmup)


def latency_wrong_end(times_ms, warmup):
    return latency_numpy(times_ms[: len(times_ms) - warmup], 0)


def latency_ascending(times_ms, warmup):
    median, low, high = latency_numpy(times_ms, warmup)
    return low, median, high


def latency_high_first(times_ms, warmup):
    median, low, high = latency_numpy(times_ms, warmup)
    return median, high, low


def latency_mean(times_ms, warmup):
    _, low, high = latency_numpy(times_ms, warmup)
    return statistics.mean(times_ms[warmup:]), low, high


def latency_deviation(times_ms, warmup):
    mean, spread = np.mean(times_ms[warmup:]), np.std(times_ms[warmup:])
    return float(mean), float(mean - spread), float(mean + spread)


def latency_range(times_ms, warmup):
    kept = times_ms[warmup:]
    return statistics.median(kept), min(kept), max(kept)


def latency_quartiles(times_ms, warmup):
    low, median, high = np.percentile(times_ms[warmup:], [25, 50, 75])
    return median, low, high


def latency_per_cent(times_ms, warmup):
    return tuple(np.percentile(times_ms[warmup:], [0.5, 0.1, 0.9]).tolist())


def latency_unsorted(times_ms, warmup):
    kept = times_ms[warmup:]
    return tuple(kept[int(len(kept) * share)] for share in (0.5, 0.1, 0.9))


def latency_by_position(times_ms, warmup):
    return latency_unsorted(sorted(times_ms[warmup:]), 0)


def latency_torch_median(times_ms, warmup):
    _, low, high = latency_numpy(times_ms, warmup)
    return torch.tensor(times_ms[warmup:]).median().item(), low, high


def latency_array(times_ms, warmup):
    return np.percentile(times_ms[warmup:], [50, 10, 90])


def latency_list(times_ms, warmup):
    return list(latency_numpy(times_ms, warmup))


def latency_tensors(times_ms, warmup):
    kept = torch.tensor(times_ms[warmup:])
    return tuple(kept.quantile(torch.tensor([0.5, 0.1, 0.9])))


def latency_median_only(times_ms, warmup):
    return (statistics.median(times_ms[warmup:]),)


def latency_deletes(times_ms, warmup):
    del times_ms[:warmup]
    return latency_numpy(times_ms, 0)


def latency_sorts_in_place(times_ms, warmup):
    found = latency_numpy(times_ms, warmup)
    times_ms.sort()
    return found


def latency_nearest(times_ms, warmup):
    low, median, high = np.percentile(times_ms[warmup:], [10, 50, 90], method="nearest")
    return median, low, high


def latency_around_the_median(times_ms, warmup):
    middle, spread = np.median(times_ms[warmup:]), np.std(times_ms[warmup:], ddof=1)
    return middle, middle - spread, middle + spread


def latency_fifths(times_ms, warmup):
    low, median, high = np.percentile(times_ms[warmup:], [20, 50, 80])
    return median, low, high


def latency_one_more(times_ms, warmup):
    return latency_numpy(times_ms, warmup + 1)


def latency_seconds(times_ms, warmup):
    return tuple(value / 1000 for value in latency_numpy(times_ms, warmup))


def _complete(models):
    return [
        m
        for m in models
        if m["top1"] is not None
        and m["params"] is not None
        and not math.isnan(m["top1"])
        and not math.isnan(m["params"])
    ]


def _names(rows):
    return [m["name"] for m in rows]


def front_pandas(models):
    table = pd.DataFrame(models).dropna(subset=["top1", "params"]).sort_values("params")
    names = []
    for row in table.itertuples():
        as_good = (table.top1 >= row.top1) & (table.params <= row.params)
        better = (table.top1 > row.top1) | (table.params < row.params)
        if not (as_good & better).any():
            names.append(row.name)
    return names


def front_sweep(models):
    """By rising cost; of each cost the best, if it is better than all before."""
    rows = sorted(_complete(models), key=lambda m: (m["params"], -m["top1"]))
    front = []
    for m in rows:
        last = front[-1] if front else None
        twin = last and (last["top1"], last["params"]) == (m["top1"], m["params"])
        if last is None or twin or m["top1"] > last["top1"]:
            front.append(m)
    return _names(front)


def front_sets(models):
    front = []
    for m in _complete(models):
        rivals = [
            o
            for o in _complete(models)
            if (o["top1"], o["params"]) != (m["top1"], m["params"])
        ]
        if all(o["top1"] < m["top1"] or o["params"] > m["params"] for o in rivals):
            front.append(m)
    front.sort(key=lambda m: m["params"])
    return _names(front)


def _front(models, beats):
    rows = sorted(models, key=lambda m: m["params"])
    return [m for m in rows if not any(beats(other, m) for other in rows)]


def _beats(a, b):
    as_good = a["top1"] >= b["top1"] and a["params"] <= b["params"]
    return as_good and (a["top1"], a["params"]) != (b["top1"], b["params"])


def front_beats_itself(models):
    rows = _complete(models)
    return _names(
        _front(rows, lambda a, b: a["top1"] >= b["top1"] and a["params"] <= b["params"])
    )


def front_strict(models):
    rows = _complete(models)
    return _names(
        _front(rows, lambda a, b: a["top1"] > b["top1"] and a["params"] < b["params"])
    )


def front_either(models):
    rows = _complete(models)
    return _names(
        _front(rows, lambda a, b: a["top1"] > b["top1"] or a["params"] < b["params"])
    )


def front_more_is_better(models):
    rows = _complete(models)
    return _names(
        _front(rows, lambda a, b: a["top1"] > b["top1"] and a["params"] > b["params"])
    )


def front_all(models):
    return _names(sorted(_complete(models), key=lambda m: m["params"]))


def front_best(models):
    return [max(_complete(models), key=lambda m: m["top1"])["name"]]


def front_ratio(models):
    rows = sorted(_complete(models), key=lambda m: m["params"] / m["top1"])
    return _names(rows[:3])


def front_rows(models):
    return _front(_complete(models), _beats)


def front_reversed(models):
    return front_sweep(models)[::-1]


def front_unsorted(models):
    found = front_sweep(models)
    return [m["name"] for m in models if m["name"] in found]


def front_without_ties(models):
    best, names = -1.0, []
    for m in sorted(_complete(models), key=lambda m: (m["params"], -m["top1"])):
        if m["top1"] > best:
            best = m["top1"]
            names.append(m["name"])
    return names


def front_loose_sweep(models):
    best, names = -1.0, []
    for m in sorted(_complete(models), key=lambda m: m["params"]):
        if m["top1"] > best:
            best = m["top1"]
            names.append(m["name"])
    return names


def front_none_compared(models):
    return _names(_front(models, _beats))


def front_none_as_zero(models):
    filled = [{**m, "top1": m["top1"] or 0, "params": m["params"] or 0} for m in models]
    return _names(_front(filled, _beats))


def front_none_only(models):
    rows = [m for m in models if m["top1"] is not None and m["params"] is not None]
    return _names(_front(rows, _beats))


def front_twins_beat_each_other(models):
    def beats(a, b):
        as_good = a["top1"] >= b["top1"] and a["params"] <= b["params"]
        return as_good and a is not b

    return _names(_front(_complete(models), beats))


def front_of_the_truthy(models):
    """A figure of 0 counts as missing here."""
    rows = [m for m in _complete(models) if m["top1"] and m["params"]]
    return _names(_front(rows, _beats))


def front_drops_in_place(models):
    for m in list(models):
        if m not in _complete(models):
            models.remove(m)
    return front_sweep(models)


def front_sorts_in_place(models):
    found = front_sweep(models)
    models.reverse()
    return found


def front_set(models):
    return set(front_sweep(models))


def front_without_smallest(models):
    found = front_sweep(models)
    return found[1:] if len(found) > 1 else found


def front_upper(models):
    return [name.upper() for name in front_sweep(models)]


def front_twice(models):
    return [name for name in front_sweep(models) for _ in range(2)]


def best_pandas(models, max_params, max_gflops):
    table = pd.DataFrame(models).dropna()
    fits = table[(table.params <= max_params) & (table.gflops <= max_gflops)]
    ranked = fits.sort_values(["top1", "params"], ascending=[False, True])
    return None if ranked.empty else ranked["name"].iloc[0]


def best_loop(models, max_params, max_gflops):
    best = None
    for m in models:
        if None in (m["top1"], m["params"], m["gflops"]):
            continue
        if m["params"] > max_params or m["gflops"] > max_gflops:
            continue
        better = best is None or m["top1"] > best["top1"]
        if better or (m["top1"] == best["top1"] and m["params"] < best["params"]):
            best = m
    return best["name"] if best else None


def best_sorted(models, max_params, max_gflops):
    fits = [
        (-m["top1"], m["params"], m["name"])
        for m in models
        if None not in m.values()
        and m["params"] <= max_params
        and m["gflops"] <= max_gflops
    ]
    return sorted(fits)[0][2] if fits else None


def _fitting(models, max_params, max_gflops):
    rows = [m for m in models if None not in m.values()]
    return [m for m in rows if m["params"] <= max_params and m["gflops"] <= max_gflops]


def best_params_only(models, max_params, max_gflops):
    return best_sorted(models, max_params, math.inf)


def best_gflops_only(models, max_params, max_gflops):
    return best_sorted(models, math.inf, max_gflops)


def best_either(models, max_params, max_gflops):
    rows = [m for m in models if None not in m.values()]
    fits = [m for m in rows if m["params"] <= max_params or m["gflops"] <= max_gflops]
    return max(fits, key=lambda m: m["top1"])["name"] if fits else None


def best_below(models, max_params, max_gflops):
    rows = [m for m in models if None not in m.values()]
    fits = [m for m in rows if m["params"] < max_params and m["gflops"] < max_gflops]
    return best_sorted(fits, math.inf, math.inf)


def best_first_tie(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    return max(fits, key=lambda m: m["top1"])["name"] if fits else None


def best_larger_tie(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    if fits:
        return max(fits, key=lambda m: (m["top1"], m["params"]))["name"]
    return None


def best_tie_by_gflops(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    if fits:
        return max(fits, key=lambda m: (m["top1"], -m["gflops"]))["name"]
    return None


def best_tie_by_name(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    if fits:
        return min(fits, key=lambda m: (-m["top1"], m["name"]))["name"]
    return None


def best_rounded(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    if fits:
        return min(fits, key=lambda m: (-round(m["top1"], 2), m["params"]))["name"]
    return None


def best_key_and(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    return max(fits, key=lambda m: m["top1"] and -m["params"])["name"] if fits else None


def best_key_or(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    return max(fits, key=lambda m: m["top1"] or -m["params"])["name"] if fits else None


def best_ratio(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    return max(fits, key=lambda m: m["top1"] / m["params"])["name"] if fits else None


def best_first_fit(models, max_params, max_gflops):
    fits = _fitting(models[::-1], max_params, max_gflops)
    return fits[0]["name"] if fits else None


def best_row(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    return max(fits, key=lambda m: (m["top1"], -m["params"])) if fits else None


def best_accuracy(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    return max(m["top1"] for m in fits) if fits else None


def best_of_empty(models, max_params, max_gflops):
    fits = _fitting(models, max_params, max_gflops)
    return max(fits, key=lambda m: (m["top1"], -m["params"]))["name"]


def best_empty_text(models, max_params, max_gflops):
    return best_sorted(models, max_params, max_gflops) or ""


def best_nearest(models, max_params, max_gflops):
    found = best_sorted(models, max_params, max_gflops)
    return found or min(models, key=lambda m: m["params"] or 1e9)["name"]


def best_none_compared(models, max_params, max_gflops):
    fits = [m for m in models if m["params"] <= max_params]
    fits = [m for m in fits if m["gflops"] <= max_gflops]
    return best_sorted(fits, max_params, max_gflops)


def best_none_as_zero(models, max_params, max_gflops):
    zero = {name: 0 for name in ("top1", "params", "gflops")}
    filled = [{**m, **{k: m[k] or v for k, v in zero.items()}} for m in models]
    return best_sorted(filled, max_params, max_gflops)


def best_of_the_truthy(models, max_params, max_gflops):
    """A figure of 0 counts as missing here."""
    rows = [m for m in models if m["top1"] and m["params"] and m["gflops"]]
    return best_sorted(rows, max_params, max_gflops)


def best_from_zero(models, max_params, max_gflops):
    """The search begins with an accuracy of 0, which a model must beat."""
    name, top1 = None, 0
    for m in sorted(
        _fitting(models, max_params, max_gflops), key=lambda m: m["params"]
    ):
        if m["top1"] > top1:
            name, top1 = m["name"], m["top1"]
    return name


def best_budgets_swapped(models, max_params, max_gflops):
    return best_sorted(models, max_gflops, max_params)


def best_of_all(models, max_params, max_gflops):
    best = best_sorted(models, math.inf, math.inf)
    rows = [m for m in models if m["name"] == best]
    return best_sorted(rows, max_params, max_gflops)


def best_numpy_text(models, max_params, max_gflops):
    found = best_sorted(models, max_params, max_gflops)
    return found if found is None else np.str_(found)


def best_without_accuracy(models, max_params, max_gflops):
    rows = [m for m in models if None not in (m["params"], m["gflops"])]
    fits = [m for m in rows if m["params"] <= max_params and m["gflops"] <= max_gflops]
    fits.sort(key=lambda m: m["params"])
    return max(fits, key=lambda m: m["top1"])["name"] if fits else None


def best_no_return(models, max_params, max_gflops):
    best_sorted(models, max_params, max_gflops)


def best_sorts_in_place(models, max_params, max_gflops):
    models.reverse()
    return best_sorted(models, max_params, max_gflops)


def latency_of_the_last(times_ms, warmup):
    return latency_numpy(times_ms[-warmup:], 0)


def latency_after_five(times_ms, warmup):
    return latency_numpy(times_ms, 5)


def latency_index_median(times_ms, warmup):
    kept = times_ms[warmup:]
    return (kept[len(kept) // 2], *latency_numpy(times_ms, warmup)[1:])


def latency_median_of_all(times_ms, warmup):
    whole = latency_numpy(times_ms, 0)
    return (whole[0], *latency_numpy(times_ms, warmup)[1:])


def latency_one_digit(times_ms, warmup):
    return tuple(round(float(v), 1) for v in latency_numpy(times_ms, warmup))


def latency_quantile_of_50(times_ms, warmup):
    return tuple(np.quantile(times_ms[warmup:], [50, 10, 90]))


def latency_tensor_quantile_of_50(times_ms, warmup):
    kept = torch.tensor(times_ms[warmup:])
    return tuple(kept.quantile(q).item() for q in (50.0, 10.0, 90.0))


def latency_half_a_place(times_ms, warmup):
    kept = sorted(times_ms[warmup:])
    return kept[len(kept) / 2], kept[len(kept) / 10], kept[len(kept) * 9 / 10]


def front_ties_reversed(models):
    names = front_sets(models)
    rows = {m["name"]: m for m in models}
    return sorted(names, key=lambda n: rows[n]["params"], reverse=True)[::-1]


def compare_of_names(models, image, passes, warmup, clock):
    for model in models:
        model.eval()
    return compare_helper(models, image, passes, warmup, clock)


def best_in_other_units(models, max_params, max_gflops):
    known = [m for m in models if None not in m.values()]
    fit = [m for m in known if 1e6 * m["params"] <= max_params]
    fit = [m for m in fit if m["gflops"] <= max_gflops]
    return max(fit, key=lambda m: (m["top1"], -m["params"]))["name"] if fit else None


def best_within_either(models, max_params, max_gflops):
    known = [m for m in models if None not in m.values()]
    fit = [m for m in known if m["params"] <= max_params or m["gflops"] <= max_gflops]
    return max(fit, key=lambda m: (m["top1"], -m["params"]))["name"] if fit else None


RIGHT = {
    "02.1": [
        compare_helper,
        compare_warm_first,
        compare_copies,
        compare_in_turns,
        compare_in_numpy,
    ],
    "02.2": [latency_numpy, latency_statistics, latency_by_hand, latency_tensors],
    "02.3": [front_pandas, front_sweep, front_sets, front_ties_reversed],
    "02.4": [best_pandas, best_loop, best_sorted, best_numpy_text],
    "02.5": ["d", "D", " d"],
}
WRONG = {
    "02.1": [
        (compare_without_eval, "train-mode"),
        (compare_with_gradients, "gradients"),
        (compare_left_in_eval, "changed-mode"),
        (compare_frozen, "changed-requires_grad"),
        (compare_no_warmup, "no-warmup"),
        (compare_warmup_once, "no-warmup"),
        (compare_warmup_of_passes, "no-warmup"),
        (compare_same_dict, "same-row"),
        (compare_fixed_passes, "passes"),
        (compare_warmup_kept, "warmup-kept"),
        (compare_whole_loop, "not-alone"),
        (compare_own_clock, "own-clock"),
        (compare_no_batch, "no-batch"),
        (compare_big_batch, "batch-size"),
        (compare_no_return, "none"),
        (compare_first_only, "count"),
        (compare_last_net, "not-run"),
        (compare_by_name, "names"),
        (compare_slowest_last, "names"),
        (compare_slowest_first, "names"),
        (compare_frame, "type"),
        (compare_tuples, "rows"),
        (compare_of_names, "names-only"),
        (compare_other_column, "columns"),
        (compare_unsqueezed_in_place, "mutated"),
        *(
            (_changed(name, lambda *known, f=change, k=column: {k: f(*known)}), key)
            for name, column, key, change in (
                ("seconds", "median_ms", "seconds", lambda m, t, x: np.median(t)),
                ("mean", "median_ms", "mean", lambda m, t, x: 1000 * np.mean(t)),
                ("fastest", "median_ms", "fastest", lambda m, t, x: 1000 * min(t)),
                ("total", "median_ms", "total", lambda m, t, x: 1000 * sum(t)),
                (
                    "unsorted",
                    "median_ms",
                    "unsorted",
                    lambda m, t, x: 1000 * t[len(t) // 2],
                ),
                (
                    "torch_median",
                    "median_ms",
                    "lower-middle",
                    lambda m, t, x: 1000 * torch.tensor(t).median().item(),
                ),
                (
                    "upper_median",
                    "median_ms",
                    "upper-middle",
                    lambda m, t, x: 1000 * sorted(t)[len(t) // 2],
                ),
                ("last", "median_ms", "last", lambda m, t, x: 1000 * t[-1]),
                (
                    "microseconds",
                    "median_ms",
                    "microseconds",
                    lambda m, t, x: 1e6 * statistics.median(t),
                ),
                (
                    "rounded",
                    "median_ms",
                    "rounded",
                    lambda m, t, x: round(1000 * statistics.median(t)),
                ),
                ("slowest", "median_ms", "slowest", lambda m, t, x: 1000 * max(t)),
                (
                    "tensor_time",
                    "median_ms",
                    "lower-middle",
                    lambda m, t, x: 1000 * torch.tensor(t).median(),
                ),
                (
                    "trainable",
                    "parameters",
                    "trainable",
                    lambda m, t, x: sum(
                        p.numel() for p in m.parameters() if p.requires_grad
                    ),
                ),
                (
                    "buffers",
                    "parameters",
                    "buffers",
                    lambda m, t, x: sum(v.numel() for v in m.state_dict().values()),
                ),
                (
                    "tensors",
                    "parameters",
                    "tensors",
                    lambda m, t, x: len(list(m.parameters())),
                ),
                (
                    "weights_only",
                    "parameters",
                    "parameters",
                    lambda m, t, x: sum(
                        p.numel() for n, p in m.named_parameters() if "weight" in n
                    ),
                ),
                (
                    "sixth_tenth",
                    "median_ms",
                    "median",
                    lambda m, t, x: 1000 * np.quantile(t, 0.6),
                ),
                ("first_five", "top5", "top5", lambda m, t, x: list(range(5))),
                (
                    "top5_by_position",
                    "top5",
                    "top5-sorted",
                    lambda m, t, x: sorted(x.topk(5).indices.tolist()),
                ),
                ("millions", "parameters", "millions", lambda m, t, x: _count(m) / 1e6),
                ("bytes", "parameters", "bytes", lambda m, t, x: 4 * _count(m)),
                (
                    "top5_values",
                    "top5",
                    "top5-values",
                    lambda m, t, x: x.topk(5).values.tolist(),
                ),
                (
                    "top5_nested",
                    "top5",
                    "top5-nested",
                    lambda m, t, x: x[None].topk(5).indices.tolist(),
                ),
                (
                    "top5_tensor",
                    "top5",
                    "top5-tensor",
                    lambda m, t, x: x.topk(5).indices,
                ),
                ("top1", "top5", "top5-length", lambda m, t, x: [int(x.argmax())]),
                (
                    "top5_least",
                    "top5",
                    "top5-least",
                    lambda m, t, x: x.argsort()[:5].tolist(),
                ),
                (
                    "top5_ascending",
                    "top5",
                    "top5-ascending",
                    lambda m, t, x: x.argsort()[-5:].tolist(),
                ),
                (
                    "top5_from_one",
                    "top5",
                    "top5-from-one",
                    lambda m, t, x: [i + 1 for i in x.topk(5).indices.tolist()],
                ),
            )
        ),
    ],
    "02.2": [
        (latency_of_the_last, "last-ones"),
        (latency_after_five, "five"),
        (latency_index_median, "unsorted-median"),
        (latency_median_of_all, "median-too-early"),
        (latency_one_digit, "rounded"),
        (latency_quantile_of_50, "range-of-shares"),
        (latency_tensor_quantile_of_50, "range-of-shares"),
        (latency_half_a_place, "half-a-place"),
        (latency_warmup_kept, "warmup-kept"),
        (latency_sorted_first, "sorted-first"),
        (latency_wrong_end, "wrong-end"),
        (latency_ascending, "order"),
        (latency_high_first, "high-first"),
        (latency_mean, "mean"),
        (latency_deviation, "deviation"),
        (latency_range, "range"),
        (latency_quartiles, "quartiles"),
        (latency_per_cent, "per-cent"),
        (latency_unsorted, "unsorted"),
        (latency_by_position, "not-interpolated"),
        (latency_torch_median, "not-interpolated"),
        (latency_array, "type"),
        (latency_list, "type"),
        (latency_median_only, "length"),
        (latency_deletes, "mutated"),
        (latency_sorts_in_place, "mutated"),
        (latency_seconds, "seconds"),
        (latency_nearest, "not-interpolated"),
        (latency_around_the_median, "deviation"),
        (latency_fifths, "value"),
        (latency_one_more, "one-more"),
    ],
    "02.3": [
        (front_beats_itself, "empty"),
        (front_strict, "strict"),
        (front_either, "empty"),
        (front_more_is_better, "more-params"),
        (front_all, "all"),
        (front_best, "only-best"),
        (front_ratio, "lost"),
        (front_rows, "rows"),
        (front_reversed, "order"),
        (front_unsorted, "order"),
        (front_without_ties, "ties"),
        (front_loose_sweep, "beaten"),
        (front_none_compared, "none-compared"),
        (front_none_as_zero, "missing-kept"),
        (front_none_only, "missing-kept"),
        (front_twins_beat_each_other, "twins"),
        (front_of_the_truthy, "zero-missing"),
        (front_drops_in_place, "mutated"),
        (front_sorts_in_place, "mutated"),
        (front_set, "type"),
        (front_without_smallest, "lost"),
        (front_upper, "unknown"),
        (front_twice, "twice"),
    ],
    "02.4": [
        (best_in_other_units, "none"),
        (best_within_either, "params-over"),
        (best_params_only, "gflops-over"),
        (best_gflops_only, "params-over"),
        (best_either, "params-over"),
        (best_below, "strict"),
        (best_first_tie, "ties"),
        (best_larger_tie, "ties"),
        (best_tie_by_gflops, "ties"),
        (best_tie_by_name, "ties"),
        (best_rounded, "rounded"),
        (best_key_and, "fewest"),
        (best_key_or, "ties"),
        (best_ratio, "fewest"),
        (best_first_fit, "not-best"),
        (best_row, "type"),
        (best_accuracy, "type"),
        (best_of_empty, "nothing-fits"),
        (best_empty_text, "unknown"),
        (best_nearest, "params-over"),
        (best_none_compared, "none-compared"),
        (best_none_as_zero, "missing-fits"),
        (best_of_the_truthy, "zero-missing"),
        (best_from_zero, "from-zero"),
        (best_budgets_swapped, "swapped"),
        (best_of_all, "best-first"),
        (best_without_accuracy, "none-compared"),
        (best_no_return, "none"),
        (best_sorts_in_place, "mutated"),
    ],
    "02.5": [
        ("a", "a"),
        ("b", "b"),
        ("c", "c"),
        ("e", "e"),
        ("V2", "unknown"),
        (4, "type"),
        (("d",), "type"),
    ],
}
# A tensor of one number is as good as a float.
EQUIVALENT = {
    "02.1": ("seconds = torch.tensor(times[warmup:]).quantile(0.5)",),
    "02.2": ("return tuple((kept.quantile(q) for q in (0.5, 0.1, 0.9)))",),
}
