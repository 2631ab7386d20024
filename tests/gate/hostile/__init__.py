"""Repositories that somebody made to harm whoever looks at them."""
