"""A DataLoader whose workers stay, and what may keep them from starting."""

from __future__ import annotations

import pickle
import random
import re
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import get_start_method
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from course_utils.runtime import generators_kept, preferred_device
from course_utils.tracing import tensors_in

_SHARED = Path("/dev/shm")  # where Linux keeps what processes share
_AHEAD = 2  # batches that each worker reads ahead
_DIED = re.compile(r"DataLoader worker .*(exited unexpectedly|killed by signal)")
_UNSTARTED = (pickle.PicklingError, AssertionError, AttributeError, OSError, TypeError)


class Loader(DataLoader):
    """A DataLoader whose workers stay, and draw anew from its generator each epoch."""

    def __init__(self, dataset, batch_size: int, *, workers: int, **options):
        pinned = preferred_device().type not in ("cpu", "mps")
        super().__init__(dataset, batch_size, pin_memory=pinned, **options)
        self.num_workers = workers  # set here, where torch has no advice about cores
        self._readers: DataLoader | None = None
        self._busy = False

    def __iter__(self) -> Iterator:
        return self._by_workers() if self.num_workers else super().__iter__()

    def _by_workers(self) -> Iterator:
        """Yield an epoch's batches from the workers; from here where they cannot start."""
        before, begun, busy = self.generator.get_state(), False, self._busy
        self._busy = True
        try:
            for batch in self._started(anew=busy):
                begun = True
                yield batch
            return
        except _CannotStart as error:
            why = error
        except RuntimeError as error:
            self._readers = None
            if begun or not _DIED.match(str(error)):
                raise
            why = error
        finally:
            self._busy = busy
        said = f"workers={self.num_workers}: {str(why).splitlines()[0]}"
        print(f"{said}. This process reads the pictures itself")
        self.generator.set_state(before)
        self.num_workers, self._readers = 0, None
        yield from super().__iter__()

    def _started(self, *, anew: bool) -> Iterator:
        """Begin an epoch with the workers that stay; with others while those work."""
        readers = None if anew else self._readers
        try:
            with warnings.catch_warnings():  # more workers than cores: as asked
                warnings.filterwarnings("ignore", "This DataLoader will create")
                if readers is None:
                    _check_can_start(self)
                    readers = self._make_readers()
                begun = iter(readers)
        except _UNSTARTED as error:
            raise _CannotStart(error) from error
        if not anew:
            self._readers = readers
        return begun

    def _make_readers(self) -> DataLoader:
        return DataLoader(
            _Seeded(self.dataset),
            batch_sampler=_Plan(self.batch_sampler, self.generator),
            collate_fn=self.collate_fn,
            num_workers=self.num_workers,
            persistent_workers=True,
            prefetch_factor=_AHEAD,
            pin_memory=self.pin_memory,
            generator=torch.Generator(),
        )


class _CannotStart(Exception):
    """Workers cannot be started here."""


class _Plan:
    """Which pictures each batch of an epoch has, with the seed that it is read under."""

    def __init__(self, batches: Iterable[list], generator: torch.Generator):
        self.batches, self.generator = batches, generator

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list]:
        drawn = torch.empty((), dtype=torch.int64)  # as DataLoader itself draws first
        first = drawn.random_(generator=self.generator).item()
        for number, places in enumerate(self.batches):
            yield [first + number, *places]


class _Seeded:
    """A dataset in a worker, which draws for each batch from the seed that it brings."""

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __getitems__(self, places: list) -> Sequence:
        seed, *places = places
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)
        if callable(whole := getattr(self.dataset, "__getitems__", None)):
            return whole(places)
        return [self.dataset[place] for place in places]


def _check_can_start(loader: DataLoader) -> None:
    """Raise `PicklingError` or `OSError` where workers would die, or wait for ever."""
    if get_start_method() != "fork":
        _DryRun(SimpleNamespace(write=len)).dump(loader.dataset)
    if not sys.platform.startswith("linux"):
        return
    with generators_kept():
        item = loader.dataset[0]
    needs = sum(part.nbytes for part in tensors_in(item)) * loader.batch_size
    needs *= loader.num_workers * (_AHEAD + 1)
    room = shutil.disk_usage(_SHARED).free  # an OSError where there is none
    if needs > room:
        raise OSError(
            f"batches on their way may take {needs / 2**20:,.0f} MiB, and {_SHARED} has "
            f"{room / 2**20:,.0f} (docker run --shm-size gives more)"
        )


class _DryRun(pickle.Pickler):
    """Pickle as a new process would need it, without the numbers; keep nothing."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.ndarray | Tensor):
            return int, ()
        own = isinstance(value, type | FunctionType) and value.__module__ == "__main__"
        if own and not hasattr(sys.modules["__main__"], "__file__"):
            raise pickle.PicklingError(
                f"{value.__qualname__} is defined in this notebook, where a new process "
                "cannot find it; write it into a module, a .py file, and import it"
            )
        return NotImplemented
