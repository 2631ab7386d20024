"""Statements, the signatures around them, and what these prove.

Verifying reads no file and starts no program; only :mod:`flagseal.approval.signing` does, for a reviewer who signs.
"""
