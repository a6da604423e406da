"""What the graph shows of a network: its units, folded into nodes and groups."""
