"""GitHub, through PyGithub."""

from flagseal_validators.forge.github.access import Access, access_from, open_github
from flagseal_validators.forge.github.opened import GitHubOpened, origin_of, wake
from flagseal_validators.forge.github.protecting import GitHubSettings
from flagseal_validators.forge.github.reading import GitHubForge
from flagseal_validators.forge.github.writing import GitHubDesk

__all__ = [
    "Access",
    "GitHubDesk",
    "GitHubForge",
    "GitHubOpened",
    "GitHubSettings",
    "access_from",
    "open_github",
    "origin_of",
    "wake",
]
