"""Look inside a convolutional network, live, in a notebook.

    import cnnwidgets as cw

    cw.explore()                          # the demo's network and photographs
    cw.explore(model, "photo.jpg")        # yours

Importing this package imports neither torch nor a widget: what is named here is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import checks, concepts, demo, exemplars, explainers, heads, incremental, kernels, learn, switches, synthesis
    from .core.capture import capture
    from .core.errors import Cancelled, CnnWidgetsError, InputError, LayerNotFound, NotSpatial, TargetError
    from .explainers.attribution import Attribution
    from .explorer.explore import explore
    from .explorer.explorer import Explorer
    from .reporting import report
    from .switches.ranking import ChannelRanking, rank_channels
    from .switches.without import without
    from .tracing.architecture import Architecture, LayerInfo, trace
    from .training.view import TrainingView
    from .versus.compare import compare
    from .versus.network_comparison import NetworkComparison
    from .widgets.architecture_graph import ArchitectureGraph
    from .widgets.class_scores import ClassScores
    from .widgets.comparison import Comparison
    from .widgets.convolution_stepper import ConvolutionStepper
    from .widgets.exercise import Exercise
    from .widgets.feature_maps import FeatureMaps
    from .widgets.filter_gallery import FilterGallery
    from .widgets.filter_panel import FilterPanel
    from .widgets.heatmap_overlay import HeatmapOverlay
    from .widgets.image_input import ImageInput
    from .widgets.kernel_grid import KernelGrid
    from .widgets.map_check import MapCheck
    from .widgets.occluder import Occluder

_HOMES = {
    "explore": "explorer",
    "Explorer": "explorer",
    "report": "reporting",
    "TrainingView": "training",
    "compare": "versus",
    "NetworkComparison": "versus",
    "trace": "tracing.architecture",
    "Architecture": "tracing.architecture",
    "LayerInfo": "tracing.architecture",
    "capture": "core.capture",
    "ChannelRanking": "switches.ranking",
    "rank_channels": "switches.ranking",
    "without": "switches.without",
    "Attribution": "explainers.attribution",
    "CnnWidgetsError": "core.errors",
    "LayerNotFound": "core.errors",
    "NotSpatial": "core.errors",
    "TargetError": "core.errors",
    "InputError": "core.errors",
    "Cancelled": "core.errors",
    "ArchitectureGraph": "widgets.architecture_graph",
    "Exercise": "widgets.exercise",
    "FeatureMaps": "widgets.feature_maps",
    "FilterGallery": "widgets.filter_gallery",
    "FilterPanel": "widgets.filter_panel",
    "HeatmapOverlay": "widgets.heatmap_overlay",
    "ImageInput": "widgets.image_input",
    "ClassScores": "widgets.class_scores",
    "Comparison": "widgets.comparison",
    "ConvolutionStepper": "widgets.convolution_stepper",
    "KernelGrid": "widgets.kernel_grid",
    "MapCheck": "widgets.map_check",
    "Occluder": "widgets.occluder",
}
_ROOMS = (
    "checks",
    "concepts",
    "demo",
    "exemplars",
    "explainers",
    "heads",
    "incremental",
    "kernels",
    "learn",
    "switches",
    "synthesis",
)

__all__ = [
    "Architecture",
    "ArchitectureGraph",
    "Attribution",
    "Cancelled",
    "ChannelRanking",
    "ClassScores",
    "CnnWidgetsError",
    "Comparison",
    "ConvolutionStepper",
    "Exercise",
    "Explorer",
    "FeatureMaps",
    "FilterGallery",
    "FilterPanel",
    "HeatmapOverlay",
    "ImageInput",
    "InputError",
    "KernelGrid",
    "LayerInfo",
    "LayerNotFound",
    "MapCheck",
    "NetworkComparison",
    "NotSpatial",
    "Occluder",
    "TargetError",
    "TrainingView",
    "__version__",
    "capture",
    "checks",
    "compare",
    "concepts",
    "demo",
    "exemplars",
    "explainers",
    "explore",
    "heads",
    "incremental",
    "kernels",
    "learn",
    "rank_channels",
    "report",
    "switches",
    "synthesis",
    "trace",
    "without",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _HOMES:
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
