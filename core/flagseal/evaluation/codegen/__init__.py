"""From flagd's targeting to a Python function (:func:`~flagseal.evaluation.codegen.program.compiled`)."""
