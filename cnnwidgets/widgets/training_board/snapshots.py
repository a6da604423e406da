"""What a layer was at moments of its training, in memory that does not grow without bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_SNAPSHOTS = 60
MOST_SNAPSHOT_BYTES = 64_000_000
_LEAST = 2


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A layer after so many steps.

    Attributes:
        step: how many steps had been made; 0: before the first.
        label: the same for a reader, "epoch 3".
        maps: (C, h, w) for each image.
        kernels: (K, C, ...), or None where the layer has none.
    """

    step: int
    label: str
    maps: tuple[npt.NDArray[Any], ...]
    kernels: Any = None

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        kernels = 0 if self.kernels is None else np.asarray(self.kernels).nbytes
        return int(sum(maps.nbytes for maps in self.maps) + kernels)


class Snapshots:
    """At most :data:`MOST_SNAPSHOTS`, and no more than :data:`MOST_SNAPSHOT_BYTES`, but always two and the newest.

    When there would be more, every second is dropped: of a long training each n-th step stays, n a power of two.

    Attributes:
        stride: n.
    """

    def __init__(self) -> None:
        self.stride = 1
        self._regular: list[Snapshot] = []
        self._newest: Snapshot | None = None

    def wants(self, step: int) -> bool:
        """Whether a snapshot of ``step`` would stay."""
        return step % self.stride == 0

    def add(self, snapshot: Snapshot) -> None:
        """Keep ``snapshot``, as long as it is the newest or its turn."""
        self._newest = snapshot
        if self.wants(snapshot.step):
            self._regular.append(snapshot)
        while len(self._regular) > _LEAST and (
            len(self._regular) > MOST_SNAPSHOTS or sum(each.bytes for each in self._regular) > MOST_SNAPSHOT_BYTES
        ):
            self.stride *= 2
            self._regular = [each for each in self._regular if self.wants(each.step)]

    @property
    def all(self) -> list[Snapshot]:
        """From the first to the newest."""
        newest = self._newest
        return [*self._regular, *([newest] if newest is not None and newest not in self._regular else [])]

    def at(self, step: int | None) -> Snapshot | None:
        """That of ``step``, or the last before it; None: the newest."""
        if step is None:
            return self._newest
        before = [each for each in self.all if each.step <= step]
        return before[-1] if before else None
