"""Arrays and a header in one file, which is there whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError, message_of

_FORMAT = "cnnwidgets exemplars 1"


def write_archive(
    path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write ``path``, an .npz file; until it is complete, what was there before stays.

    Raises:
        InputError: it cannot be written.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    text = json.dumps({"format": _FORMAT, **header}, ensure_ascii=True)
    try:
        with unfinished.open("wb") as stream:
            np.savez_compressed(stream, header=np.array(text), **arrays)  # type: ignore[arg-type]
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"Cannot write {str(path)!r}: {error.strerror or message_of(error)}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def read_archive(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and arrays of what :func:`write_archive` wrote.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(str(arrays.pop("header")))
    except FileNotFoundError as error:
        raise InputError(f"There is no file {str(path)!r}. Check the path.") from error
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{str(path)!r} holds no exemplars, or is damaged: {message_of(error)}.") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise InputError(f"{str(path)!r} holds no exemplars; expected a file written by Exemplars.save.")
    return header, arrays
