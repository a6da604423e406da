"""Images in, and how networks want them."""
