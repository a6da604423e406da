"""A model left as it was, told apart from what it becomes, and copied."""
