"""Where an image comes from, and what is done to it before the network sees it."""

from .widget import ImageInput as ImageInput
