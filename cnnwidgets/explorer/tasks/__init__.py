"""What networks do, each read as a table of scores."""

from .finding import OutputHints
from .looking import look
from .numbers import function_sentence
from .task import Mark, Region, Task

__all__ = ["Mark", "OutputHints", "Region", "Task", "function_sentence", "look"]
