"""Results as tables of pandas, which is imported only when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import CnnWidgetsError


def dataframe(columns: Mapping[str, Sequence[Any]]) -> Any:
    """A ``pandas.DataFrame`` of ``columns``, all of one length.

    Raises:
        CnnWidgetsError: pandas is not installed.

    Example:
        >>> dataframe({"layer": ["conv"], "params": [12]}).to_dict("records")
        [{'layer': 'conv', 'params': 12}]
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise CnnWidgetsError("to_dataframe() needs pandas, which is not installed: pip install pandas.") from error
    return pd.DataFrame(dict(columns))
