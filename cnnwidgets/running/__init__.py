"""Running a model, whatever it takes: its inputs, its types, batches of one, forwards with gradients of their own."""
