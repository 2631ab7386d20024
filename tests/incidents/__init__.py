"""What is told of overrides and freezes afterwards, and where."""
