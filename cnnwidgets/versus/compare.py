"""Two networks side by side, in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.network import Network
from cnnwidgets.explorer.images import images_by_name
from cnnwidgets.explorer.sentences import model_title
from cnnwidgets.explorer.work.session import Session

from .network_comparison import NetworkComparison
from .side import NetworkSide


def compare(
    model_a: nn.Module,
    model_b: nn.Module,
    image: Any,
    *,
    layers: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
    labels: Any = None,
    preprocess: Any = None,
    target: int | str | None = None,
) -> NetworkComparison:
    """Look at ``image`` with two networks, or two checkpoints of one, side by side.

    A layer chosen in one graph chooses the layer of the same name in the other, or else the closest in depth and size,
    which is said; class and method are shared. Between the two maps stands their difference, the second minus the
    first, where both can be laid on one grid of the photograph. Of two checkpoints of one architecture it tells the
    first layer at which they part, and how alike the later ones are: linear CKA (Kornblith et al. 2019, "Similarity of
    Neural Network Representations Revisited") over the places of this one photograph, and the relative difference.

    Args:
        model_a, model_b: networks that classify, as for :func:`~cnnwidgets.explore`; both stay as they are.
        image: as for :func:`~cnnwidgets.explore`; each network gets it with its own preprocessing.
        layers: layer of ``model_a`` -> layer of ``model_b``, where names do not tell; the first is on show at first.
        names: of the two networks; by default their own.
        labels: one name a class, for both; or a tuple of two, for each. Classes are compared by name.
        preprocess: as for :func:`~cnnwidgets.explore`, for both; or a tuple of two.
        target: the class to explain, a number in ``model_a`` or a name; None: the class ``model_a`` gives most.

    Returns:
        A widget; show it by naming it on a cell's last line.

    Raises:
        InputError: an argument does not fit; says which, and of which network.
        LayerNotFound: ``layers`` names a layer that is not there; names the closest.
        NotSpatial: a layer in ``layers`` has no maps.
        TargetError: there is no such class.
        CnnWidgetsError: a network cannot be looked into, or failed; says in which layer.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> both = compare(net, net, torch.rand(1, 3, 16, 16), names=("before", "after"))
        >>> both.wait()
        >>> float(abs(both.difference).max()), both.parting
        (0.0, None)
        >>> both.close()
    """
    models = (model_a, model_b)
    titles = _titles(models, names)
    sides = []
    options = zip(models, titles, _each(labels, of_texts=True), _each(preprocess), strict=True)
    for model, title, own_labels, own_preprocess in options:
        Network.of(model)
        try:
            session = Session(model, images_by_name(image), labels=own_labels, preprocess=own_preprocess)
            sides.append(NetworkSide(session, title))
        except CnnWidgetsError as error:
            for side in sides:
                side.close()
            raise type(error)(f"{title}: {error}") from error
    try:
        return NetworkComparison((sides[0], sides[1]), layers or {}, target)
    except CnnWidgetsError:
        for side in sides:
            side.close()
        raise


def _titles(models: tuple[nn.Module, nn.Module], names: Sequence[str] | None) -> tuple[str, str]:
    if names is not None:
        if isinstance(names, str) or len(names) != 2 or not all(isinstance(name, str) and name for name in names):
            raise InputError(f"names is {names!r}; expected two texts, the name of each network.")
        return names[0], names[1]
    first, second = map(model_title, models)
    return (first, second) if first != second else (f"{first} A", f"{second} B")


def _each(value: Any, *, of_texts: bool = False) -> tuple[Any, Any]:
    """What each network gets: ``value`` itself, unless it is a tuple of two things."""
    is_pair = isinstance(value, tuple) and len(value) == 2
    if is_pair and not (of_texts and all(isinstance(entry, str) for entry in value)):
        return value
    return value, value
