"""Publish, store, fetch and verify snapshots (distribution.md).

::

    store      where files lie: create or fail, replace what has not changed
    source     the same files seen by a client, on a disk or over HTTP
    keys       offline and online keys
    ceremony   what offline keys decide: root, targets, trust.json
    chain      a published state, verified with ``tuf.api.metadata`` by a clock of our own
    content    what TUF cannot know: that the content was approved
    publish    builds into signed snapshots
    client     signed snapshots into answers
    report     the whole chain, told to a person

Nothing heavy is imported here: each module brings what it needs.
"""
