"""How one number of a feature map was made: kernel times patch, channel by channel, and what came after."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.explainers.engine.inputs import checked
from cnnwidgets.explainers.engine.one_layer import LayerPass, one_layer
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.running.forward import again, run
from cnnwidgets.running.rounding import product_rounding
from cnnwidgets.state.preserved import preserved
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .calls import CallsToLayer
from .chain import ArithmeticStep, Chain, NotTakenApart, chain_to
from .products import Products, Surroundings

__all__ = ["ArithmeticStep", "CellArithmetic", "Surroundings", "arithmetic"]

_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False, repr=False)
class CellArithmetic:
    """One number of a feature map, taken apart.

    ``inputs.sum() + bias`` is the sum that the convolution makes, the value of the first step; each further step makes
    its value of the one before, and the last value is ``value``.

    Attributes:
        value: the number in the layer's map, as the network computed it.
        layer, channel, row, column: where it stands.
        convolution: dotted name of the layer whose kernel is shown: ``layer`` itself, or one before it.
        kernel, patch, products: (C, kh, kw) float32: the kernel, the numbers under it (0 in the padding), and one times
            the other. C counts the input channels that this filter reads, in their order.
        bias: what the convolution adds; 0 without one.
        channels: (C,) int64, the input channels, those that contribute most, up or down, first.
        inputs: (C,) float32, what each of ``channels`` contributes to the sum, in that order.
        box: (top, left, bottom, right) of the patch in the convolution's input, the last two exclusive; it may reach
            beyond the input, into the padding. None for a linear layer, a transposed convolution, or where the input
            was padded in a way of its own.
        steps: the sum, and what is done to it until the layer returns.
        surroundings: what the window slides over near the cell; None for a linear layer or a transposed convolution.
        notes: what the reader must know.
    """

    value: float
    layer: str
    channel: int
    row: int
    column: int
    convolution: str
    kernel: torch.Tensor
    patch: torch.Tensor
    products: torch.Tensor
    bias: float
    channels: torch.Tensor
    inputs: torch.Tensor
    box: tuple[int, int, int, int] | None
    steps: tuple[ArithmeticStep, ...]
    notes: tuple[str, ...] = ()
    surroundings: Surroundings | None = None

    def __repr__(self) -> str:
        lines = [f"{self.layer!r}, channel {self.channel} at ({self.row}, {self.column}): {self.value:.6g}"]
        strongest = zip(self.channels[:5].tolist(), self.inputs[:5].tolist(), strict=True)
        terms = ", ".join(f"{channel}: {number:+.4g}" for channel, number in strongest)
        rest = f", and {len(self.inputs) - 5} more" if len(self.inputs) > 5 else ""
        lines.append(f"  by input channel {terms}{rest}; bias {self.bias:+.4g}")
        lines += [f"  {step}" for step in self.steps]
        return "\n".join([*lines, *self.notes])


def arithmetic(
    model: nn.Module,
    image: torch.Tensor,
    layer: str | nn.Module,
    channel: int,
    row: int,
    column: int,
    *,
    call: int = -1,
    tokens: Tokens = None,
) -> CellArithmetic:
    """Take one number of a feature map apart.

    The model runs on the image, and what its convolution was given is looked at, so that every stride, padding,
    dilation and grouping, and weights that are made anew at each call, come out as the network has them. Of a layer
    that follows a convolution (its batch norm, an activation, a block that adds a shortcut), the steps in between are
    named. Sums are checked against the network's own number.

    Args:
        model: run in evaluation mode and left as it was.
        image: (1, C, H, W) or (C, H, W), preprocessed.
        layer: dotted name or module whose output is, or holds, maps.
        channel, row, column: the cell, from 0.
        call: which call of a layer used several times; -1 for the last.
        tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    Raises:
        LayerNotFound, NotSpatial: no such layer, or its output is no maps.
        InputError: there is no such cell; or it was made in a way that cannot be taken apart (a pooling, a softmax,
            attention): says by what.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 2, bias=False), nn.ReLU())
        >>> _ = net[0].weight.data.copy_(torch.tensor([[[[1.0, 0.0], [0.0, -2.0]]]]))
        >>> arithmetic(net, torch.arange(9.0).view(1, 3, 3), "1", 0, 0, 0)
        '1', channel 0 at (0, 0): 0
          by input channel 0: -8; bias +0
          0: sum of 4 products -> -8
          1: relu -> 0
    """
    if isinstance(image, torch.Tensor) and image.ndim == 3:
        image = image[None]
    for name, number in (("channel", channel), ("row", row), ("column", column)):
        if not is_whole(number):
            raise InputError(f"{name} is {number!r}; expected an int from 0.")
    readout = readout_of(model)
    with Deferral(), torch.inference_mode(False), torch.no_grad(), reading(readout), walked_once():
        ready = checked(model, image)
        if len(ready) != 1:
            raise InputError(f"Got {len(ready)} images; expected one: pass images[0].")

        def taken_apart() -> CellArithmetic:
            with preserved(model, evaluate=True):
                layer_pass = one_layer(model, ready, _unscored, layer, call, "logit", tokens, gradient=False)
                return _taken_apart(model, ready, layer_pass, (channel, row, column))

        return again(taken_apart)


def _unscored(_: object) -> torch.Tensor:
    """No score is asked for."""
    return torch.zeros(1)


def _taken_apart(
    model: nn.Module, image: torch.Tensor, layer_pass: LayerPass, cell: tuple[int, int, int]
) -> CellArithmetic:
    maps = layer_pass.maps[0]
    for name, number, size in zip(("channel", "row", "column"), cell, maps.shape, strict=True):
        if not 0 <= number < size:
            raise InputError(f"Layer {layer_pass.name!r} has {name}s 0 to {size - 1}; got {name} {number}.")
    if layer_pass.functions:
        raise InputError(f"{layer_pass.name!r} is a torch call, not a module: choose the module before it.")
    calls = CallsToLayer(model, layer_pass.name, layer_pass.index)
    with calls.following():
        run(model, image.clone())
    result = calls.result
    if result is None:
        raise CnnWidgetsError(f"Layer {layer_pass.name!r} did not run again: the network takes another way each time.")
    positions = torch.arange(result.numel(), device=result.device).view(result.shape)
    if layer_pass.form is not None:
        positions = layer_pass.form.maps(positions)
    value = float(maps[cell])
    try:
        chain = chain_to(calls.made_by, int(positions[0][cell]))
    except NotTakenApart as error:
        raise InputError(f"A number of layer {layer_pass.name!r} cannot be taken apart: {error}.") from None
    _check_sums(chain, value, result.dtype, layer_pass.name)
    return _result(layer_pass, cell, chain, value)


def _check_sums(chain: Chain, value: float, dtype: torch.dtype, name: str) -> None:
    """That the sum is the network's own: it may have written to numbers behind our back."""
    products = chain.products
    terms = products.patch * products.kernel
    scale = float(terms.abs().sum()) + abs(products.bias)
    rounding = max(_TOLERANCE, product_rounding(dtype, terms.device), 8 * torch.finfo(dtype).eps)
    tolerance = rounding * max(scale, 1e-30)
    total = float(terms.sum()) + products.bias
    values = [step.value for step in chain.steps]
    pairs = [(total, values[0]), *zip(chain.expected, values[1:], strict=True), (values[-1], value)]
    agree = all(
        math.isnan(expected) or math.isclose(expected, actual, rel_tol=10 * rounding, abs_tol=tolerance)
        for expected, actual in pairs
    )
    if not agree and math.isfinite(value):
        raise InputError(
            f"A number of layer {name!r} cannot be taken apart: what was seen of its forward does not come to "
            f"{value:.6g}, which the network has. Something in it is out of sight."
        )


def _result(layer_pass: LayerPass, cell: tuple[int, int, int], chain: Chain, value: float) -> CellArithmetic:
    products: Products = chain.products
    terms = products.patch * products.kernel
    contributions = terms.sum((1, 2))
    order = contributions.abs().argsort(descending=True, stable=True)
    channel, row, column = cell
    return CellArithmetic(
        value=value,
        layer=layer_pass.name,
        channel=channel,
        row=row,
        column=column,
        convolution=chain.steps[0].layer,
        kernel=products.kernel.float().cpu(),
        patch=products.patch.float().cpu(),
        products=terms.float().cpu(),
        bias=products.bias,
        channels=(order + products.first).cpu(),
        inputs=contributions[order].float().cpu(),
        box=chain.box,
        steps=tuple(chain.steps),
        surroundings=products.surroundings,
        notes=(*(note for note in layer_pass.whereabouts if "called" in note), *chain.notes),
    )
