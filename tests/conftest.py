"""How hypothesis looks for counterexamples, for every test of the house."""

import os

from hypothesis import settings

# `make test` must end in minutes; a developer who wants a long look sets HYPOTHESIS_PROFILE=dev.
settings.register_profile("ci", max_examples=60, deadline=None, print_blob=True)
settings.register_profile("dev", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
