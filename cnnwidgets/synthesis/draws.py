"""Random numbers of an image's own: what it becomes does not depend on which others are made beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Draws:
    """A generator for each of R images; torch's own is left alone.

    Args:
        seed: of the whole call.
        keys: what tells the images apart.
    """

    def __init__(self, seed: int, keys: Sequence[int]) -> None:
        # Seeds that lie side by side give generators that are alike at first; multiplying by a large prime does not.
        self._generators = [
            torch.Generator().manual_seed((seed * 2_654_435_761 + key * 40_503 + 12_345) % 2**63) for key in keys
        ]

    def normal(self, rows: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
        """(len(rows), *shape), standard normal."""
        return torch.stack([torch.randn(*shape, generator=self._generators[row]) for row in rows])

    def uniform(self, rows: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
        """(len(rows), *shape), between 0 and 1."""
        return torch.stack([torch.rand(*shape, generator=self._generators[row]) for row in rows])

    def choice(self, rows: Sequence[int], values: torch.Tensor) -> torch.Tensor:
        """(len(rows),), each one of ``values``."""
        indices = [int(torch.randint(len(values), (), generator=self._generators[row])) for row in rows]
        return values[indices]
