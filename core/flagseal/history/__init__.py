"""The accepted head, what may follow it, what is in effect, and what that builds. Pure."""
