"""The rule book of the worker: what to answer and what to record for one set of facts, in the mode of this
moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agents.endpoint.bundles import Loaded
from agents.endpoint.clock import TrustedClock
from agents.endpoint.kernel import fanotify
from agents.endpoint.modes import ModeKeeper
from agents.endpoint.spool import DENY, PERMIT, Recorded
from agents.protocol.messages import Event, EventDecision, Mode
from policies.engine.decision import Decision, ReasonCode
from policies.engine.facts import FileFacts

_MAX_RULINGS = 16_384
_ODD_FACTS = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict for the kernel and the decision for the record."""

    verdict: int
    decision: EventDecision
    is_silent: bool = False


NO_BUNDLE = Ruling(
    fanotify.ALLOW,
    EventDecision(action="deny", effect="permitted", simulated=True, reason_code="no_bundle"),
)
UNREADABLE = Ruling(fanotify.DENY, EventDecision(action="deny", effect="denied", reason_code="unreadable_bundle"))
ERROR = Ruling(fanotify.DENY, EventDecision(action="deny", effect="denied", reason_code="evaluation_error"))


class RuleBook:
    """Decides with the bundle in force. `loaded` is replaced as a whole; `is_broken`: bundles exist, none is
    readable.

    Before the first bundle nothing is enforced: that is said in the status and in every event.
    """

    def __init__(self, clock: TrustedClock, modes: ModeKeeper) -> None:
        self._clock = clock
        self._modes = modes
        self._loaded: Loaded | None = None
        self._rulings: dict[int, tuple[Decision, Ruling]] = {}
        self.is_broken = False
        self.mode: Mode = "secured"
        self.refresh_mode()

    @property
    def loaded(self) -> Loaded | None:
        """The bundle that decides; None before the first."""
        return self._loaded

    def use(self, loaded: Loaded | None, *, is_broken: bool = False) -> None:
        """Decide with this bundle from now on."""
        self._rulings = {}
        self._loaded = loaded
        self.is_broken = is_broken
        self.refresh_mode()

    def refresh_mode(self) -> None:
        """Look at the clock and at the mode window; a few times a second is enough."""
        self._clock.tick()
        self.mode = self._modes.current()

    @property
    def is_enforcing(self) -> bool:
        """Whether a denial stops anything."""
        return self.is_broken or (self.loaded is not None and self.mode == "secured")

    def fallback(self) -> int:
        """The answer when there is no time to decide: what the mode would do with an unknown file."""
        return fanotify.DENY if self.is_enforcing else fanotify.ALLOW

    def rule(self, facts: FileFacts) -> Ruling:
        """Decide now. Facts are in normal form already, as Linux facts are."""
        loaded = self.loaded
        if loaded is None:
            return UNREADABLE if self.is_broken else NO_BUNDLE
        try:
            decision = self._decide(loaded, facts)
        except _ODD_FACTS:
            return ERROR if self.mode == "secured" else self.out_of_time("evaluation_error")
        known = self._rulings.get(id(decision))
        if known is None or known[0] is not decision:
            # The engine gives the same object for the same verdict; holding it keeps its id from being used again.
            known = self._rulings[id(decision)] = (decision, _ruling(decision, loaded))
            if len(self._rulings) > _MAX_RULINGS:
                self._rulings.clear()
        return known[1]

    def _decide(self, loaded: Loaded, facts: FileFacts) -> Decision:
        engine = loaded.engine_for(clock_set_back=self._clock.set_back)
        return engine.decide(facts, loaded.places[self.mode], self._clock.now_ms())

    def killing_decision(self, facts: FileFacts) -> Decision | None:
        """The decision on a running program when it is an enforced one of a deny that ends what runs; else None."""
        loaded = self.loaded
        if loaded is None or not loaded.killing:
            return None
        try:
            decision = self._decide(loaded, facts)
        except _ODD_FACTS:
            return None
        is_meant = decision.policy in loaded.killing and decision.reason_code == ReasonCode.DENY
        return decision if is_meant and decision.effect == "denied" else None

    def killed(self, facts: FileFacts, decision: Decision, size: int) -> Recorded:
        """What is recorded of a program that was ended."""
        return self.event(replace(facts, action_type="kill"), Ruling(fanotify.DENY, _told(decision)), size)

    def out_of_time(self, reason_code: str = "deadline") -> Ruling:
        """The mode's default, recorded as such."""
        denied = self.fallback() == fanotify.DENY
        decision = EventDecision(
            action="deny",
            effect="denied" if denied else "permitted",
            simulated=not denied,
            reason_code=reason_code,
        )
        return Ruling(self.fallback(), decision)

    def event(self, facts: FileFacts, ruling: Ruling, size: int) -> Recorded:
        """What is recorded of one ruling. Wire limits are kept here, so that one odd file spoils no batch."""
        loaded = self.loaded
        event = Event(
            sequence=0,
            occurred_at_ms=self._clock.now_ms(),
            action_type=facts.action_type,
            path=facts.path[:16_384],
            sha256=facts.sha256,
            process=facts.process[:4_096],
            created_by=facts.created_by[:4_096],
            command_line=facts.command_line[:8_192],
            user=facts.user[:256],
            decision=ruling.decision,
            mode=self.mode if loaded or self.is_broken else "monitor_only",
            bundle_version=loaded.version if loaded else 0,
            size=size,
        )
        return Recorded(event, DENY if ruling.decision.action == "deny" else PERMIT)


def _ruling(decision: Decision, loaded: Loaded) -> Ruling:
    verdict = fanotify.DENY if decision.effect == "denied" else fanotify.ALLOW
    permitted = verdict == fanotify.ALLOW and not decision.simulated
    silent = permitted and (decision.policy in loaded.unlogged or not loaded.manifest.settings.log_permits)
    return Ruling(verdict, _told(decision), silent)


def _told(decision: Decision) -> EventDecision:
    return EventDecision(
        action=decision.action,  # type: ignore[arg-type]
        effect=decision.effect,
        simulated=decision.simulated,
        learned=decision.learned,
        policy=decision.policy or "",
        application=decision.application or "",
        rule=decision.rule or "",
        reason_code=decision.reason_code,
    )
