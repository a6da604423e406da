"""How each operation of torch is followed, window by window."""
