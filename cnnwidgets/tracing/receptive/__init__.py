"""Which part of the input each value can see, carried through every torch call."""
