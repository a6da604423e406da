"""What the widgets that show maps share: the arrays they take, where a map lies, and what its numbers are."""
