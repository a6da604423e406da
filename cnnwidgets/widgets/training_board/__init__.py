"""A training, live: curves, maps and kernels that change, and a slider back through what they were."""

from .widget import TrainingBoard as TrainingBoard
