"""The pixels of a canvas on a page, as one string: of a list of numbers Playwright looks at each for milliseconds."""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Locator

_READ = """(canvas) => {
  const {width, height} = canvas;
  const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
  const parts = [];
  for (let at = 0; at < data.length; at += 8192) parts.push(String.fromCharCode(...data.subarray(at, at + 8192)));
  return [height, width, btoa(parts.join(""))];
}"""


def rgba(canvas: Locator) -> npt.NDArray[np.uint8]:
    """(H, W, 4) of a canvas."""
    height, width, data = canvas.evaluate(_READ)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)
