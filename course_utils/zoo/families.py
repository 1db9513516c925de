"""Families of architectures: when they came, from which paper, with what idea."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.arguments import checked

PLAIN, RESIDUAL, EFFICIENT = "Early networks", "Residual", "Small and searched"
MODERN, TRANSFORMER, HYBRID = "Modern convolution", "Transformer", "Hybrid"
GROUPS = (PLAIN, RESIDUAL, EFFICIENT, MODERN, TRANSFORMER, HYBRID)


@dataclass(frozen=True)
class Family:
    """One family of architectures: its idea in a sentence, and where it was published.

    `year` is that of the first public version of the paper; `venue` is where it
    appeared; `arxiv` its number there, "" where there is none. `group` is one of
    `GROUPS`; `prefixes` are those of the names of its models.

    >>> from course_utils.zoo import family_of
    >>> family = family_of("resnet50")
    >>> family.year, family.key_idea, family.url
    (2015, "Adds each block's input to its output: the block learns what to add, and to
    do nothing is easy.", 'https://arxiv.org/abs/1512.03385')
    """

    name: str
    year: int
    key_idea: str
    paper: str
    venue: str
    arxiv: str = ""
    group: str = PLAIN
    prefixes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def url(self) -> str:
        """Return the paper's address on arXiv, "" where it has none."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""


def _read() -> tuple[Family, ...]:
    rows = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return tuple(Family(**row | {"prefixes": tuple(row["prefixes"])}) for row in rows)


FAMILIES = _read()
_VARIANTS = ("test_", "tf_", "legacy_")  # timm: a small copy, a port, an older copy


@checked
def family_of(name: str) -> Family | None:
    """Return the family of a torchvision or timm model, or None where it is not listed.

    Library prefixes, weight tags and timm's marks of a port or a test model are
    ignored: "timm/tf_efficientnet_b0.ns_jft_in1k" is an EfficientNet.

    >>> from course_utils.zoo import family_of
    >>> family_of("timm/tf_efficientnet_b0.ns_jft_in1k").name
    'EfficientNet'
    >>> print(family_of("my_net"))
    None
    """
    bare = name.rpartition("/")[2].partition(".")[0]
    for variant in _VARIANTS:
        bare = bare.removeprefix(variant)
    matches = [
        (len(prefix), family)
        for family in FAMILIES
        for prefix in family.prefixes
        if bare.startswith(prefix)
    ]
    return max(matches, key=lambda match: match[0])[1] if matches else None
