"""How an image is held, changed before the network sees it, and improved: one recipe a file."""
