"""What the Explorer knows of a model and its photographs: no widget in here, and no maths."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, NotSpatial, TargetError
from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.engine.all_layers import observe
from cnnwidgets.explainers.every_layer import attribution_of
from cnnwidgets.explorer.fitting.advice import Fitting, advised, fitting
from cnnwidgets.explorer.images import numbered_name
from cnnwidgets.explorer.tasks import OutputHints, Region, Task, look
from cnnwidgets.incremental.scaling import switches_key
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.class_names import class_names
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.targets import Target
from cnnwidgets.pictures.frame import whole_photograph
from cnnwidgets.pictures.picture import load_picture, transform_of
from cnnwidgets.pictures.preprocess import preprocess_for
from cnnwidgets.running.forward import fitted
from cnnwidgets.state.fingerprint import Fingerprint, fingerprint
from cnnwidgets.state.twin import Twin
from cnnwidgets.tracing.architecture import Architecture, trace

from .layers import traced_names, why_no_layer, why_not
from .moment import Moment
from .scene import Scene, Version, changed_meanwhile, image_mark
from .settings import Number, start_values

_ATTEMPTS = 3  # to open a photograph while the network changes
_NEVER_STILL = (
    "The network's weights changed while this was computed, as in training: maps and scores may be of different "
    "weights."
)
_OTHER_LAYERS = (
    "The network takes another way for this photograph than for the first; layers that only run here are not in the "
    "graph. Explore the photograph by itself to see them."
)


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
        examples: Any = None,
    ) -> None:
        if not images:
            raise InputError("There is no image to explore. Pass image=.")
        self.original = model
        self.labels = None if labels is None else class_names(labels)
        """Names of the classes, as far as somebody gave them."""
        self.preprocess = preprocess
        self.examples = examples
        """The data set whose places excite filters; None: nobody gave one."""
        self.settings: dict[str, dict[str, Number]] = {}
        """Method -> parameter -> what the reader has set it to."""
        self.of_demo = (False, False)
        """Whether the network, and whether the images, are the demo's, which nobody has named."""
        self._copied: Fingerprint | None = fingerprint(model, thorough=True)
        self._twin = Twin(model)
        self._lock, self.moment = threading.RLock(), Moment()
        self._images = dict(images)
        self._replaced: dict[str, int] = {}
        self._fitting: Fitting | None = None
        self._hints = OutputHints(self.labels, outputs, output)
        self._task = Task()
        self._architecture: Architecture | None = None
        self._attributions: dict[tuple[Any, ...], Attribution] = {}

    @property
    def model(self) -> nn.Module:
        """A twin of the user's network, which is only read."""
        return self._twin.module

    def model_of(self, scene: Scene) -> nn.Module:
        """What is computed for ``scene`` runs on this: the twin, or a copy with the scene's switches."""
        return self.model if scene.switched_network is None else scene.switched_network

    @property
    def turns(self) -> bool:
        """Whether it had to be the user's network itself, on the user's own thread."""
        return not self._twin.private

    @property
    def output_hints(self) -> dict[str, Any]:
        """What somebody said of the outputs, as keywords of an explainer."""
        hints = {"outputs": self._hints.outputs, "output": self._hints.output}
        return {name: value for name, value in hints.items() if value is not None}

    @property
    def images(self) -> dict[str, Any]:
        """Name -> image, as it came; a copy."""
        with self._lock:
            return dict(self._images)

    def add_image(self, name: str, image: Any) -> str:
        """Add ``image`` to those to choose from; returns its name, with a number where there is one of that name."""
        with self._lock:
            free = numbered_name(name, self._images)
            self._images[free] = image
            return free

    def replace_image(self, name: str, image: Any) -> None:
        """``image`` under ``name``, in place of the one that has it."""
        with self._lock:
            self._images[name] = image
            self._replaced[name] = self._replaced.get(name, 0) + 1

    def is_live(self, name: str) -> bool:
        """Whether the image is one that its owner replaces: that it has changed is no news."""
        return name in self._replaced

    def is_stale(self, scene: Scene) -> bool:
        """Whether the network or the image has changed since ``scene`` was opened, or its maps have been let go of."""
        return scene.asleep or not scene.version.same(self._version(scene.name))

    def seemed_stale(self, scene: Scene) -> bool:
        """The same for who is about to begin: as it was a moment ago, when somebody has looked."""
        return scene.asleep or not scene.version.same(self.moment.version(scene.name, self._version))

    def forget(self) -> None:
        """Let go of the maps that were kept for another look."""
        self._attributions.clear()

    def open(
        self, name: str, target: Target = None, region: Region = (), show: Callable[[Scene], None] | None = None
    ) -> Scene:
        """Read the image ``name`` and look at it once, with the network as it is now.

        If the network changes before ``show`` is through, all is done again; a note says so if it never holds still.

        Args:
            name: one of ``images``.
            target: what is explained.
            region: for networks that score each place.
            show: what else is to be computed with the scene.

        Raises:
            CnnWidgetsError: it failed; or, in place of what autograd says of an optimizer that stepped between a
                forward and its backward, the network changed meanwhile.
        """
        for attempts_left in reversed(range(_ATTEMPTS)):
            version = self._version(name, thorough=True)
            self._renew_twin(version.network)
            try:
                scene = self._opened(name, target, region, version)
                if not version.same(self._version(name)):
                    if attempts_left:
                        continue
                    scene = scene.with_note(_NEVER_STILL)
                if self._twin.note:
                    scene = scene.with_note(self._twin.note)
                self.forget()
                if show is not None:
                    show(scene)
                return scene
            except Exception as error:
                if isinstance(error, Cancelled) or version.same(self._version(name)):
                    raise
                failure = error
        raise changed_meanwhile() from failure

    def retarget(self, scene: Scene, target: Target) -> Scene:
        """The same photograph, another target."""
        with scene.task.reading():
            functions = scene.architecture.resizing_functions
            now = observe(self.model_of(scene), scene.picture.tensor, target, keep_maps=False, functions=functions)
            return replace(scene, now=now)

    def options(self, method: str, scene: Scene) -> dict[str, Number]:
        """The numbers that ``method`` is called with, where they may be others than its own."""
        return {**start_values(method, scene.picture.tensor), **self.settings.get(method, {})}

    def explain(self, scene: Scene, method: str, layer: str, progress: ProgressCallback) -> Attribution:
        """The map of ``method`` for the scene's target; at once where the scene holds it already."""
        info = explainers.info(method)
        if method == "grad_cam":
            if layer not in scene.now.cam:
                raise NotSpatial(why_not(scene.now, layer))
            return attribution_of(layer, scene.now)
        if info.needs_layer and not layer:
            raise NotSpatial(why_no_layer(method))
        # The function too: a cell that registers it is edited and run again.
        options = self.options(method, scene)
        way = (info.function, tuple(sorted(options.items())))
        key = (switches_key(scene.switches), scene.task, scene.target, method, way, layer if info.needs_layer else None)
        attribution = self._attributions.get(key)
        if attribution is None:
            attribution = self._from_sweep(scene, method, way)
        if attribution is None:
            attribution = self._explained(scene, info, layer, progress, options)
            if self.is_stale(scene):
                return replace(attribution, notes=(*attribution.notes, _NEVER_STILL))
        self._attributions[key] = attribution
        return attribution

    def _explained(
        self, scene: Scene, info: explainers.Info, layer: str, progress: ProgressCallback, numbers: Mapping[str, Number]
    ) -> Attribution:
        options: dict[str, Any] = {**numbers, **({"layer": layer} if info.needs_layer else {})}
        if info.tells_progress:
            options["progress"] = progress
        with scene.task.reading():
            model = self.model_of(scene)
            attribution: Attribution = info.function(model, scene.picture.tensor, scene.target, **options)
        return attribution

    def _from_sweep(self, scene: Scene, method: str, way: Any) -> Attribution | None:
        """The map of a class, from a sweep for another one that kept the scores of all classes."""
        if method != "occlusion" or scene.target_class is None:
            return None
        for (switches, task, target, _, its_way, _), attribution in list(self._attributions.items()):
            same = switches == switches_key(scene.switches) and task is scene.task and its_way == way
            if same and isinstance(target, int) and isinstance(attribution, explainers.Occlusion):
                try:
                    return attribution.for_target(scene.target_class)
                except CnnWidgetsError:  # too many places and classes to keep
                    return None
        return None

    def _version(self, name: str, *, thorough: bool = False) -> Version:
        with self._lock:
            image, replaced = self._images[name], self._replaced.get(name, 0)
        return Version(fingerprint(self.original, thorough=thorough), (image_mark(image), replaced))

    def _renew_twin(self, network: Fingerprint) -> None:
        """Copy the network again where more has changed than what its parameters hold."""
        with self._lock:
            if self._copied is not None and self._copied.made_alike(network):
                return
            if self._copied is not None and self._copied.structure != network.structure:
                self._architecture = None  # traced anew: layers may have come and gone
            self._twin, self._copied = Twin(self.original), network

    def _opened(self, name: str, target: Target, region: Region, version: Version) -> Scene:
        image = self.images[name]
        if self._fitting is None:
            picture = load_picture(image, self.model, self.preprocess)
        else:
            picture = self._fitting.picture(image, self.model)
        try:
            if self._architecture is None:
                self._architecture = trace(self.model, fitted(self.model, picture.tensor))
            start = time.monotonic()
            functions = self._architecture.resizing_functions
            task, observation = look(
                self.model, picture.tensor, target, region, self._hints, self._task, functions=functions
            )
        except CnnWidgetsError as error:
            unreadable = isinstance(error, TargetError) or isinstance(error.__cause__, TargetError)
            the_models_own = error.__cause__ is not None and not isinstance(error, InputError | TargetError)
            if (unreadable or the_models_own) and self._refit(image, picture.tensor):
                return self._opened(name, target, region, version)
            if not the_models_own:
                raise
            raise advised(error, self.model, image, self.preprocess, picture.tensor) from error
        seconds = time.monotonic() - start
        self._task = task
        notes = [*picture.notes, *task.notes]
        if not traced_names(self._architecture).issuperset(observation.maps):
            notes.append(_OTHER_LAYERS)
        picture = replace(picture, notes=tuple(notes))
        whole = whole_photograph(image, self.transform)
        now, way = observation, self._architecture
        return Scene(name, picture, now, now, version, way, task=task, whole=whole, seconds=seconds)

    @property
    def transform(self) -> Any:
        """What the photographs are prepared with."""
        if self._fitting is not None:
            return self._fitting.preprocess
        return preprocess_for(self.model) if self.preprocess is None else transform_of(self.preprocess)

    def _refit(self, image: Any, tensor: torch.Tensor) -> bool:
        """Whether the photographs must have another size for the model, and from now on have it."""
        if self._fitting is not None:
            return False
        self._fitting = fitting(self.model, image, self.preprocess, tensor)
        if self._fitting is not None:
            self._architecture = None  # it was that of another size
        return self._fitting is not None
