"""The browser's colour maps, for pictures made in Python."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

NOT_FINITE = (255, 0, 255)

# As in _maps/colormaps.ts, a test compares them: anchors of matplotlib's (CC0), linear between.
ANCHORS = {
    "inferno": (
        "0000040403120b0724150b37210c4a2e0a5a3c09654a0c6b57106d63146e70196e7d1e6d89226a962766a32b61af315c"
        "bb3755c63e4dd14644db4f3be35932eb6528f1711ef67f14f98d0afb9c06fcab0ffbba1ff9ca32f5d949f2e865f3f586"
        "fcffa4"
    ),
    "magma": (
        "0000040303110a0822130d331d114628115a36106a430f7650127c5d177f691c817621818226818f2a819c2e7fa9327d"
        "b63779c33b75cf4170db486ae65163ee5c5ef5695cf9785dfb8761fd9668fea571feb47bfec387fed194fde0a2fceeb0"
        "fcfdbf"
    ),
    "viridis": (
        "440154470d6048186a482374472d7b4536814240863f49893b528b375a8d33638d2f6a8e2c728e297a8e26818e23898e"
        "21908c1f988b1f9f8821a68528ae8031b57b3ebc744cc26c5dc9636ece5882d34c96d83fabdc32c0df24d5e21aeae51a"
        "fde725"
    ),
    "cividis": (
        "00224e00285b002e6a0433711a386f273e6e32436d3b496c434e6c4b546c52596d5a5f6e61656f686a716f7073757676"
        "7c7b788481798b8778938d789b9376a39a75aba072b3a670bbad6cc3b469ccba64d4c15fddc958e6d051efd748f8df3c"
        "fee838"
    ),
    "blue-red": (
        "0530610e41781752901f63a72a71b2347fb93f8dc0529cc86bacd083bcd99ac9e0aed3e6c1ddecd3e6f0dfecf3ebf1f5"
        "f7f7f6f9eee8fbe6d9fdddcafbceb6f8bda0f5ac8bee9878e58268dc6d57d25749c6413ebb2a34ad162a960f267e0823"
        "67001f"
    ),
    "purple-green": (
        "40004b510d5d621a6e73277f7f3c8d8a51999567a6a17ab2ad8abdba9bc8c7abd2d2badadec8e2e8d6e9ede1eef2ecf2"
        "f7f7f6eef5ece4f3e1dbf0d5ccebc6bce4b6acdea698d39480c58168b66d52a75c3e964f2b864219753511642c085424"
        "00441b"
    ),
    "gray": "000000ffffff",
}


@functools.cache
def table(name: str) -> npt.NDArray[np.uint8]:
    """(256, 3) colours; inferno's where there is no such map."""
    anchors = np.frombuffer(bytes.fromhex(ANCHORS.get(name, ANCHORS["inferno"])), np.uint8).reshape(-1, 3)
    places = np.linspace(0, len(anchors) - 1, 256)
    steps = np.arange(len(anchors))
    colours = [np.interp(places, steps, anchors[:, channel]) for channel in range(3)]
    return np.floor(np.stack(colours, -1) + 0.5).astype(np.uint8)


def coloured(shares: npt.NDArray[np.floating], name: str) -> npt.NDArray[np.uint8]:
    """(h, w) in [0, 1] to (h, w, 3); what is not finite is magenta, as in the browser."""
    finite = np.isfinite(shares)
    places = np.floor(np.clip(np.where(finite, shares, 0), 0, 1) * 255 + 0.5).astype(np.intp)
    pixels = table(name)[places]
    pixels[~finite] = NOT_FINITE
    return pixels
