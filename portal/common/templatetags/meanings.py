"""Words, icons and colours of the chips: one table a kind. A meaning is shown as icon + word + colour, never by
colour alone. To add one, add a line here and (for a new colour) one `.is-*` line in portcullis.css."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    tone: str  # the css class `is-<tone>`
    icon: str
    word: str


PERMIT = Meaning("permit", "check", "Permit")
RINGFENCED = Meaning("fence", "grid-4x4", "Ringfenced")
DENY = Meaning("deny", "x", "Deny")
ASK = Meaning("ask", "hand-stop", "Deny, may ask")
WOULD = Meaning("would", "x", "Would deny")

DECISIONS: dict[str, Meaning] = {
    "permit": PERMIT,
    "permitted": Meaning("permit", "check", "Permitted"),
    "permit_ringfenced": RINGFENCED,
    "ringfenced": RINGFENCED,
    "deny": DENY,
    "denied": Meaning("deny", "x", "Denied"),
    "ask": ASK,
    "would": WOULD,
    "pending": Meaning("ask", "clock", "Pending"),
    "approved": Meaning("permit", "check", "Approved"),
    "expired": Meaning("none", "calendar-off", "Expired"),
    "withdrawn": Meaning("none", "arrow-back-up", "Withdrawn"),
    "escalated": Meaning("ask", "trending-up", "Escalated"),
    "gap": Meaning("none", "info-circle", "Gap"),
    "none": Meaning("none", "info-circle", "–"),
}

DELIVERIES: dict[str, Meaning] = {
    "live": Meaning("live", "circle-check", "Live"),
    "applied": Meaning("live", "circle-check", "Live"),
    "succeeded": Meaning("live", "circle-check", "Live everywhere"),
    "sent": Meaning("sent", "send", "Sent"),
    "offered": Meaning("sent", "send", "Sent"),
    "built": Meaning("sent", "package", "Built"),
    "pending": Meaning("sent", "loader-2", "Building"),
    "building": Meaning("sent", "loader-2", "Building"),
    "rolling": Meaning("behind", "rocket", "Rolling out"),
    "behind": Meaning("behind", "clock-pause", "Behind"),
    "refused": Meaning("refused", "ban", "Refused"),
    "failed": Meaning("refused", "ban", "Failed"),
    "partly_failed": Meaning("refused", "alert-triangle", "Partly failed"),
    "unreachable": Meaning("silent", "plug-connected-x", "Unreachable"),
    "silent": Meaning("silent", "plug-connected-x", "Unreachable"),
    "superseded": Meaning("none", "replace", "Superseded"),
    "cancelled": Meaning("none", "player-stop", "Cancelled"),
    "held": Meaning("behind", "player-pause", "Held"),
    "drift": Meaning("drift", "arrows-diff", "Drift"),
    "draft": Meaning("draft", "point-filled", "draft"),
    "disabled": Meaning("none", "circle-dashed", "disabled"),
    "expired": Meaning("none", "calendar-off", "expired"),
    "none": Meaning("none", "circle-dashed", "no bundle yet"),
}

MODES: dict[str, Meaning] = {
    "secured": Meaning("plain", "shield-check", "Secured"),
    "learning": Meaning("ask", "school", "Learning"),
    "installation": Meaning("ask", "package", "Installation"),
    "monitor_only": Meaning("ask", "eye", "Monitor only"),
}

SCOPES: dict[str, Meaning] = {
    "global": Meaning("plain", "world", "Global"),
    "organization": Meaning("plain", "building", "Organization"),
    "group": Meaning("plain", "stack-2", "Group"),
    "computer": Meaning("plain", "device-desktop", "Computer"),
}

ORIGINS: dict[str, str] = {
    "builtin": "Built-in",
    "baseline": "Baseline",
    "custom": "Own",
    "own": "Own",
    "parent": "From above",
    "learned": "Learned",
    "approval": "From approval",
}

SYSTEMS: dict[str, tuple[str, str]] = {
    "windows": ("brand-windows", "Windows"),
    "macos": ("brand-apple", "macOS"),
    "linux": ("brand-debian", "Linux"),
}

LEVERS: dict[str, tuple[str, str]] = {
    "off": ("", "off"),
    "log": ("log", "monitored"),
    "enforce": ("on", "enforced"),
}
"""How a ringfence lever is drawn: (css class, spoken word)."""
