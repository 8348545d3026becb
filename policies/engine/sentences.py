"""The words of a decision: sentences a technician can read aloud. No verdict is made here."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from policies.engine.decision import ConditionCheck, ReasonCode, SkipReason
from policies.engine.model import Policy
from policies.engine.modes import Verdict
from policies.engine.patterns import ABSENT
from policies.engine.rule_index import Hit

_SHOWN_CHARACTERS = 200
_SHOWN_HASH = 12

_MODES = {
    "monitor_only": "this computer only monitors",
    "learning": "this computer is learning",
    "installation": "this computer is in installation mode",
}
_MATCHED = {
    "hash": "the hash",
    "path": "the path",
    "process": "the process",
    "created_by": "the program that created it",
    "certificate": "the certificate",
}
_SKIPPED = {
    SkipReason.DISABLED: "is disabled",
    SkipReason.OTHER_USER: "is not for this user",
    SkipReason.OUTSIDE_SCHEDULE: "is outside its schedule",
    SkipReason.UNREADABLE_SCHEDULE: "has a schedule that cannot be read",
    SkipReason.UNREADABLE_RULE: "has a rule that cannot be read",
}


def visible(text: str) -> str:
    """Text from a computer, safe to show: what does not print is written as an escape, the middle of long text cut."""
    shown = "".join(char if char.isprintable() else _escaped(char) for char in text[: 2 * _SHOWN_CHARACTERS])
    if len(text) <= 2 * _SHOWN_CHARACTERS and len(shown) <= _SHOWN_CHARACTERS:
        return shown
    half = _SHOWN_CHARACTERS // 2
    end = "".join(char if char.isprintable() else _escaped(char) for char in text[-half:])
    return f"{shown[:half]}…{end[-half:]}"


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def ruling(policy: Policy | None, verdict: Verdict, mode: str) -> str:
    """The first half of the sentence, without its end: what happened, by which policy, and why it is not enforced."""
    by = f" by {visible(policy.name)}" if policy else ""
    if verdict.effect == "denied":
        return f"Denied{by}"
    if verdict.effect == "ringfenced":
        logged = f", violations only logged because {_not_enforced(policy, mode)}" if verdict.simulated else ""
        return f"Permitted with ringfence{by}{logged}"
    if verdict.simulated:
        return f"Would be denied{by}, permitted because {_not_enforced(policy, mode)}"
    return f"Permitted{by}"


def _not_enforced(policy: Policy | None, mode: str) -> str:
    if policy is not None and not policy.is_default and policy.status == "monitor_only":
        return "the policy only monitors"
    return _MODES.get(mode, "this computer does not enforce")


def reason(code: ReasonCode, policy: Policy | None, hit: Hit | None) -> str:
    """The second half of the sentence, with its full stop."""
    if code is ReasonCode.DEFAULT_DENY:
        return "no policy matched."
    if code is ReasonCode.NO_POLICY:
        return "no policy matched, and this computer has no Default Deny."
    if code is ReasonCode.UNREADABLE_RULE and hit:
        return f"{rule_name(hit)} cannot be read, so it cannot be told whether the policy matches."
    if code is ReasonCode.UNREADABLE_POLICY:
        return "its schedule cannot be read, so it cannot be told whether the policy is in force."
    if code is ReasonCode.WRONG_OS:
        return "these facts are of another operating system than the policies."
    if code is ReasonCode.BAD_TIME:
        return "the time of this event is outside what can be judged."
    return f"{rule_name(hit)} matched." if hit else "it matched."


def rule_name(hit: Hit) -> str:
    return f"rule {hit.number} of {visible(hit.application.name)}"


def matched_conditions(checks: Iterable[ConditionCheck]) -> str:
    """`the path and the certificate`, of those that matched."""
    return joined([_MATCHED[check.field] for check in checks if check.matched])


def joined(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def near_miss(hit: Hit, checks: Sequence[ConditionCheck]) -> str:
    """`rule 3 of Acme Tools matched the path but the process was …, not …`, naming the first condition that failed."""
    failed = next(check for check in checks if not check.matched)
    return f"{rule_name(hit)} matched {matched_conditions(checks)} but {_failure(failed)}"


def _failure(check: ConditionCheck) -> str:
    if check.field == "hash":
        seen, wanted = check.value[:_SHOWN_HASH], check.pattern[:_SHOWN_HASH]
        return f"the hash was {seen}…, not {wanted}…" if seen else "the hash is unknown"
    seen, wanted = visible(check.value), visible(check.pattern)
    tail = "and the rule wants none" if check.pattern == ABSENT else f"not {wanted}"
    if check.field == "process":
        return f"the process was {seen}, {tail}" if seen else "the process is unknown"
    if check.field == "created_by":
        return f"it was created by {seen}, {tail}" if seen else "it is not known what created it"
    if check.field == "certificate":
        return f"it was signed by {seen}, {tail}" if seen else "it is not signed"
    return f"the path was {seen}, {tail}"


def skipped(policy: Policy, why: SkipReason) -> str:
    """`grp-x is disabled`: why a policy whose application matched did not decide."""
    name = visible(policy.name)
    if why is SkipReason.NOT_STARTED:
        return f"{name} does not start before {_instant(policy.starts_at)}"
    if why is SkipReason.EXPIRED and policy.armed:
        return f"{name} was armed until {_instant(policy.expires_at)} and is off again"
    if why is SkipReason.EXPIRED:
        return f"{name} expired at {_instant(policy.expires_at)}"
    return f"{name} {_SKIPPED[why]}"


def _instant(at_ms: int | None) -> str:
    try:
        return f"{datetime.fromtimestamp((at_ms or 0) / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return "a time that cannot be shown"
