"""Statements of approval and the evidence for them."""
