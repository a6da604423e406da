"""Where the graph's nodes and lines lie."""
