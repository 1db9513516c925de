"""Files of weights: read safely, compared with a model, loaded into it."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from course_utils.errors import CheckpointError, DamagedCheckpoint
from course_utils.heads import find_heads, replace_head

FILES = (".safetensors", ".pth", ".pt")


def read_file(path: Path) -> object:
    """Read a .safetensors, .pth or .pt file to the CPU; pickled code is refused.

    Raises `CheckpointError`; `DamagedCheckpoint` where the file is cut short.
    """
    data = path.read_bytes()
    try:
        if path.suffix == ".safetensors":
            return load(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the protocol of foreign pickles
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} holds pickled code, which could run anything on your "
            "machine. Ask for a state_dict saved as safetensors, or by "
            "torch.save(model.state_dict(), path)."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, LookupError) as error:
        raise DamagedCheckpoint(
            f"{path.name} is damaged or cut short ({len(data):,} bytes): fetch or save "
            "it again."
        ) from error


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a file of weights as plain tensors; half precision becomes float32.

    Raises `CheckpointError`.
    """
    found = read_file(Path(path))
    for key in ("state_dict", "model"):  # as training scripts wrap them
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(map(torch.is_tensor, found.values())):
        raise CheckpointError(
            f"{Path(path).name} holds a {type(found).__name__} that is not a "
            "state_dict: save it by torch.save(model.state_dict(), path)."
        )
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in found.items()
    }


def load_state(
    model: nn.Module, state: dict[str, torch.Tensor], *, source: str
) -> None:
    """Fill a model with weights, its head made to fit; all keys must match.

    Raises `CheckpointError` that names the keys and what to do.
    """
    head = next(iter(find_heads(model)))
    weight = state.get(f"{head}.weight")
    have = model.state_dict().get(f"{head}.weight")
    if weight is not None and have is not None and len(weight) != len(have):
        replace_head(model, len(weight))
    if problem := compare_state(model, state):
        raise CheckpointError(
            f"{source} does not fit {type(model).__name__}: {problem}"
        )
    model.load_state_dict(state)


def compare_state(model: nn.Module, state: dict[str, torch.Tensor]) -> str:
    """Say which keys or shapes differ between a model and a state dict; "" if none."""
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in sorted(own.keys() & state.keys())
        if own[key].shape != state[key].shape
    ]
    parts = [
        f"{len(keys)} {what}, such as {', '.join(keys[:3])}"
        for what, keys in (
            ("keys missing", missing),
            ("keys unexpected", unexpected),
            ("shapes differ", shapes),
        )
        if keys
    ]
    if not parts:
        return ""
    return "; ".join(parts) + ". " + _advice(missing, unexpected)


def _advice(missing: list[str], unexpected: list[str]) -> str:
    if len(unexpected) > 3 and all(key.startswith("module.") for key in unexpected):
        return 'Strip the prefix "module." that DataParallel wrote.'
    if 0 < len(missing) + len(unexpected) <= 8:
        return (
            "Few keys differ: build the same head as when it was saved "
            "(replace_head with the same dropout and hidden)."
        )
    return "Check that the architecture is the one that was saved."
