"""What the course says it needs: read from pyproject.toml and the lock file.

`python -m tests.courseware.requirements` prints the floors, for `pip install -r`.
"""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from courseware.places import project_root

LEARNERS = ("lab", "imagenet", "test")  # the extras that requirements.txt installs


def project() -> dict:
    """Return pyproject.toml."""
    text = (project_root() / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def declared(*extras: str) -> list[Requirement]:
    """List the requirements of the library, or of some extras, as they are written."""
    table = project()["project"]
    lines = table["dependencies"] if not extras else []
    for extra in extras:
        lines = lines + table["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def floors(*extras: str) -> dict[str, Version]:
    """Return the lowest version of each requirement of the library and the extras."""
    found = {}
    for requirement in declared() + (declared(*extras) if extras else []):
        if canonicalize_name(requirement.name) == project()["project"]["name"]:
            continue  # an extra that names other extras
        lowest = [
            s.version for s in requirement.specifier if s.operator in (">=", "==")
        ]
        if len(lowest) != 1:
            raise ValueError(f"{requirement} names no floor: write it with >= or ==")
        found[canonicalize_name(requirement.name)] = Version(lowest[0])
    return found


def floor_lines(*extras: str) -> list[str]:
    """List the floors as requirements that pip installs: `numpy==2.0`."""
    return [f"{name}=={version}" for name, version in floors(*extras).items()]


def locked() -> dict[str, str]:
    """Return what the lock file pins for this Python and system, by name."""
    found = {}
    for line in (project_root() / "requirements.lock").read_text().splitlines():
        if line and not line.lstrip().startswith("#"):
            pinned = Requirement(line)
            if pinned.marker is None or pinned.marker.evaluate():
                (version,) = pinned.specifier
                found[canonicalize_name(pinned.name)] = version.version
    return found


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """Follow requirements through what is installed here; return all names.

    A package of another version than the locked one is not followed: it may need other
    things.
    """
    pins, found = locked(), set()
    waiting = [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in found:
                continue
            found.add((name, extra))
            if importlib.metadata.version(name) == pins.get(name):
                further = importlib.metadata.requires(name) or []
                waiting += [(Requirement(line), extra) for line in further]
    return {name for name, _ in found}


if __name__ == "__main__":
    print("\n".join(floor_lines(*LEARNERS)))
