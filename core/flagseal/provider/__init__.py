"""The OpenFeature provider: flags in the application's own process, verified, and kept up to date behind its back.

::

    provider     what the OpenFeature SDK talks to
    keeper       threads that fetch, verify, listen and watch the clock
    view         what is served at one instant, and what differs between two
    condition    how well it is known, and which events tell of a change in that
    resolution   answers in the SDK's words, typed
    context      the SDK's evaluation context as the evaluator takes it
    caching      where each process keeps what it verified

Importing this brings the SDK and nothing heavy: verifying is loaded when a provider is initialised.
"""

from __future__ import annotations

from flagseal.provider.provider import FlagsealProvider

__all__ = ["FlagsealProvider"]
