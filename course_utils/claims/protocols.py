"""What each claim compares, and how: fixed before the figures are measured.

Every claim is measured for the seeds 0 to 4 on the bundled data and the bundled
weights. Every arm of a comparison gets the same pictures and the same settings; nothing
is tuned on test pictures. Where an arm has settings they are the package's defaults, for
all arms alike, or the best of four on validation pictures, where the claim says so.
Intervals are 95 % over the seeds (Student's t), paired where two arms share a seed. They
cover which pictures were drawn and how new weights began, not the pretraining. Values
are accuracies from 0 to 1; `gain`, `cost` and `difference` are in points (per cent of
the test pictures), `error` in per cent; `drift` is a share; `MB` are 10^6 bytes.
"""

from __future__ import annotations

from course_utils.claims import (
    distillation,
    features,
    fine_tuning,
    memory,
    multitask,
    source_accuracy,
)
from course_utils.claims.protocol import Protocol

PROTOCOLS: dict[str, Protocol] = {
    protocol.id: protocol
    for module in (
        features,
        fine_tuning,
        distillation,
        multitask,
        memory,
        source_accuracy,
    )
    for protocol in module.PROTOCOLS
}
