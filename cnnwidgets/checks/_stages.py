"""Which parameters are randomised together, from the output to the input, and how."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from cnnwidgets.core.capture import attached
from cnnwidgets.core.network import Network
from cnnwidgets.running.forward import again, run
from cnnwidgets.state.preserved import preserved


@dataclass(frozen=True, eq=False)
class WeightedModule:
    """A module that runs, and what it computes with.

    Attributes:
        name: dotted; the model's class where no module in it has parameters.
        parameters: its own, and those of modules below it that are never called.
    """

    name: str
    parameters: tuple[nn.Parameter, ...]


def units(model: nn.Module, images: torch.Tensor, but: nn.Module | None = None) -> list[WeightedModule]:
    """The modules with parameters, from the one that runs last to the one that runs first.

    Parameters of modules that are never called (their parent reads them, or they are not used) belong to the nearest
    module around them that is; those of the model itself to the last one. A shared parameter counts once.
    Those of ``but`` are left out: what a closure or a class holds, a copy of a model shares with the original.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3))
        >>> [unit.name for unit in units(net, torch.zeros(1, 1, 3, 3))]
        ['3', '0']
    """
    entered: dict[nn.Module, int] = {}
    calls = iter(range(1 << 60))

    def enter(module: nn.Module, _: object) -> None:
        entered[module] = next(calls)

    by_name = dict(Network.of(model).layers)
    with torch.no_grad(), preserved(model, evaluate=True), attached(by_name.values(), enter=enter):
        again(lambda: run(model, images[:1].clone()))
    others = set[int]() if but is None else {id(value) for _, value in Network.of(but).weights}
    owned: dict[str, list[nn.Parameter]] = {}
    for name, module in by_name.items():
        own = [
            value for value in module.parameters(recurse=False) if value.is_floating_point() and id(value) not in others
        ]
        if own:
            owned.setdefault(_running(name, by_name, entered), []).extend(own)
    order = sorted(owned, key=lambda name: (name != "", entered.get(by_name[name], 0)), reverse=True)
    modules, counted = list[WeightedModule](), set[int]()
    for name in order:
        new = [value for value in owned[name] if id(value) not in counted]
        counted.update(map(id, new))
        if new and not name and modules:
            modules[-1] = WeightedModule(modules[-1].name, (*modules[-1].parameters, *new))
        elif new:
            modules.append(WeightedModule(name or type(model).__name__, tuple(new)))
    return modules


def grouped(modules: list[WeightedModule], stages: int) -> list[list[WeightedModule]]:
    """At most ``stages`` groups of neighbours; the first unit, the output layer, stays alone where there are more.

    Example:
        >>> names = [WeightedModule(name, ()) for name in "edcba"]
        >>> [[unit.name for unit in group] for group in grouped(names, 3)]
        [['e'], ['d', 'c'], ['b', 'a']]
    """
    if len(modules) <= stages:
        return [[unit] for unit in modules]
    if stages == 1:
        return [modules]
    first, rest, parts = modules[:1], modules[1:], stages - 1
    cuts = [round(part * len(rest) / parts) for part in range(parts + 1)]
    return [first, *(rest[begin:end] for begin, end in pairwise(cuts))]


def redraw(parameter: nn.Parameter, generator: torch.Generator) -> None:
    """Replace the values by random ones, in place.

    A weight, with an axis beside its first, is drawn from a normal distribution with mean 0, filter by filter with the
    filter's own root mean square: so what it has learned is gone, and what comes out of it is about as large as
    before. One that is zero everywhere, as some layers are when training begins, gets the inverse root of how many
    inputs a filter has. A vector (biases, scales of a normalisation) is drawn with its own mean and standard deviation.
    """
    values = parameter.detach().float()
    noise = torch.randn(values.shape, generator=generator, dtype=torch.float32).to(values.device)
    if values.ndim >= 2 and values.numel() > len(values):
        size = values.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (values.ndim - 1))
        drawn = noise * (size if bool(values.any()) else (values.numel() / len(values)) ** -0.5)
    else:
        drawn = noise * values.std(correction=0) + values.mean() if values.numel() else noise
    with torch.no_grad():
        parameter.copy_(drawn)


def _running(name: str, by_name: dict[str, nn.Module], entered: dict[nn.Module, int]) -> str:
    """``name``, or the nearest module around it that is called."""
    while name and by_name.get(name) not in entered:
        name = name.rpartition(".")[0]
    return name
