"""What networks do, each read as a table of scores."""

from .looking import OutputHints, look
from .numbers import function_sentence
from .regions import checked_region
from .task import Mark, Region, Task

__all__ = ["Mark", "OutputHints", "Region", "Task", "checked_region", "function_sentence", "look"]
