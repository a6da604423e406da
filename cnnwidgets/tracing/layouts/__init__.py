"""Which tensors are maps, and in which order they hold their channels, rows and columns."""
