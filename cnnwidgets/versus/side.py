"""One of two networks: what it says of the photograph, and the widgets that show it."""

from __future__ import annotations

from dataclasses import replace

from cnnwidgets.core.errors import InputError, as_sentence
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.sentences import map_title, target_text
from cnnwidgets.explorer.ties import close_widget
from cnnwidgets.explorer.view import cautions_of, feature_maps_of, notes_of
from cnnwidgets.explorer.work.layers import explained_layers, first_layer, layers_with_maps
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.session import Session
from cnnwidgets.widgets.architecture_graph import ArchitectureGraph
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay


class NetworkSide:
    """A network under its ``name``, with ``graph``, ``overlay`` and ``feature_maps``.

    Raises:
        InputError: it does not classify.
    """

    def __init__(self, session: Session, name: str) -> None:
        self.session, self.name = session, name
        self.scene = self._classified(session.open(next(iter(session.images))))
        self.graph = ArchitectureGraph(self.scene.architecture, network=name)
        self.overlay = HeatmapOverlay(stretch=True, network=name)
        self.feature_maps = FeatureMaps(network=name)

    def close(self) -> None:
        """Close the widgets, and let go of the network."""
        for widget in (self.graph, self.overlay, self.feature_maps):
            close_widget(widget)
        del self.session, self.scene

    def current(self, picture: str) -> Scene:
        """The photograph ``picture`` as the network is now."""
        scene = self.scene
        if scene.name == picture and not self.session.is_stale(scene):
            return scene
        return self._classified(self.session.open(picture))

    def layers(self, scene: Scene) -> list[str]:
        """The layers to choose a partner from: those with a map of the score, else all that have maps."""
        return explained_layers(scene, self.graph.named) or layers_with_maps(scene)

    def first_layer(self, scene: Scene) -> str:
        """The layer to begin with; empty where none has maps."""
        return first_layer(scene, self.layers(scene))

    def show_scene(self, scene: Scene) -> None:
        """Another photograph, or the network as it is now."""
        self.scene = scene
        for widget in (self.graph, self.overlay, self.feature_maps):
            widget.photograph = scene.photograph
        self.graph.show(scene.architecture)
        self.overlay.set_picture(scene.picture.pixels)
        if scene.whole is not None:
            self.overlay.show_whole(scene.whole.pixels, scene.whole.frame)
        self.feature_maps.set_picture(scene.picture.pixels)

    def show_layer(self, scene: Scene, layer: str) -> None:
        """The feature maps of ``layer``, which is marked in the graph."""
        if not layer:
            self.feature_maps.clear("This network has no layer whose output is a stack of maps.")
            return
        self.graph.selected = layer
        info = scene.architecture.find(layer)
        self.feature_maps.show(
            scene.maps[layer][0], f"{layer} · {self.name}", **feature_maps_of(scene, info, scene.target_class or 0)
        )

    def show_map(self, scene: Scene, result: Attribution | str, note: str) -> None:
        """The map of the score, or a sentence on why there is none; ``note`` is said beside it."""
        if isinstance(result, str):
            self.overlay.clear(as_sentence(result))
            return
        caption = f"{self.name}: {map_title(result.method, result.layer, target_text(result.target, scene.label))}"
        notes = [*notes_of(scene, result), *cautions_of(scene, result), *([note] if note else [])]
        self.overlay.show_attribution(replace(result, notes=()), caption=caption, notes=notes)

    def _classified(self, scene: Scene) -> Scene:
        if scene.task.picking != "none":
            raise InputError(
                f"{self.name} scores places or boxes of the picture; only networks with one score a class compare. "
                "Look at it by itself with explore(model, image)."
            )
        return scene

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


Sides = tuple[NetworkSide, NetworkSide]
"""The first network and the second."""
