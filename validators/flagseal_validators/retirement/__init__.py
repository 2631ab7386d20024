"""The end of a flag's life: when it is due, what it still does, where code asks for it, and who is asked to end it.

What is due is a value made from documents, a day and git's history (:mod:`stepping`); the words about it
(:mod:`describing`), the edit (:mod:`editing`) and the report (:mod:`debt`) are functions of that value. Only
:mod:`branches`, :mod:`references` and :mod:`ages` touch git and files, and only :mod:`bot` a git host.
"""
