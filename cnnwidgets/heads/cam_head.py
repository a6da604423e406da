"""Another head for a network: a mean over places and one linear layer, so that its class maps are exact."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.capture import LayerReached, attached
from cnnwidgets.core.errors import CnnWidgetsError, InputError, LayerNotFound, NotSpatial
from cnnwidgets.core.network import Network
from cnnwidgets.explainers.cam import LinearHeads
from cnnwidgets.explainers.engine.inputs import checked
from cnnwidgets.explainers.engine.one_layer import LayerPass, one_layer
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.pictures.preprocess import input_channels, preprocess_for
from cnnwidgets.running.forward import again, run
from cnnwidgets.state.copying import deep_copy
from cnnwidgets.state.preserved import generators, preserved
from cnnwidgets.tracing.layouts.layouts import followed_layouts
from cnnwidgets.tracing.layouts.token_layout import TokenLayout

from .up_to_layer import ChannelsFirst, UpToLayer

_USUAL_SIDES = (224, 299, 256, 128, 64, 32, 28)


def with_cam_head(
    model: nn.Module,
    classes: int,
    *,
    layer: str | nn.Module | None = None,
    example: torch.Tensor | None = None,
) -> nn.Sequential:
    """``model`` up to ``layer``, then global average pooling and one linear layer, which is yet to be trained.

    With such a head the class activation map, :func:`~cnnwidgets.explainers.cam`, takes each score apart exactly (Zhou,
    Khosla, Lapedriza, Oliva and Torralba 2016, "Learning deep features for discriminative localization"). The layers
    that are kept have the weights of ``model``, and are copies: ``model`` stays as it is, whatever is trained later.
    What came after ``layer`` is gone, and so is its part in the accuracy: train the result for some epochs.

    Args:
        model: a network that takes images: torchvision's, timm's, or yours.
        classes: how many scores the new head gives.
        layer: the last layer that is kept, a dotted name or the module itself; None: the last with maps of several
            places. An earlier one has larger maps (14 x 14 in place of 7 x 7, say), which show finer where, and knows
            less of what.
        example: (1, C, H, W), such an image as the network takes; None: found out.

    Returns:
        A network with the parts ``features``, ``pool``, ``flatten`` and ``fc``, (N, C, H, W) to scores (N, classes), in
        the mode (training or evaluation) of ``model``. The weights of ``fc`` are drawn from torch's random numbers,
        which stay as they were.

    Raises:
        LayerNotFound: there is no such layer; names the closest.
        NotSpatial: the layer makes no maps, or tokens, as in a ViT.
        InputError: ``classes`` is no count, or no image was found that the network runs on: pass ``example``.
        CnnWidgetsError: the network failed, or cannot be copied.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
        >>> new = with_cam_head(net, 3, example=torch.rand(1, 1, 8, 8))
        >>> new(torch.zeros(2, 1, 20, 20)).shape  # any size now
        torch.Size([2, 3])
        >>> new.features[0] is net[0], torch.equal(new.features[0].weight, net[0].weight)
        (False, True)
    """
    checked_count(classes, "classes")
    original = Network.of(model)
    name = None if layer is None else original.find(layer)[0]
    with torch.inference_mode(False), torch.enable_grad():
        restore = generators()
        try:
            kept = _Kept(_network_copy(original.base), name, example)
            features = kept.features()
            head = nn.Linear(kept.channels, classes).to(kept.images.device, kept.images.dtype)
        finally:
            restore()
    parts = OrderedDict(features=features, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=head)
    result = nn.Sequential(parts)
    for module in (result, *list(parts.values())[1:]):
        module.training = original.base.training
    config = getattr(original.base, "pretrained_cfg", None)
    if config is not None:  # it tells what images timm's network takes
        result.pretrained_cfg = config
    return result


class _Kept:
    """The part of a network that is kept.

    Args:
        base: a network of ours, whose parts may be taken.
        layer: the last layer to keep; None: the last with maps.
        example: (1, C, H, W), or None.

    Attributes:
        images: (1, C, H, W) on which the network ran.
        channels: K, how many maps there are.
    """

    def __init__(self, base: nn.Module, layer: str | None, example: torch.Tensor | None) -> None:
        self._base, self._was_training = base, base.training
        with preserved(base, evaluate=True), reading(readout_of(base)):
            self.images, self._seen_from, pooled = _run(base, layer, example)
            self._name, self._maps = self._seen_from.name, self._seen_from.maps
            modules = dict(Network.of(base).layers)
            if self._name not in modules:
                raise LayerNotFound(
                    f"The last layer with maps, {self._name!r}, is a call of a function: a network cannot be cut "
                    "there. Pass layer=, the name of a module."
                )
            if self._seen_from.form is not None and self._seen_from.form.has_tokens:
                raise _no_maps(base, self._name)
            self._order = self._called_until(modules[self._name])
        self.channels = int(self._maps.shape[1])
        # As in DenseNet, where a function between the last layer and the pooling cuts off what is negative.
        rectified = self._maps.relu()
        self._rectifies = layer is None and pooled is not None and _same(pooled, rectified)
        self._rectifies &= not torch.equal(rectified, self._maps)

    def _called_until(self, layer: nn.Module) -> list[nn.Module]:
        """The modules in the order in which they are called, up to the layer's call."""
        order: list[nn.Module] = []
        calls = 0

        def leave(module: nn.Module, _: tuple[Any, ...], __: Any) -> None:
            nonlocal calls
            if module is layer:
                calls += 1
                if calls > self._seen_from.index:
                    raise LayerReached

        def enter(module: nn.Module, _: tuple[Any, ...]) -> None:
            order.append(module)

        with attached(self._base.modules(), enter=enter, leave=leave), suppress(LayerReached), torch.no_grad():
            run(self._base, self.images)
        return list(dict.fromkeys(order))

    def features(self) -> nn.Module:
        """(N, C, H, W) to the maps (N, K, h, w): the network's own parts in a row, if that is what it computes."""
        steps = self._row(self._base, self._name.split(".") if self._name else [])
        while len(steps) == 1 and isinstance(steps[0][1], nn.Sequential):
            steps = list(steps[0][1].named_children())
        row = self._sequence([*steps, *self._turned()])
        if not self._computes_the_maps(row):
            row = self._sequence(
                [("network", UpToLayer(self._base, self._name, self._seen_from.index)), *self._turned()]
            )
            replaced = _without_idle_parts(self._base, set(self._order))
            if not self._computes_the_maps(row):
                for module, name, child in replaced:
                    setattr(module, name, child)
        if self._rectifies:
            row.add_module("relu", nn.ReLU().train(self._was_training))
        return row

    def _row(self, module: nn.Module, path: list[str]) -> list[tuple[str, nn.Module]]:
        """The children of ``module`` in the order of their calls, the last cut where ``path`` leads."""
        names = {child: name for name, child in module.named_children()}
        steps: list[tuple[str, nn.Module]] = []
        for child in (module for module in self._order if module in names):
            if path and names[child] == path[0]:
                inner = child if len(path) == 1 else self._sequence(self._row(child, path[1:]))
                return [*steps, (names[child], inner)]
            steps.append((names[child], child))
        return steps

    def _turned(self) -> list[tuple[str, nn.Module]]:
        form = self._seen_from.form
        if not isinstance(form, TokenLayout):
            return []
        turned = ChannelsFirst(tuple(form.order.index(letter) for letter in "nchw"))
        turned.training = self._was_training
        return [("channels_first", turned)]

    def _sequence(self, steps: list[tuple[str, nn.Module]]) -> nn.Sequential:
        row = nn.Sequential(OrderedDict(steps))
        row.training = self._was_training
        return row

    def _computes_the_maps(self, row: nn.Module) -> bool:
        """Whether it does what the network does, judged on an image: functions between its parts may be missing."""
        try:
            with preserved(row, evaluate=True), torch.no_grad():
                return _same(row(self.images), self._maps)
        except Exception:
            return False


