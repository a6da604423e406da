"""What a model returned: which tensor holds the scores, what its numbers are, and which of them is explained."""
