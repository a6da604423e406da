"""Bars of the classes a model thinks of first."""

from .widget import ClassScores as ClassScores
