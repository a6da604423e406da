"""A training watched from the inside: binds the network that learns to a board of curves, maps and kernels."""

from .view import TrainingView as TrainingView
