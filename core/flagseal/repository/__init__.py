"""A flag repository at a revision: the only part that reads git."""
