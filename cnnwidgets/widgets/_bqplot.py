"""bqplot, imported in silence: what warns at its import is neither ours nor the reader's to mend."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import bqplot

__all__ = ["bqplot"]
