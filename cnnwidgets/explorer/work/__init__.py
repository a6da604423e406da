"""What an Explorer works on, and the thread that does it."""