def _run(
    base: nn.Module, layer: str | None, example: torch.Tensor | None
) -> tuple[torch.Tensor, LayerPass, torch.Tensor | None]:
    """An image on which the network runs, what the layer made of it, and what was pooled last."""
    errors: list[CnnWidgetsError] = []
    for images in [example] if example is not None else _examples(base):
        images = checked(base, images)[:1]
        if layer is None:
            _refuse_tokens(base, images)
        look = functools.partial(one_layer, base, images, None, layer, -1, "logit", gradient=False)
        try:
            with LinearHeads() as linear:
                return images, again(look), linear.pooled
        except (LayerNotFound, NotSpatial):
            raise
        except CnnWidgetsError as error:
            errors.append(error)
    if example is not None:
        raise errors[0]
    raise InputError(
        f"The network ran on none of the images that were tried: {errors[0]} Pass example=, a tensor (1, C, H, W) such "
        "as it takes."
    ) from errors[0]


def _refuse_tokens(base: nn.Module, images: torch.Tensor) -> None:
    """Refuse a transformer, whose last maps are tokens; its convolutions only cut the image into patches."""
    calls = followed_layouts(base, images).calls or {}
    mapped = [(name, layout.form) for (name, _), layout in calls.items() if layout.mapped]
    if mapped and mapped[-1][1] is not None and mapped[-1][1].has_tokens:
        raise _no_maps(base, mapped[-1][0])


def _no_maps(base: nn.Module, name: str) -> NotSpatial:
    return NotSpatial(
        f"Layer {name!r} of this {type(base).__name__} returns tokens, not maps: a transformer's score comes from what "
        "its tokens tell each other, and with a mean over places and one linear layer it would be another network. "
        "Take a convolutional network, or pass layer= of a convolution; cw.explainers.grad_cam needs no such head, and "
        "lays tokens out as maps."
    )


def _examples(base: nn.Module) -> Iterator[torch.Tensor]:
    """Noise of the sizes that the network may take, the likeliest first."""
    channels, size = input_channels(base) or 3, preprocess_for(base).size
    random = torch.Generator().manual_seed(0)
    for height, width in dict.fromkeys([*([size] if size else []), *((side, side) for side in _USUAL_SIDES)]):
        yield torch.randn(1, channels, height, width, generator=random)


def _without_idle_parts(base: nn.Module, called: set[nn.Module]) -> list[tuple[nn.Module, str, nn.Module]]:
    """Put nothing in the place of what is not called; (parent, name, child) of each."""
    replaced = []
    for name, child in list(base.named_children()):
        if called.isdisjoint(child.modules()):
            setattr(base, name, nn.Identity())
            replaced.append((base, name, child))
        else:
            replaced += _without_idle_parts(child, called)
    return replaced


def _network_copy(base: nn.Module) -> nn.Module:
    try:
        return deep_copy(base)
    except Exception as error:
        raise CnnWidgetsError(
            f"The head is put on a copy of the network, and copy.deepcopy of this {type(base).__name__} raised "
            f"{type(error).__name__}: {error}."
        ) from error


def _same(values: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether they agree, by rounding, and say anything at all."""
    if values.shape != expected.shape:
        return False
    values, largest = values.to(expected.dtype), float(expected.abs().max())
    return largest > 0 and torch.allclose(values, expected, rtol=1e-4, atol=1e-5 * largest)
