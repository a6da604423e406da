"""What the explainers share."""
