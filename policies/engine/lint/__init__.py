"""What is wrong with a set of policies and applications before anything runs into it. Pure, like the engine.

`lint` judges a whole set, `check_rule` one rule while it is written. A finding of shadowing or covering is proven;
that none is found proves nothing (docs/decisions/0016).
"""

from policies.engine.lint.findings import CODES, Code, Found, Severity
from policies.engine.lint.policy_set import PolicySet, Target, Usage, target_of
from policies.engine.lint.rule_checks import check_rule
from policies.engine.lint.run import about_policies, lint, worst_first

__all__ = [
    "CODES",
    "Code",
    "Found",
    "PolicySet",
    "Severity",
    "Target",
    "Usage",
    "about_policies",
    "check_rule",
    "lint",
    "target_of",
    "worst_first",
]
