"""The gate: rules over a flag repository."""
