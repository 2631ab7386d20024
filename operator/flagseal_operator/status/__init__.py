"""What the operator says about each resource: computed as a whole from values, written only where it differs."""
