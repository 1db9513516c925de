"""Two processes that train one net together, started as a person would start them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("accelerate")
SCRIPT = Path(__file__).with_name("processes_script.py")
ROOT = Path(__file__).parents[2]
TOLERANCE = 2e-5  # of losses of about 1: sums in another order, over some 30 updates


def launched(folder, *, processes, batch, epochs=3, options=()):
    """Run the script; what it wrote."""
    out = (
        folder / f"{processes}-{batch}-{epochs}-{'-'.join(map(str, options[:1]))}.json"
    )
    start = [sys.executable]
    if processes > 1:
        # Its way to several processes on one machine is named after GPUs; the script's
        # Accelerator(cpu=True) makes them CPU processes.
        start += ["-m", "accelerate.commands.launch", "--multi_gpu",
                  "--num_processes", str(processes), "--num_machines", "1",
                  "--mixed_precision", "no", "--dynamo_backend", "no",
                  "--num_cpu_threads_per_process", "1",
                  "--main_process_port", "0"]  # fmt: skip
    command = [
        *start,
        str(SCRIPT),
        str(out),
        str(batch),
        str(epochs),
        *map(str, options),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["processes"] == processes
    return found


def apart(one, two):
    """The largest difference of two histories, and of what was evaluated."""
    pairs = [
        (a, b) for name in one["history"]
        for a, b in zip(one["history"][name], two["history"][name], strict=True)
    ]  # fmt: skip
    assert one["evaluated"]["images"] == two["evaluated"]["images"] == 37
    pairs += [(one["evaluated"][k], two["evaluated"][k]) for k in ("loss", "accuracy")]
    return max(abs(a - b) for a, b in pairs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [[], ["--pictures", 53], ["--pictures", 9], ["--wakes"], ["--accumulate", 2]],
    ids=["even", "a short last round", "less than a round", "a stage wakes", "windows"],
)
def test_two_processes_are_one_with_the_doubled_batch(tmp_path, options):
    one = launched(tmp_path, processes=1, batch=12, options=options)
    two = launched(tmp_path, processes=2, batch=6, options=options)
    assert apart(one, two) < TOLERANCE


@pytest.mark.slow
def test_with_batchnorm_they_differ_by_the_statistics_of_their_parts(tmp_path):
    one = launched(tmp_path, processes=1, batch=12, options=["--norm"])
    two = launched(tmp_path, processes=2, batch=6, options=["--norm"])
    assert TOLERANCE < apart(one, two) < 1
    assert one["evaluated"]["images"] == two["evaluated"]["images"]


@pytest.mark.slow
@pytest.mark.parametrize("first, second", [(2, 1), (1, 2)])
def test_a_checkpoint_of_one_is_resumed_by_the_other(tmp_path, first, second):
    whole = launched(tmp_path, processes=1, batch=12, epochs=4)
    options = ["--resume", tmp_path / "run.pt"]
    launched(tmp_path, processes=first, batch=12 // first, epochs=2, options=options)
    resumed = launched(
        tmp_path, processes=second, batch=12 // second, epochs=4, options=options
    )
    assert apart(whole, resumed) < TOLERANCE
