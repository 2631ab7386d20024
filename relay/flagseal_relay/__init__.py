"""The relay: verified snapshots in, answers to applications out."""
