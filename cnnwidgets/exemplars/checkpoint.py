"""A pass over a data set that can be taken up again where it was cut short."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.state.digest import network_digest, tensor_bytes

from .archive import read_archive, write_archive
from .map_layers import MapLayer
from .stored import stored_arrays, tally_of
from .tally import Query, Tally

SECONDS = 10.0
"""Between two times that a checkpoint is written."""


class Checkpoint:
    """A file with what a pass has come to.

    Args:
        path: of the file; None: there is none, and nothing is written.
        identity: what must be the same for the pass to go on, by what it is called.
    """

    def __init__(self, path: str | os.PathLike[str] | None, identity: Mapping[str, Any]) -> None:
        self._path = None if path is None else Path(path)
        self._identity = dict(identity)
        self._written = time.monotonic()
        if self._path is not None and not self._path.absolute().parent.is_dir():
            raise InputError(f"The checkpoint {str(self._path)!r} lies in a folder that does not exist. Make it first.")

    def read(self) -> tuple[Tally, int] | None:
        """What a pass has come to, and how many images at a time; None where there is no file yet.

        Raises:
            InputError: it is of another network, data set or question.
        """
        if self._path is None or not self._path.exists():
            return None
        header, arrays = read_archive(self._path)
        before = header.get("identity")
        if before is None:
            raise InputError(f"{str(self._path)!r} holds exemplars, and no checkpoint. Pass another path.")
        other = [name for name, value in self._identity.items() if before.get(name) != value]
        if other:
            raise InputError(
                f"The checkpoint {str(self._path)!r} is of {' and '.join(f'another {name}' for name in other)}. Pass "
                "another path, or delete the file to begin anew."
            )
        return tally_of(header, arrays), header["batch"]

    @property
    def is_due(self) -> bool:
        """Whether it is time to write it."""
        return self._path is not None and time.monotonic() - self._written >= SECONDS

    def write(self, header: Mapping[str, Any], layers: Mapping[str, MapLayer], tally: Tally, batch: int) -> None:
        """Write what the pass has come to."""
        if self._path is not None:
            more = {"identity": self._identity, "batch": batch}
            write_archive(self._path, {**header, **more}, stored_arrays(layers, tally))
            self._written = time.monotonic()


def identity_of(
    model: nn.Module, layers: Sequence[str], query: Query, example: torch.Tensor, count: int | None
) -> dict[str, Any]:
    """What tells this pass from others."""
    first = hashlib.sha1(tensor_bytes(example), usedforsecurity=False).hexdigest()
    return {
        "network": network_digest(model),
        "choice of layers": list(layers),
        "k": query.k,
        "choice of channels": None if query.channels is None else list(query.channels),
        "distinct_images": query.distinct,
        "data set (or one whose images change each time)": [count, first],
    }
