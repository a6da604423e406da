"""Look inside a convolutional network, live, in a notebook.

    import cnnwidgets as cw

    cw.explore()                          # the demo's network and photographs
    cw.explore(model, "photo.jpg")        # yours

Importing this package imports neither torch nor a widget: what is named here is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from . import checks as checks
    from . import concepts as concepts
    from . import demo as demo
    from . import exemplars as exemplars
    from . import explainers as explainers
    from . import heads as heads
    from . import incremental as incremental
    from . import kernels as kernels
    from . import learn as learn
    from . import switches as switches
    from . import synthesis as synthesis
    from .core.capture import capture as capture
    from .core.errors import Cancelled as Cancelled
    from .core.errors import CnnWidgetsError as CnnWidgetsError
    from .core.errors import InputError as InputError
    from .core.errors import LayerNotFound as LayerNotFound
    from .core.errors import NotSpatial as NotSpatial
    from .core.errors import TargetError as TargetError
    from .explainers.attribution import Attribution as Attribution
    from .explorer.explore import explore as explore
    from .explorer.explorer import Explorer as Explorer
    from .reporting import report as report
    from .switches.ranking import ChannelRanking as ChannelRanking
    from .switches.ranking import rank_channels as rank_channels
    from .switches.without import without as without
    from .tracing.architecture import Architecture as Architecture
    from .tracing.architecture import LayerInfo as LayerInfo
    from .tracing.architecture import trace as trace
    from .training.view import TrainingView as TrainingView
    from .versus.compare import compare as compare
    from .versus.network_comparison import NetworkComparison as NetworkComparison
    from .widgets.architecture_graph import ArchitectureGraph as ArchitectureGraph
    from .widgets.class_scores import ClassScores as ClassScores
    from .widgets.comparison import Comparison as Comparison
    from .widgets.convolution_stepper import ConvolutionStepper as ConvolutionStepper
    from .widgets.exercise import Exercise as Exercise
    from .widgets.feature_maps import FeatureMaps as FeatureMaps
    from .widgets.filter_gallery import FilterGallery as FilterGallery
    from .widgets.filter_panel import FilterPanel as FilterPanel
    from .widgets.heatmap_overlay import HeatmapOverlay as HeatmapOverlay
    from .widgets.image_input import ImageInput as ImageInput
    from .widgets.kernel_grid import KernelGrid as KernelGrid
    from .widgets.map_check import MapCheck as MapCheck
    from .widgets.occluder import Occluder as Occluder

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
_NAMES = ["__version__", *_HOMES, *_ROOMS]

if not TYPE_CHECKING:  # a list that is computed would hide all names from type checkers
    __all__ = _NAMES


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _HOMES:
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(_NAMES)
