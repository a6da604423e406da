"""An occlusion map: order of places, sweep, estimates in between, and the result."""
