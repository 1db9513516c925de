"""torch.compile as an option that may fail: then the net runs as it is."""

from __future__ import annotations

import torch
from torch import nn


class Compiled:
    """A net through torch.compile, until its compiler fails.

    Code is made when a batch of a new shape comes: a missing C++ compiler shows in the
    first batch, an operation that it cannot translate maybe in the last.
    """

    def __init__(self, backend: bool | str):
        if backend is not True and (not isinstance(backend, str) or not backend):
            raise TypeError(
                f"compile is {backend!r:.40}: say True, or the name of a backend of "
                "torch.compile"
            )
        self._options = {} if backend is True else {"backend": backend}
        self._plain: dict[int, nn.Module] = {}  # nets by the id of the compiled one
        self._gave_up = False

    def wrap(self, net: nn.Module) -> nn.Module:
        """Return the compiled net; the net itself where torch.compile refuses at once."""
        try:
            found = torch.compile(net, **self._options)
        except Exception as error:  # no Python that it knows, no such backend
            self._say(error)
            return net
        self._plain[id(found)] = net
        return found

    def now(self, net: nn.Module) -> nn.Module:
        """Return what is to be run: the compiled net, or after a failure the plain one."""
        return self._plain.get(id(net), net) if self._gave_up else net

    def failed(self, error: Exception) -> bool:
        """Tell whether an error is the compiler's, and say so once."""
        from torch._dynamo.exc import TorchDynamoException

        if self._gave_up or not isinstance(error, TorchDynamoException):
            return False
        self._say(error)
        return True

    def _say(self, error: Exception) -> None:
        self._gave_up = True
        why = " ".join(f"{type(error).__name__}: {error}".split())[:240]
        print(f"not compiled, the run goes on without: {why}")
