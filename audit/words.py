"""The words of the Unified Audit and the small numbers its rows carry for them. Numbers are stored: never reuse one."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from agents.protocol.messages import EventDecision


class Outcome(IntEnum):
    """What came of it. From DENIED on: any deny."""

    GAP = 0
    PERMITTED = 1
    RINGFENCED = 2
    WOULD_RINGFENCE = 3
    DENIED = 10
    WOULD_DENY = 11

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def effect(self) -> str:
        """The effect of the decision, as the engine says it."""
        return _EFFECTS[self]

    @property
    def is_simulated(self) -> bool:
        return self in (Outcome.WOULD_RINGFENCE, Outcome.WOULD_DENY)

    @property
    def is_deny(self) -> bool:
        return self >= Outcome.DENIED


_LABELS = {
    Outcome.GAP: "Gap",
    Outcome.PERMITTED: "Permit",
    Outcome.RINGFENCED: "Ringfenced",
    Outcome.WOULD_RINGFENCE: "Would ringfence",
    Outcome.DENIED: "Deny",
    Outcome.WOULD_DENY: "Would deny",
}
_EFFECTS = {
    Outcome.GAP: "",
    Outcome.PERMITTED: "permitted",
    Outcome.RINGFENCED: "ringfenced",
    Outcome.WOULD_RINGFENCE: "ringfenced",
    Outcome.DENIED: "denied",
    Outcome.WOULD_DENY: "permitted",
}


def outcome_of(decision: EventDecision) -> Outcome:
    """The outcome of a decision as an agent reports it."""
    if decision.effect == "denied":
        return Outcome.DENIED
    if decision.effect == "ringfenced":
        return Outcome.WOULD_RINGFENCE if decision.simulated else Outcome.RINGFENCED
    return Outcome.WOULD_DENY if decision.simulated or decision.action == "deny" else Outcome.PERMITTED


class Action(IntEnum):
    """What a policy says."""

    PERMIT = 1
    PERMIT_RINGFENCED = 2
    DENY = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class ActionType(IntEnum):
    """What somebody tried to do. A word this portal does not know is OTHER."""

    GAP = 0
    EXECUTE = 1
    INSTALL = 2
    SCRIPT = 3
    NETWORK = 4
    READ = 5
    WRITE = 6
    REGISTRY = 7
    LIBRARY = 8
    ELEVATE = 9
    DELETE = 10
    MOVE = 11
    KILL = 12  # a program that ran already was ended by a deny
    OTHER = 99

    @property
    def word(self) -> str:
        return self.name.lower()


class EventMode(IntEnum):
    """The mode the computer was in."""

    SECURED = 1
    LEARNING = 2
    INSTALLATION = 3
    MONITOR_ONLY = 4

    @property
    def word(self) -> str:
        return self.name.lower()


class Flag(IntFlag):
    """What else is worth knowing about an event."""

    LEARNED = 1
    HIDDEN_CHARACTERS = 2  # some text holds control, bidirectional or unencodable characters
    WRONG_CLOCK = 4  # the computer's time lay out of the believable range and was clamped


ACTION_TYPES = {kind.word: kind for kind in ActionType}
OUTCOMES = {outcome.word: outcome for outcome in Outcome}
MODES = {mode.word: mode for mode in EventMode}
