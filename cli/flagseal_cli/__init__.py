"""The `flagseal` command: wires the rooms together, decides nothing."""
