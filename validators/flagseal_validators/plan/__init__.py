"""The plan: what a change does, who must approve it, and when it may take effect (formats.md, The plan).

:func:`~flagseal_validators.plan.making.plan` is pure: facts and policies in, a :class:`Plan` out. How a plan looks is
another matter: :mod:`~flagseal_validators.plan.text`, :mod:`~flagseal_validators.plan.markdown` and
:mod:`~flagseal_validators.plan.record`.
"""

from flagseal_validators.plan.making import Recording, plan
from flagseal_validators.plan.markdown import as_markdown
from flagseal_validators.plan.record import as_record
from flagseal_validators.plan.text import as_text
from flagseal_validators.plan.values import Plan

__all__ = ["Plan", "Recording", "as_markdown", "as_record", "as_text", "plan"]
