"""Signed snapshots: publish, store, fetch, verify (TUF)."""
