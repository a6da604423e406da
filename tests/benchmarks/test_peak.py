from __future__ import annotations

import torch

from .peak import peaks


def test_the_highest_counts_and_not_what_is_left() -> None:
    megabytes = 2**20 // 4

    def takes(count: int) -> None:
        torch.ones(count * megabytes).add_(1)

    found = peaks({"much": lambda: takes(96), "little": lambda: takes(24)}, rounds=3)
    assert 90e6 < found["much"] < 130e6
    assert 20e6 < found["little"] < 50e6
