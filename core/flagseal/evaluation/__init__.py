"""Definitions become flagd documents, and documents become answers. Pure."""
