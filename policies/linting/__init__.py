"""Lint for people: what is wrong with the policies of an organization, why it matters, and what mends it.

The judging itself is pure and stands in `policies.engine.lint`. Nothing here blocks anything.
"""

from policies.linting.acceptance import accept, withdraw
from policies.linting.drafts import (
    check_policy_draft,
    check_rule_draft,
    check_rule_text,
    findings_of_application,
)
from policies.linting.finding import Finding, Fix
from policies.linting.keys import subject_of
from policies.linting.reading import Report, findings, findings_of_policies, hint_of, report
from policies.linting.remedies import Outcome, Plan, fix, plan

__all__ = [
    "Finding",
    "Fix",
    "Outcome",
    "Plan",
    "Report",
    "accept",
    "check_policy_draft",
    "check_rule_draft",
    "check_rule_text",
    "findings",
    "findings_of_application",
    "findings_of_policies",
    "fix",
    "hint_of",
    "plan",
    "report",
    "subject_of",
    "withdraw",
]
