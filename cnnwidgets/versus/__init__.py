"""Two networks, or two checkpoints of one, side by side."""

from .compare import compare as compare
from .network_comparison import NetworkComparison as NetworkComparison
