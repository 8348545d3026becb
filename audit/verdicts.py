"""The sentence on top of an event: what happened and why, as one would say it aloud."""

from __future__ import annotations

from dataclasses import dataclass

from audit.event_rows import EventRow
from audit.history import History
from audit.words import Outcome
from portal.common import clock

_TONES = {
    Outcome.GAP: ("none", "info-circle"),
    Outcome.PERMITTED: ("permit", "circle-check"),
    Outcome.RINGFENCED: ("fence", "grid-4x4"),
    Outcome.WOULD_RINGFENCE: ("fence", "grid-4x4"),
    Outcome.DENIED: ("deny", "circle-x"),
    Outcome.WOULD_DENY: ("would", "circle-x"),
}
_MODES = {"learning": "Learning mode", "installation": "Installation mode", "monitor_only": "Monitor only"}
_REASONS = {
    "default_deny": "no policy permits it",
    "no_policy": "no policy applies to this computer",
    "unreadable_rule": "a rule of the bundle could not be read",
    "unreadable_policy": "a policy of the bundle could not be read",
    "wrong_os": "the bundle is for another operating system",
    "bad_time": "the computer's clock could not be believed",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`text` is the sentence, `small` the circumstances beneath it. Both may hold text of an endpoint."""

    tone: str
    icon: str
    text: str
    small: str = ""


def verdict(row: EventRow, history: History | None = None) -> Verdict:
    """The verdict on one event; with its file's history, what is known of the file."""
    tone, icon = _TONES[row.outcome]
    return Verdict(tone, icon, _sentence(row), _circumstances(row, history) if history else "")


def _sentence(row: EventRow) -> str:
    policy = row.policy_name or "a policy that is gone"
    if row.is_gap:
        permits, denies = row.dropped
        return f"The agent dropped {permits:,} permitted and {denies:,} denied events: its spool was full."
    if row.outcome == Outcome.DENIED:
        return f"Denied because {_REASONS[row.reason_code]}." if _by_default(row) else f"Denied by {policy}."
    if row.outcome == Outcome.WOULD_DENY:
        reason = _REASONS[row.reason_code] if _by_default(row) else f"{policy} denies it"
        mode = _MODES.get(row.mode.word, "The policy's status")
        return f"Would be denied because {reason}. {mode} let it run."
    if row.outcome == Outcome.PERMITTED:
        return f"Permitted by {policy}." if row.policy else "Permitted."
    inside = "inside its ringfence" if row.outcome == Outcome.RINGFENCED else "its ringfence only watched"
    return f"Permitted by {policy}, {inside}."


def _by_default(row: EventRow) -> bool:
    return row.reason_code in _REASONS


def _circumstances(row: EventRow, history: History) -> str:
    if row.is_gap:
        return ""
    parts = [f"Signed by {row.signer}" if row.certificate else "Unsigned"]
    if history.first_at is not None:
        parts.append(_first_seen(history))
        parts.append(_spread(history))
    text = ", ".join(parts) + "."
    if row.is_learned:
        text += " It was learned."
    if history.hash_changes:
        text += f" {history.sentence}"
    return text


def _first_seen(history: History) -> str:
    days = (clock.now() - history.first_at).days if history.first_at else 0
    return "first seen today" if days == 0 else "first seen yesterday" if days == 1 else f"first seen {days} days ago"


def _spread(history: History) -> str:
    computers = "on 1 computer" if history.computers == 1 else f"on {history.computers:,} computers"
    return computers if history.organizations < 2 else f"{computers} of {history.organizations} organizations"
