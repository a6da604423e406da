"""What the edits of one value are made of."""
