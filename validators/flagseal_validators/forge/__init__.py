"""What a git host knows of a merged pull request: facts, the interface they come through, and GitHub behind it."""
