"""What to do when a network does not take the image as it is."""
