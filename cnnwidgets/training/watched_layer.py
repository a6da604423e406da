"""What a layer makes of a few images while its network learns: maps, kernels, and what each cell sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cnnwidgets import kernels
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.pictures.picture import Picture
from cnnwidgets.running.forward import again, fitted, run
from cnnwidgets.state.preserved import preserved
from cnnwidgets.synthesis.layer_maps import LayerMaps
from cnnwidgets.tracing.architecture import trace


class WatchedLayer:
    """A layer of a network that goes on learning. A look leaves the network, and all random numbers, as they were.

    Attributes:
        name: its dotted name.
        notes: how its output was read.

    Raises:
        LayerNotFound, NotSpatial: there is no such layer, or it makes no maps.
        InputError: the network does not run on the images.
    """

    def __init__(self, model: nn.Module, layer: str | nn.Module, pictures: Sequence[Picture]) -> None:
        self._model, self._pictures = model, list(pictures)
        # What a network does with images of one size it does with all of them.
        sizes = {picture.tensor.shape[-2:]: picture for picture in reversed(self._pictures)}
        for picture in reversed(sizes.values()):
            self._check(picture)
        example = fitted(model, self._pictures[0].tensor)
        with torch.inference_mode(False), preserved(model, evaluate=True):
            self._maps = LayerMaps(model, layer, example, advice="")
        self.name, self.notes = self._maps.name, self._maps.notes
        abouts = {size: self._what_cells_see(picture) for size, picture in sizes.items()}
        self._abouts = [abouts[picture.tensor.shape[-2:]] for picture in self._pictures]

    def maps(self) -> list[npt.NDArray[np.float32]]:
        """(C, h, w) for each image, in evaluation mode.

        Raises:
            CnnWidgetsError: the network failed.
        """
        with torch.inference_mode(False), torch.no_grad(), preserved(self._model, evaluate=True):
            stacks = [self._maps(fitted(self._model, picture.tensor))[0] for picture in self._pictures]
        # A copy: the maps may be a view of what the network keeps.
        return [np.array(stack.float().cpu().numpy(), np.float32) for stack in stacks]

    def kernels(self) -> kernels.Kernels | None:
        """Its kernels, or None if it has none of its own."""
        try:
            return kernels.weights(self._model, self.name)
        except CnnWidgetsError:
            return None

    def about(self, image: int) -> dict[str, Any]:
        """What :meth:`FeatureMaps.show` is told of the maps of an image."""
        return self._abouts[image]

    def _check(self, picture: Picture) -> None:
        height, width = picture.tensor.shape[-2:]
        try:
            with torch.inference_mode(False), torch.no_grad(), preserved(self._model, evaluate=True):
                again(lambda: run(self._model, fitted(self._model, picture.tensor)))
        except CnnWidgetsError as error:
            raise InputError(
                f"The network does not run on {picture.name!r}, {height} × {width} pixels: {error} Pass images= as "
                "they are in training, float tensors (N, C, H, W), or preprocess=, a function from a PIL image to a "
                "tensor."
            ) from error

    def _what_cells_see(self, picture: Picture) -> dict[str, Any]:
        try:
            architecture = trace(self._model, fitted(self._model, picture.tensor))
            field = architecture.find(self.name).receptive_field
            spans = architecture.receptive_spans(self.name, self._maps.grid)
        except CnnWidgetsError:  # of a layer whose cells cannot be followed to the image nothing is said
            return {"note": " ".join(self.notes)}
        sides = picture.tensor.shape[-2:]
        cells = tuple(np.asarray(np.array(along) / side, np.float32) for along, side in zip(spans, sides, strict=True))
        return {"note": " ".join(self.notes), "receptive_field": field, "cells": cells}
