"""Every explainer against independent implementations."""
