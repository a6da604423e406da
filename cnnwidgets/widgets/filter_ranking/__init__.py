"""The filters of a layer by what they mean for a class."""

from .widget import FilterRanking as FilterRanking
