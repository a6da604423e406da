"""The filters of a layer, each by the pictures that excite it."""

from .widget import FilterGallery as FilterGallery
