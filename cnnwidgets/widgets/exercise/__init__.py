"""A question with answers to choose from."""

from .widget import Exercise as Exercise
