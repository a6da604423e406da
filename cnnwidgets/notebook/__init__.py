"""What a notebook knows: which cell runs, and what its variables lead to."""
