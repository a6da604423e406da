"""What stands over two networks side by side: their classes beside each other, and where they part."""

from .widget import PredictionBoard as PredictionBoard
