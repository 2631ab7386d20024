"""Custom resource definitions, made from the schemas that files are held against (docs/adr/0080).

``python -m flagseal_operator.crds`` writes ``operator/crds/*.yaml``; ``make crds`` does, and CI fails on a difference.
"""
