"""What a verdict does on a computer in its mode: the table of modes and effects, and nothing else."""

from dataclasses import dataclass

from policies.engine.decision import Effect

WRITING_ACTIONS = frozenset({"write", "install"})
"""Action types in which a file is written: in installation mode only these are learned."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`simulated`: not enforced, only logged. `learned`: the file is to be learned."""

    effect: Effect
    simulated: bool = False
    learned: bool = False


PERMITTED = Verdict("permitted")
DENIED = Verdict("denied")
SIMULATED_DENY = Verdict("permitted", simulated=True)
LEARNED = Verdict("permitted", simulated=True, learned=True)
RINGFENCED = Verdict("ringfenced")
RINGFENCE_LOGGED = Verdict("ringfenced", simulated=True)

_RELAXED_MODES = frozenset({"monitor_only", "learning", "installation"})


def verdict(action: str, status: str, mode: str) -> Verdict:
    """The verdict of an ordinary policy. An action, status or mode nobody knows counts as the strictest one."""
    relaxed = mode in _RELAXED_MODES
    if action == "permit":
        return PERMITTED
    if action == "permit_ringfenced":
        return RINGFENCE_LOGGED if relaxed or status == "monitor_only" else RINGFENCED
    if status == "monitor_only":
        return SIMULATED_DENY
    return SIMULATED_DENY if relaxed and status == "inherit" else DENIED


def default_verdict(mode: str, action_type: str) -> Verdict:
    """The verdict of Default Deny, and of no policy at all."""
    if mode == "learning":
        return LEARNED
    if mode == "installation":
        return LEARNED if action_type in WRITING_ACTIONS else SIMULATED_DENY
    return SIMULATED_DENY if mode == "monitor_only" else DENIED
