"""What the engine answers: the verdict, the policy that gave it, one sentence, on request the trace."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Effect = Literal["permitted", "denied", "ringfenced"]
Outcome = Literal["won", "skipped", "later", "near_miss"]


class ReasonCode(StrEnum):
    """Why a decision came out as it did. Agents and the audit store these words; never rename one."""

    PERMIT = "permit"
    RINGFENCE = "ringfence"
    DENY = "deny"
    DEFAULT_DENY = "default_deny"
    NO_POLICY = "no_policy"
    UNREADABLE_RULE = "unreadable_rule"
    UNREADABLE_POLICY = "unreadable_policy"
    WRONG_OS = "wrong_os"
    BAD_TIME = "bad_time"


class SkipReason(StrEnum):
    """Why a policy whose application matched was passed over."""

    DISABLED = "disabled"
    NOT_STARTED = "not_started"
    EXPIRED = "expired"
    OUTSIDE_SCHEDULE = "outside_schedule"
    OTHER_USER = "other_user"
    UNREADABLE_SCHEDULE = "unreadable_schedule"
    UNREADABLE_RULE = "unreadable_rule"


@dataclass(frozen=True, slots=True)
class ConditionCheck:
    """One condition of a rule against the facts: what it asks for, what was seen, whether it matched."""

    field: str
    pattern: str
    value: str
    matched: bool


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One line of the trace.

    `outcome`: `won` decided; `skipped` matched but was not active (`reason` is a SkipReason); `later` would
    have matched had nothing decided before it; `near_miss`: of its rule the hash, path or
    certificate matched and something failed.
    `rule_number` counts from 1 within the application, 0 when there is no rule. `sentence` is for people.
    """

    outcome: Outcome
    policy: str
    policy_name: str
    action: str
    level: str
    order: int
    application: str | None = None
    application_name: str = ""
    rule: str | None = None
    rule_number: int = 0
    reason: str = ""
    conditions: tuple[ConditionCheck, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one action.

    `action` is what the policy says, `effect` what happens on this computer in its mode. `simulated` means
    not enforced: a deny with effect `permitted`, or a ringfence whose violations are only logged. `learned`:
    the file is to be learned. `policy` is None when no policy decided. `trace` is filled by `Engine.explain`
    only: candidates in evaluation order, then at most five near misses, closest first.
    """

    action: str
    effect: Effect
    policy: str | None
    policy_name: str
    application: str | None
    application_name: str
    rule: str | None
    simulated: bool
    learned: bool
    because: str
    trace: tuple[TraceStep, ...] = ()
    reason_code: str = ""
