"""What the Explorer knows of a model and a photograph: no widget in here, and no maths."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, NotSpatial, TargetError
from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.engine.all_layers import Observation, observe
from cnnwidgets.explainers.every_layer import attribution_of, layers_explained
from cnnwidgets.explorer.fitting.advice import Fitting, advised, fitting
from cnnwidgets.explorer.no_grad_cam import why_no_layer, why_not
from cnnwidgets.explorer.tasks import Region, Said, Task, look
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.class_names import class_names
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.targets import Target
from cnnwidgets.pictures.picture import Picture, load_picture
from cnnwidgets.running.forward import fitted
from cnnwidgets.state.fingerprint import Fingerprint, fingerprint
from cnnwidgets.state.twin import Twin
from cnnwidgets.tracing.architecture import Architecture, LayerInfo, trace

from .origin import Origin, image_mark

_PASSES = {"dropout", "identity"}
_NEVER_AN_END = {"reshape", *_PASSES}
_AFTER = {"conv": {"norm", "activation"}, "norm": {"activation"}}
_USUAL_PATCH = 16  # pixels that an occlusion covers, for images of 128 pixels and more
ATTEMPTS = 3
"""How often something is computed again because the network changed meanwhile."""
_NEVER_STILL = (
    "The network's weights changed while this was computed, as in training: maps and scores may be of different "
    "weights."
)
_OTHER_LAYERS = (
    "The network takes another way for this photograph than for the first; layers that only run here are not in the "
    "graph. Explore the photograph by itself to see them."
)


@dataclass(frozen=True, eq=False)
class Scene:
    """A photograph, and what one forward and one backward of the model said about it and one target.

    ``first`` was made when the photograph was opened and holds the maps; ``now`` belongs to the target.
    """

    name: str
    picture: Picture
    first: Observation
    now: Observation
    origin: Origin
    asleep: bool = False
    """Whether the maps have been let go of: tensors of their shapes, without content, stand in their places."""
    task: Task = field(default_factory=Task)

    @property
    def maps(self) -> dict[str, torch.Tensor]:
        """Layer -> maps (1, C, h, w)."""
        return self.first.maps

    @property
    def logits(self) -> torch.Tensor:
        """(classes,) raw outputs."""
        if self.first.outputs is None:  # every task reads a table
            raise CnnWidgetsError("The model returned no scores.")
        return self.first.outputs[0]

    def looks_like(self, other: Scene) -> bool:
        """Whether both hold the same numbers, bit for bit."""
        ours, theirs = self.first, other.first
        return (
            torch.equal(self.picture.tensor, other.picture.tensor)
            and _equal(ours.outputs, theirs.outputs)
            and (self.asleep or other.asleep or _equal_maps(ours.maps, theirs.maps))
        )

    def sleeping(self) -> Scene:
        """The same without the content of the maps, which is most of it."""
        stand_ins = {id(maps): torch.zeros(()).expand(maps.shape) for maps in self.maps.values()}
        first = replace(self.first, maps={name: stand_ins[id(maps)] for name, maps in self.maps.items()})
        return replace(self, first=first, now=first if self.now is self.first else self.now, asleep=True)

    def with_note(self, note: str) -> Scene:
        """The same with one more thing that the reader must know."""
        return replace(self, picture=replace(self.picture, notes=(*self.picture.notes, note)))

    @property
    def kind(self) -> Kind:
        """What the numbers in ``logits`` are."""
        return self.first.kind

    @property
    def predicted(self) -> int:
        """The class with the highest score."""
        return int(self.logits.nan_to_num(-torch.inf).argmax())


class Session:
    """A model, the images to choose from, and the functions that look at them."""

    def __init__(
        self,
        model: nn.Module,
        images: Mapping[str, Any],
        *,
        labels: Sequence[str] | None = None,
        preprocess: Any = None,
        outputs: Kind | None = None,
        output: OutputChoice = None,
    ) -> None:
        if not images:
            raise InputError("There is no image to explore. Pass image=.")
        self.original = model
        self._made: Fingerprint | None = fingerprint(model, thorough=True)
        self._twin = Twin(model)
        self._lock = threading.RLock()
        self._images = dict(images)
        self.preprocess = preprocess
        self._fitting: Fitting | None = None
        self._said = Said(None if labels is None else class_names(labels), outputs, output)
        self._task, self._columns = Task(), 0
        self.architecture: Architecture | None = None
        self._done: dict[tuple[Any, ...], Attribution] = {}

    @property
    def model(self) -> nn.Module:
        """What all computations run on: a twin of the user's network, which is only read."""
        return self._twin.module

    @property
    def turns(self) -> bool:
        """Whether it had to be the user's network itself, on the user's own thread."""
        return not self._twin.private

    @property
    def images(self) -> dict[str, Any]:
        """Name -> image, as it came; a copy."""
        with self._lock:
            return dict(self._images)

    def add_image(self, name: str, image: Any) -> str:
        """Add ``image`` to those to choose from; returns its name, with a number where there is one of that name."""
        with self._lock:
            free, number = name, 2
            while free in self._images:
                free, number = f"{name} ({number})", number + 1
            self._images[free] = image
            return free

    def is_stale(self, scene: Scene) -> bool:
        """Whether the network or the image has changed since ``scene`` was opened, or its maps have been let go of."""
        return scene.asleep or not scene.origin.same(self._origin(scene.name))

    def forget(self) -> None:
        """Let go of the maps that were kept for another look."""
        self._done.clear()

    def _origin(self, name: str, *, thorough: bool = False) -> Origin:
        with self._lock:
            image = self._images[name]
        return Origin(fingerprint(self.original, thorough=thorough), image_mark(image))

    def open(self, name: str, target: Target = None, region: Region = ()) -> Scene:
        """Read the image ``name`` and look at it once, with the network as it is now.

        If the network changes meanwhile, it is looked at again; a note says so if it never holds still. ``region`` is
        for networks that score each place.
        """
        for left in reversed(range(ATTEMPTS)):
            origin = self._origin(name, thorough=True)
            with self._lock:
                if self._made is None or not self._made.made_alike(origin.network):
                    if self._made is not None and self._made.structure != origin.network.structure:
                        self.architecture = None  # traced anew: layers may have come and gone
                    self._twin, self._made = Twin(self.original), origin.network
            try:
                scene = self._open(name, target, region, origin)
            except Exception as error:
                if isinstance(error, Cancelled) or origin.same(self._origin(name)):
                    raise
                if not left:
                    raise changed_meanwhile() from error
                continue
            if origin.same(self._origin(name)):
                break
        else:
            scene = scene.with_note(_NEVER_STILL)
        if self._twin.note:
            scene = scene.with_note(self._twin.note)
        self._done.clear()
        if not self._columns:
            self.enter(scene)
        return scene

    def _open(self, name: str, target: Target, region: Region, origin: Origin) -> Scene:
        if self._fitting is None:
            picture = load_picture(self.images[name], self.model, self.preprocess)
        else:
            picture = self._fitting.picture(self.images[name], self.model)
        try:
            if self.architecture is None:
                self.architecture = trace(self.model, fitted(self.model, picture.tensor))
            task, seen = look(self.model, picture.tensor, target, region, self._said, self._task)
        except CnnWidgetsError as error:
            unreadable = isinstance(error, TargetError) or isinstance(error.__cause__, TargetError)
            the_models_own = error.__cause__ is not None and not isinstance(error, InputError | TargetError)
            if (unreadable or the_models_own) and self._refit(name, picture.tensor):
                return self._open(name, target, region, origin)
            if not the_models_own:
                raise
            raise advised(error, self.model, self.images[name], self.preprocess, picture.tensor) from error
        notes = [*picture.notes, *task.notes]
        if not self._known.issuperset(seen.maps):
            notes.append(_OTHER_LAYERS)
        return Scene(name, replace(picture, notes=tuple(notes)), seen, seen, origin, task=task)

    def enter(self, scene: Scene) -> None:
        """Take the names of the columns from ``scene``, which comes on show."""
        self._task, self._columns = scene.task, len(scene.logits)

    def _refit(self, name: str, tensor: torch.Tensor) -> bool:
        """Whether the photographs must have another size for the model, and from now on have it."""
        if self._fitting is None:
            self._fitting = fitting(self.model, self.images[name], self.preprocess, tensor)
            if self._fitting is not None:
                self.architecture = None  # it was that of another size
                return True
        return False

    @property
    def traced(self) -> Architecture:
        """The model's architecture, known since the first image was opened."""
        if self.architecture is None:
            raise CnnWidgetsError("No image has been opened yet.")
        return self.architecture

    @property
    def _known(self) -> set[str]:
        return {layer.name for layer in (*self.traced.layers, *self.traced.containers)}

    def aim(self, scene: Scene, target: Target) -> Scene:
        """The same photograph, another target."""
        with scene.task.reading():
            seen = observe(self.model, scene.picture.tensor, target, keep_maps=False)
        return replace(scene, now=seen)

    def explain(self, scene: Scene, method: str, layer: str, progress: ProgressCallback) -> Attribution:
        """The map of ``method`` for the scene's target; at once where the scene holds it already."""
        info = explainers.info(method)
        if method == "grad_cam":
            if layer not in scene.now.cam:
                raise NotSpatial(why_not(scene.now, layer))
            return attribution_of(layer, scene.now)
        if info.needs_layer and not layer:
            raise NotSpatial(why_no_layer(method))
        target = scene.now.chosen if callable(scene.now.chosen) else int(scene.now.chosen[0])
        # The function too: a cell that registers it is edited and run again.
        key = (scene.task, target, method, info.function, layer if info.needs_layer else None)
        if key not in self._done and method == "occlusion" and isinstance(target, int):
            swept = self._swept(scene, info.function, target)
            if swept is not None:
                self._done[key] = swept
        if key in self._done:
            return self._done[key]
        options: dict[str, Any] = {"layer": layer} if info.needs_layer else {}
        if "progress" in inspect.signature(info.function).parameters:
            options["progress"] = progress
        if method == "occlusion":
            # The same share of a small image, so that it too gets a map with places.
            patch = min(_USUAL_PATCH, max(2, min(scene.picture.tensor.shape[2:]) // 8))
            options |= {"patch": patch, "stride": patch // 2}
        with scene.task.reading():
            made: Attribution = info.function(self.model, scene.picture.tensor, target, **options)
        if self.is_stale(scene):
            return replace(made, notes=(*made.notes, _NEVER_STILL))
        self._done[key] = made
        return made

    def _swept(self, scene: Scene, function: Any, wanted: int) -> Attribution | None:
        """The map of another class, from a sweep of this photograph that kept the scores of all classes."""
        for (task, target, _, made_by, _), found in list(self._done.items()):
            same = task is scene.task and made_by is function and isinstance(target, int)
            if same and isinstance(found, explainers.Occlusion):
                try:
                    return found.for_target(wanted)
                except CnnWidgetsError:  # too many places and classes to keep
                    return None
        return None

    def label(self, index: int) -> str:
        """The name of a class."""
        return self._task.label(index)

    @property
    def labels(self) -> list[str] | None:
        """The names of all columns of the table of scores; None: "class 0", "class 1"."""
        if type(self._task) is Task and self._task.labels is None:
            return self._said.labels
        return [self._task.label(index) for index in range(self._columns)]

    def info(self, layer: str) -> LayerInfo:
        """What the trace knows of a layer.

        Raises:
            LayerNotFound: no such layer; names the closest.
        """
        return self.traced.find(layer)

    def spatial(self, scene: Scene, layer: str) -> LayerInfo:
        """The same for a layer that has maps.

        Raises:
            LayerNotFound: no such layer.
            NotSpatial: its output has no height and width.
        """
        info = self.info(layer)
        if info.name not in scene.first.shapes:
            raise NotSpatial(f"Layer {layer!r} does not run for the photograph {scene.name!r}, so it has no maps.")
        if info.name not in scene.maps:
            layout = scene.first.layouts.of(info.name, info.calls - 1, tuple(info.output_shape or ()))
            raise NotSpatial(_why_no_maps(info, layer, layout.why_not if len(layout.shape) == 4 else None))
        return info

    def spatial_layers(self, scene: Scene) -> list[str]:
        """Names of all layers that have maps and are in the graph, in order."""
        return [name for name in scene.first.order if name in scene.maps and name in self._known]

    def explained_layers(self, scene: Scene, drawn: set[str]) -> list[str]:
        """Layers worth a map of the score, in order: the ends of conv-norm-activation chains, and blocks.

        Of several that hold the same maps, the outermost that is ``drawn`` in the graph.
        """
        kinds = {layer.name: "identity" if layer.type == "Identity" else layer.kind for layer in self.traced.layers}
        after = _what_follows(self.traced.edges, kinds)
        outermost: dict[int, str] = {}
        able = set(layers_explained(scene.now))
        for name in self.spatial_layers(scene):
            if name not in able:
                continue
            kind, following = kinds.get(name, ""), after.get(name)
            if kind in _NEVER_AN_END or (following and following <= _AFTER.get(kind, set())):
                continue
            key = id(scene.maps[name])
            inner = outermost.pop(key, name)
            outermost[key] = inner if inner in drawn and name not in drawn else name
        return list(outermost.values())

    def same_maps(self, scene: Scene, layer: str, among: list[str]) -> str | None:
        """The one of ``among`` that holds the maps of ``layer``: itself, or a block that ends with it."""
        if layer in among:
            return layer
        wanted = scene.maps.get(layer)
        return next((name for name in among if scene.maps.get(name) is wanted), None)


def changed_meanwhile() -> CnnWidgetsError:
    """In place of what autograd says of an optimizer that stepped between a forward and its backward."""
    return CnnWidgetsError(
        "The network's weights changed while this was computed, as in training. Ask again when they hold still."
    )


def _equal(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or (one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num()))


def _equal_maps(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(_equal(maps, theirs[name]) for name, maps in ours.items())


def _what_follows(edges: list[tuple[str, str]], kinds: dict[str, str]) -> dict[str, set[str]]:
    """Layer -> kinds of the layers that take its output, looking through those that only pass it on."""
    after: dict[str, set[str]] = {}
    order = {name: place for place, name in enumerate(kinds)}
    for source, consumer in sorted(edges, key=lambda edge: -order[edge[1]]):
        kind = kinds[consumer]
        after.setdefault(source, set()).update(after.get(consumer, set()) if kind in _PASSES else {kind})
    return after


def _why_no_maps(info: LayerInfo, layer: str, why_not: str | None) -> str:
    """One sentence on a layer that cannot be shown as maps."""
    shape = tuple(info.output_shape or ())[1:]
    amount = " × ".join(map(str, shape)) or "no tensor"
    gives = f"{amount} numbers" if len(shape) == 1 else f"an output of {amount}"
    if why_not is not None and min(shape[1:], default=1) > 1:
        return f"Layer {layer!r} gives {gives}, {why_not}: no maps that lie as the image does."
    return f"Layer {layer!r} gives {gives}, not maps with height and width. Select a layer before it in the graph."
