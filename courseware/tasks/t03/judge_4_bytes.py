"""03.4: what is mistaken in the bytes that a value takes."""

from __future__ import annotations

from courseware.tasks.t03.judge_4_parts import parts, total

MISTAKES = {
    "values": parts(
        lambda n, t, s, kept: n + t + s + kept,
        "These are values. Each of them takes 4 bytes.",
    ),
    "part-in-values": parts(
        lambda n, t, s, kept: 4 * n + t + s + kept,
        "Gradients and states are float32 as well: 4 bytes each.",
    ),
    "half": parts(
        lambda n, t, s, kept: 2 * (n + t + s) + kept,
        "Two bytes are a float16. Here every value is a float32: 4 bytes.",
    ),
    "doubles": parts(
        lambda n, t, s, kept: 8 * (n + t + s) + kept,
        "Eight bytes are a float64. Here every value is a float32: 4 bytes.",
    ),
    "bits-of-values": parts(
        lambda n, t, s, kept: 32 * (n + t + s) + kept,
        "A float32 has 32 bits, which are 4 bytes.",
    ),
    "bits": parts(
        lambda n, t, s, kept: 8 * total(n, t, s, kept),
        "These are bits, eight to a byte. Return bytes.",
    ),
}
