"""03.4: the solution, and what is mistaken in one of the four parts."""

from __future__ import annotations

from courseware.grading.judging import Wrong

STATES = {"sgd": 1, "adam": 2}


def total(weights, gradients, state, activations):
    return 4 * (weights + gradients + state) + activations


def solution(n, t, a, b, optimizer, states=STATES):
    return total(n, t, states[optimizer] * t, a * b)


def parts(rule, hint):
    """A mistake by a rule of parameters, those that learn, state, and activations."""
    return Wrong(lambda n, t, a, b, name: rule(n, t, STATES[name] * t, a * b), hint)


def states(hint, **of):
    return Wrong(lambda *given: solution(*given, states=STATES | of), hint)


MISTAKES = {
    "state-of-all": Wrong(
        lambda n, t, a, b, name: total(n, t, STATES[name] * n, a * b),
        "A frozen parameter needs no state: the optimiser keeps values for those that "
        "learn.",
    ),
    "gradients-of-all": parts(
        lambda n, t, s, kept: total(n, n, s, kept),
        "A frozen parameter gets no gradient.",
    ),
    "frozen-ignored": Wrong(
        lambda n, t, *more: solution(n, n, *more),
        "Frozen parameters have neither gradients nor state: only their weights stay.",
    ),
    "frozen-weights": parts(
        lambda n, t, s, kept: total(t, t, s, kept),
        "Frozen weights stand in memory too: the weights are num_params values.",
    ),
    "frozen-learn": Wrong(
        lambda n, t, *more: solution(n, n - t, *more),
        "That is for the frozen ones: gradients and state belong to those that learn.",
    ),
    "counted-twice": parts(
        lambda n, t, s, kept: total(n + t, t, s, kept),
        "num_params already contains those that learn.",
    ),
    "weights-twice": parts(
        lambda n, t, s, kept: total(2 * n, t, s, kept),
        "The weights stand in memory once.",
    ),
    "no-state": parts(
        lambda n, t, s, kept: total(n, t, 0, kept),
        "The optimiser's own values are missing: one or two for each parameter that "
        'learns. (Its names are `"sgd"` and `"adam"`, in small letters.)',
    ),
    "no-gradients": parts(
        lambda n, t, s, kept: total(n, 0, s, kept),
        "The gradients are missing: one for each parameter that learns.",
    ),
    "no-weights": parts(
        lambda n, t, s, kept: total(0, t, s, kept),
        "The weights themselves are missing.",
    ),
    "momentum": states(
        "SGD with momentum keeps a value for each parameter that learns.", sgd=0
    ),
    "adam": states(
        "Adam keeps two values for each parameter that learns: the means of the "
        'gradient and of its square. Or does your `if` compare with "adam" in small '
        "letters?",
        adam=1,
    ),
    "always-adam": states(
        "With SGD it is one value for each parameter that learns: ask which optimizer "
        "it is.",
        sgd=2,
    ),
    "adam-thrice": states(
        "Adam keeps two values for each parameter that learns. (Its count of steps "
        "hardly takes room.)",
        adam=3,
    ),
    "swapped": states(
        "The two optimisers are mixed up: Adam keeps two values, SGD one.",
        sgd=2,
        adam=1,
    ),
    "no-batch": Wrong(
        lambda n, t, a, b, name: solution(n, t, a, 1, name),
        "activation_bytes is for one picture; a batch keeps it for each.",
    ),
    "batch-of-all": Wrong(
        lambda n, t, a, b, name: b * solution(n, t, a, 1, name),
        "Only activations grow with the batch. There is one set of weights, gradients "
        "and states, however many pictures.",
    ),
    "batch-of-gradients": Wrong(
        lambda n, t, a, b, name: total(n, b * t, STATES[name] * t, a * b),
        "The gradients are summed over the batch: one for each parameter, however "
        "many pictures.",
    ),
    "batch-of-32": Wrong(
        lambda n, t, a, b, name: solution(n, t, a, 32, name),
        "Take `batch_size`, which your function is given, for the batch.",
    ),
    "no-activations": parts(
        lambda n, t, s, kept: total(n, t, s, 0), "The activations are missing."
    ),
    "activations-twice": parts(
        lambda n, t, s, kept: total(n, t, s, 2 * kept),
        "activation_bytes is all that is kept for a picture: do not double it.",
    ),
    "four-times": parts(
        lambda n, t, s, kept: total(n, t, s, 4 * kept),
        "activation_bytes is in bytes already: only the values are times 4.",
    ),
}
