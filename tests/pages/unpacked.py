"""Reads a page back, without any of the code that wrote it."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt

SIZES = {"uint8": 1, "int32": 4, "float32": 4, "float64": 8}


class Unpacked:
    """What is in the page ``text``."""

    def __init__(self, text: str) -> None:
        packed = re.search(r'id="cnnw-recording">([^<]*)<', text)
        assert packed
        self._blob = gzip.decompress(seven_bits(packed[1]))
        length = int.from_bytes(self._blob[:4], "little")
        self.told = json.loads(self._blob[4 : 4 + length])
        self.story: dict[str, Any] = self.told["story"]
        self._starts = [4 + length]
        for header in self.told["arrays"]:
            size = 2 if "exponent" in header else SIZES[header["dtype"]]
            self._starts.append(self._starts[-1] + header["count"] * size)
        assert self._starts[-1] == len(self._blob)

    def state(self, widget: str, key: str) -> dict[str, Any]:
        """The traits of ``widget`` at one choice."""
        shots = self.told["widgets"][widget]
        return shots["base"] | shots["shots"][key]["state"]

    def content(self, widget: str, key: str, kind: str) -> dict[str, Any]:
        return self.told["pushes"][self.told["widgets"][widget]["shots"][key]["pushes"][kind]]

    def array(self, widget: str, key: str, kind: str, name: str) -> npt.NDArray[Any]:
        header = next(entry for entry in self.content(widget, key, kind)["arrays"] if entry["name"] == name)
        return np.concatenate([self._piece(number) for number in header["parts"]]).reshape(header["shape"])

    def _piece(self, number: int) -> npt.NDArray[Any]:
        header = self.told["arrays"][number]
        content = self._blob[self._starts[number] : self._starts[number + 1]]
        size = len(content) // header["count"]
        values = [bytes(content[part * header["count"] + i] for part in range(size)) for i in range(header["count"])]
        if "exponent" not in header:
            stored = np.frombuffer(b"".join(values), header["dtype"])
            if "stride" in header:
                return stored.reshape(-1, header["stride"]).cumsum(0, dtype=np.uint8).reshape(-1)
            return stored
        codes = [int.from_bytes(code, "little") for code in values]
        return np.float32([decimal(code, header["exponent"], header["digits"]) for code in codes])


def seven_bits(text: str) -> bytes:
    """The bytes behind text of seven bits a letter."""
    codes = [{192: 0, 193: 13, 194: 60}.get(ord(letter), ord(letter)) for letter in text]
    bits = "".join(f"{code:07b}" for code in codes)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))


def decimal(code: int, exponent: int, digits: int) -> float:
    """The number that a code of two or three digits stands for."""
    bits, least = {2: (8, 10), 3: (10, 100)}[digits]
    mantissa, decade = (code & (2**bits - 1)) - 1 + least, (code & 0x7FFF) >> bits
    return 0.0 if code == 0 else (-1) ** (code >> 15) * float(f"{mantissa}e{decade + exponent}")
