"""Rules made of the facts of one file: the strongest one that outlives updates, and the exact one. Pure."""

from __future__ import annotations

from policies.catalogue import RuleDraft
from policies.engine.facts import FileFacts
from policies.engine.rules import FileRule as RuleValue
from policies.engine.rules import RuleError, check_rule


def exact_rule(facts: FileFacts) -> RuleDraft | None:
    """The hash, if it is known: this very file and nothing else."""
    return RuleDraft(hash=facts.sha256) if facts.sha256 else None


def lasting_rule(facts: FileFacts) -> RuleDraft | None:
    """Signer and path; of an unsigned file the path with the program that wrote it, else with the one that started it.

    None when nothing but a bare path or a hash is known: neither is strong and lasting.
    """
    path = facts.path
    signer = facts.certificates[0] if facts.certificates else ""
    if signer and path:
        return _sound(RuleDraft(certificate=signer, path=path), facts.os)
    if path and facts.created_by:
        return _sound(RuleDraft(path=path, created_by=facts.created_by), facts.os)
    if path and facts.process:
        return _sound(RuleDraft(path=path, process=facts.process), facts.os)
    return None


def _sound(rule: RuleDraft, os: str) -> RuleDraft | None:
    """The rule, if it may be saved: a path with a wildcard character in it would match more than it says."""
    if any(mark in text for text in (rule.path, rule.process, rule.created_by) for mark in "*?%"):
        return None
    try:
        check_rule(RuleValue("new", rule.hash, rule.path, rule.process, rule.created_by, rule.certificate), os)
    except RuleError:
        return None
    return rule
