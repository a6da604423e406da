"""The grid of a layer's feature maps."""

from .widget import FeatureMaps as FeatureMaps
