"""Pages that live without a kernel: what widgets showed at each choice, and the widgets' own code, in one file."""
