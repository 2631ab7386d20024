"""Admission: what the API server asks before it stores a resource of ours.

::

    POST /mutate ────► witness()  signs who asked for an EmergencyOverride or a FlagFreeze; refuses what could not hold
    POST /validate ──► advise()   a courtesy: says early what reconciliation would say anyway, and decides nothing

Both are pure: a review, what is known, a clock and chance come in, an answer goes out. Everything is verified again
where it is reconciled, and by every client.
"""
