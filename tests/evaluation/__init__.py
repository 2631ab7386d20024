"""The room of evaluation: from definitions to answers."""
