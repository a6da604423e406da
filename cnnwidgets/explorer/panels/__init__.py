"""The panels of an Explorer that compute on their own."""
