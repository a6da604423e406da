"""The one line that most people need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from cnnwidgets import demo
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.network import Network
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.targets import Target
from cnnwidgets.snapshots.state import checked_state, restore
from cnnwidgets.widgets.image_input import ImageInput

from .explorer import Explorer
from .images import images_by_name
from .live_images import LIVE_NAME, image_held_by
from .work.session import Session


def explore(
    model: nn.Module | None = None,
    image: Any = None,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Any = None,
    target: Target | str = None,
    outputs: Kind | None = None,
    output: OutputChoice = None,
    examples: Any = None,
    state: Mapping[str, Any] | None = None,
) -> Explorer:
    """Look inside ``model`` while it looks at ``image``.

    Args:
        model: a network that returns one score a class, maps of scores (N, K, h, w) as in segmentation, detections as
            torchvision's detectors do, or numbers; with ``target=`` or ``output=`` a function, whatever it likes. None:
            the demo's, with real ImageNet weights.
        image: a PIL image, a path, a uint8 array (H, W, 3), or an already preprocessed tensor (C, H, W) or
            (1, C, H, W); a list of these, a mapping of names to them, or a folder of image files, which make a menu;
            an :class:`~cnnwidgets.ImageInput`, which is followed; None: the demo's photographs.
        labels: one name a class, of a detector for each number in its ``labels``; by default those in a transformers
            network's ``config.id2label``, ImageNet's for torchvision's and timm's networks.
        preprocess: a function from a PIL image to a tensor, a torchvision weights enum, or an image processor of
            transformers; by default what the network itself says (torchvision, timm).
        target: the class to explain, its name, or ``outputs -> (N,)`` scores; by default the class with the highest
            score, of each photograph.
        outputs: what the model's outputs are, one of ``"logits"``, ``"softmax"``, ``"log_softmax"``, ``"sigmoid"``
            (independent of one another), ``"independent_logits"`` (before a sigmoid each), ``"logit"`` (one) and
            ``"number"``; by default what made them tells.
        output: which of several outputs holds the scores: an index, a name, or a function of what the model returns,
            ``raw -> (1, classes)``; by default the name or the shape tells, and where it is not plain, a note.
        examples: the images in which *What does it look for?* finds the places that excite a filter: a torch Dataset, a
            folder, a list, or an iterable of tensors; by default crops of the demo's photographs, which it says.
        state: what :meth:`Explorer.snapshot` returned, to begin with; of another network or photograph as far as it
            fits, and the bar says what did not.

    Returns:
        A widget; show it by naming it on a cell's last line.

    Raises:
        InputError: the image or the labels do not fit, or ``state`` is none; names its key.
        CnnWidgetsError: the model cannot be looked into, or failed; says in which layer.
        TargetError: there is no such class, or no such output.
    """
    if isinstance(image, nn.Module) and not isinstance(model, nn.Module):
        raise InputError("Model and image are the wrong way round. Write explore(model, image).")
    checked = {} if state is None else checked_state(state)
    of_demo = (model is None, image is None)
    if model is None:
        loaded = demo.load()
        model, labels = loaded.model, labels if labels is not None else loaded.labels
        preprocess = preprocess if preprocess is not None else loaded.preprocess
        image = loaded.images if image is None else image
    elif image is None:
        try:
            image = demo.photographs()
        except CnnWidgetsError as error:
            raise InputError(f"There is no image to explore: pass image=. (Without one: {error})") from error
    Network.of(model)
    image_input = image if isinstance(image, ImageInput) else None
    session = Session(
        model,
        images_by_name(image) if image_input is None else {LIVE_NAME: image_held_by(image_input)},
        labels=labels,
        preprocess=preprocess,
        outputs=outputs,
        output=output,
        examples=examples,
    )
    session.of_demo = of_demo
    explorer = Explorer(session, target)
    if image_input is not None:
        explorer.follow(image_input)
    if checked:
        unfitting = restore(explorer, checked)
        explorer._view.bar.notes = [*explorer._view.bar.notes, *unfitting]  # noqa: SLF001
    return explorer
