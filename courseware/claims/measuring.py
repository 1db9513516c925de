"""Measure claims, and measure a seed again where the code has changed."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from course_utils.measured import read_measured
from course_utils.storage import atomic_path, course_home, sha256_bytes
from courseware.claims.protocol import Protocol, Rows
from courseware.claims.stored import (
    PROTOCOLS,
    current_hashes,
    find_protocol,
    load_claim,
    write_claim,
)

SEEDS = (0, 1, 2, 3, 4)
TOLERANCE = {  # of one seed measured again, by the first word of a quantity
    "error": 2.0,
    "measured": 10.0,
    "predicted": 10.0,
    "gain": 4.0,
    "cost": 4.0,
    "difference": 0.4,
    "drift": 0.05,
    "movement": 0.1,
    "width": 0.2,
    "wider": 0.2,
    "share": 10.0,
}
OTHER = 0.03  # accuracies: float sums differ between machines


def measure(protocol: Protocol, seed: int, **cut: object) -> Rows:
    """Measure one seed on one thread, as all stored figures were."""
    with _one_thread():
        return protocol.measure(seed, **cut)


def run(ids: list[str] | None = None, *, seeds: tuple[int, ...] = SEEDS) -> None:
    """Measure claims and store them; a seed that is done is kept, and not done again.

    Several processes may share the seeds: the one that brings the last writes the claim.
    """
    for protocol in [find_protocol(id) for id in ids or PROTOCOLS]:
        start, done = time.perf_counter(), _Seeds(protocol)
        for seed in seeds:
            if seed not in done.found():
                done.keep(seed, measure(protocol, seed))
        by_seed = done.found()
        took = f"{time.perf_counter() - start:.0f} s"
        if missing := [seed for seed in SEEDS if seed not in by_seed]:
            print(f"{protocol.id}: {took}; seeds {missing} are still to be measured")
            continue
        write_claim(
            protocol.id,
            {
                "seeds": list(SEEDS),
                "rows": rounded([by_seed[seed] for seed in SEEDS]),
                "hashes": current_hashes(protocol),
                "torch": _torch(),
            },
        )
        done.clear()
        print(f"{protocol.id} measured in {took}")


def rounded(found: Sequence[Rows]) -> dict[str, list[float]]:
    """Join the rows of several seeds: one list of values a key."""
    return {key: [round(rows[key], 6) for rows in found] for key in found[0]}


class _Seeds:
    """The seeds of a claim that were measured with today's code, in COURSE_HOME."""

    def __init__(self, protocol: Protocol):
        of = sha256_bytes(json.dumps(current_hashes(protocol)).encode())[:16]
        self._folder = course_home() / "claims" / f"{protocol.id}-{of}"

    def keep(self, seed: int, rows: Rows) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self._folder / f"{seed}.json") as path:
            path.write_text(json.dumps(rows), encoding="utf-8")

    def found(self) -> dict[int, Rows]:
        files = sorted(self._folder.glob("?.json"))
        return {int(f.stem): json.loads(f.read_text(encoding="utf-8")) for f in files}

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def confirm(ids: list[str] | None = None, *, seed: int | None = None) -> list[str]:
    """Sign stale claims again whose seed, measured anew, agrees with what is stored.

    A claim is stale where code that its measurement reaches has changed. `seed` is by
    default the day's. What was confirmed, and by how much the worst figure differed (as a
    share of its tolerance), is stored with the claim. Returns the ids that did not agree:
    they stay stale, and have to be measured again.
    """
    seed, differing = rotating_seed() if seed is None else seed, []
    for protocol in [find_protocol(id) for id in ids or PROTOCOLS]:
        claim = load_claim(protocol.id)
        hashes = current_hashes(protocol)
        if claim.hashes == hashes:
            print(f"{protocol.id}: nothing that it depends on has changed")
            continue
        start = time.perf_counter()
        shares = compare(protocol, seed, measure(protocol, seed))
        worst = max(shares, key=shares.get)
        took = f"{time.perf_counter() - start:.0f} s"
        if shares[worst] > 1:
            differing.append(protocol.id)
            print(f"{protocol.id}: {worst} differs by {shares[worst]:.1f} times what is "
                  f"allowed ({took}); measure it again")  # fmt: skip
            continue
        note = {"seed": seed, "worst": round(shares[worst], 3), "torch": _torch()}
        write_claim(
            protocol.id,
            {
                **read_measured("claims").content[protocol.id],
                "hashes": hashes,
                "confirmed": [*claim.confirmed, note],
            },
        )
        print(f"{protocol.id}: seed {seed} agrees, {shares[worst]:.3f} of the tolerance "
              f"at worst ({took})")  # fmt: skip
    return differing


def compare(protocol: Protocol, seed: int, found: Rows) -> dict[str, float]:
    """How far each figure is from the stored one, as a share of what is allowed.

    Of a run that ends by chance (at a rate far too high) only the gain or cost counts, and
    it agrees as well where it is anything above 0.
    """
    stored, shares = load_claim(protocol.id).rows, {}
    for key, value in found.items():
        share = abs(value - stored[key][seed]) / tolerance(protocol, key)
        if not key.endswith(protocol.chance):
            shares[key] = share
        elif "gain" in key or "cost" in key:
            shares[key] = min(share, 1.0) if value > 0 else share
    return shares


def tolerance(protocol: Protocol, key: str) -> float:
    """How far a figure measured again may be from the stored one."""
    first_word = key.split("/")[-1].split()[0]
    return protocol.looseness * TOLERANCE.get(first_word, OTHER)


def rotating_seed() -> int:
    """The seed to measure again: COURSE_CLAIM_SEED, else another one each day."""
    if chosen := os.environ.get("COURSE_CLAIM_SEED"):
        return int(chosen)
    return SEEDS[datetime.date.today().toordinal() % len(SEEDS)]


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _torch() -> str:
    return torch.__version__.split("+")[0]


def main(argv: list[str] | None = None) -> int:
    """Command line: measure, confirm, or show what was measured."""
    parser = argparse.ArgumentParser(prog="course claims")
    parser.add_argument("ids", nargs="*", help="such as C1 C2; all by default")
    parser.add_argument("--show", action="store_true", help="print, measure nothing")
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="measure one seed of each stale claim, and sign it again if it agrees",
    )
    parser.add_argument("--seed", type=int, choices=SEEDS, help="to confirm with")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        choices=SEEDS,
        default=SEEDS,
        help="to measure; what is done is kept, and another process may do the others",
    )
    options = parser.parse_args(argv)
    if options.confirm:
        return int(bool(confirm(options.ids, seed=options.seed)))
    if not options.show:
        run(options.ids, seeds=tuple(options.seeds))
        if len(options.seeds) < len(SEEDS):
            return 0
    for id in options.ids or PROTOCOLS:
        claim = load_claim(id)
        print(f"\n{claim.sentence()}\n{claim.table.to_string()}")
    return 0
