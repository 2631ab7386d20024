"""flagd's sync protocol: whole flag documents, for programs that evaluate by themselves (compat.md, flagd sync).

::

    selector   which namespace, or all
    documents  what is given out of one snapshot; made when first asked for
    messages   flagd.sync.v1 on the wire
    service    the three calls, and the streams
    server     listening
"""
