"""Bars of the classes a model thinks of first."""

from .widget import ClassScores

__all__ = ["ClassScores"]
