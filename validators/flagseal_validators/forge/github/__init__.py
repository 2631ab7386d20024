"""GitHub, through PyGithub."""

from flagseal_validators.forge.github.access import Access, access_from, open_github
from flagseal_validators.forge.github.reading import GitHubForge

__all__ = ["Access", "GitHubForge", "access_from", "open_github"]
