"""All latencies of a machine: measured again where disturbed, stored with the machine."""

from types import SimpleNamespace

from course_utils.zoo import stored_latency
from course_utils.zoo.machine import machine_card
from courseware.making import latency


def test_what_was_disturbed_is_measured_again_and_the_steadiest_stays(monkeypatch):
    spreads = iter([4.0, 2.0, 3.0, 1.2, 9.0])
    monkeypatch.setattr(
        latency,
        "measure_latency",
        lambda name, **_: SimpleNamespace(low_ms=1.0, high_ms=next(spreads)),
    )
    assert latency.steady_latency("resnet18").high_ms == 2.0
    assert latency.steady_latency("resnet18").high_ms == 1.2  # steady at once


def test_the_command_stores_the_table_and_the_machine(empty_measured, monkeypatch):
    monkeypatch.setattr(latency, "torchvision_names", lambda: ("squeezenet1_1",))
    assert latency.main(["--repeats", "1"]) == 0
    found = stored_latency()
    assert found.columns.tolist()[:4] == [
        "architecture", "median_ms", "low_ms", "high_ms"
    ]  # fmt: skip
    assert found[["architecture", "image_size"]].values.tolist() == [
        ["squeezenet1_1", 224]
    ]
    assert machine_card(threads=1)["cpu"] in found.attrs["machine"]
