"""A manifest costs what changed, and is the same as one from scratch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flagseal.history import Manifest
from flagseal.model.canonical import digest_of

SUBJECTS = st.sampled_from([f"{kind}/{name}" for kind in ("FlagDefinition/a", "FlagDefinition/a-b") for name in "xyz"])
DIGESTS = st.sampled_from([f"sha256:{digit * 64}" for digit in "0123"])
ENTRIES = st.dictionaries(SUBJECTS, DIGESTS)


@given(first=ENTRIES, changes=st.lists(ENTRIES, max_size=4))
def test_a_manifest_that_follows_others_has_the_digest_of_one_from_scratch(
    first: dict[str, str], changes: list[dict[str, str]]
) -> None:
    """And that is the digest of the canonical JSON of the sorted pairs; those before keep theirs."""
    made = [Manifest(first)]
    assert made[0].digest == digest_of([list(pair) for pair in sorted(first.items())])
    for change in changes:
        made.append(made[-1].changed(change))
        assert made[-1].digest == digest_of([list(pair) for pair in sorted(made[-1].entries.items())])
    assert [Manifest(it.entries).digest for it in made] == [it.digest for it in made]
