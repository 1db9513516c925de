"""Errors that say what was wrong and what to do; all name the thing they speak of."""


class DatasetError(ValueError):
    """A data set is missing, broken or unusable as asked."""


class UnknownModel(ValueError):
    """No architecture has this name."""


class CheckpointError(ValueError):
    """A file of weights is damaged, unsafe, or belongs to another architecture."""


class DamagedCheckpoint(CheckpointError):
    """A file of weights is cut short or not one at all."""


class WeightsUnavailable(RuntimeError):
    """Weights are not on this machine, or could not be fetched."""


class CannotInspect(ValueError):
    """A model cannot be run on meta tensors; the message names the cause."""


class CannotCut(ValueError):
    """A network cannot be run from its first trainable stage on."""
