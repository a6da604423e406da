"""One recorded forward pass, and what is read off it: the graph, receptive fields, layouts."""
