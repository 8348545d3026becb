"""What is wrong with policies: never reached, tied, over, unused, or permitting an interpreter to do anything."""

import re
from collections import defaultdict
from collections.abc import Iterator

from policies.engine.lint.cover import Cover
from policies.engine.lint.findings import Code, Found
from policies.engine.lint.policy_set import (
    DAY_MS,
    EXPIRING_WITHIN_MS,
    UNUSED_AFTER_MS,
    PolicySet,
    target_of,
)
from policies.engine.model import Application, Policy
from policies.engine.ordering import evaluation_key

_INTERPRETER = re.compile(
    r"[\\/](powershell|powershell_ise|pwsh|cmd|wscript|cscript|mshta|rundll32|regsvr32|msbuild|installutil|java|javaw"
    r"|pythonw?[0-9.]*|node|perl[0-9.]*|ruby[0-9.]*|php[0-9.]*|bash|sh|zsh|dash|osascript|wsl|hh|forfiles)(\.exe)?$"
)
_MOST_NAMED = 3


def policy_findings(world: PolicySet, cover: Cover) -> Iterator[Found]:
    """Findings about policies but for shadowing, which `shadowing` proves."""
    applications = {application.id: application for application in world.applications}
    interpreters = {a.id: found for a in world.applications if (found := _interpreters_of(a))}
    for policy in world.policies:
        if policy.is_default:
            continue
        yield from _dates(world, policy)
        if not world.counts(policy):
            continue
        yield from _empty(policy, applications)
        yield from _unused(world, policy)
        if policy.action == "permit":
            yield from _interpreter(policy, interpreters)
    yield from _ties(world, cover)


def _told(policy: Policy, code: Code, severity: str, message: str, **more: object) -> Found:
    return Found(code, severity, "policy", policy.id, message, **more)  # type: ignore[arg-type]


def _dates(world: PolicySet, policy: Policy) -> Iterator[Found]:
    if policy.expires_at is None or not policy.enabled:
        return
    left = policy.expires_at - world.at_ms
    if left <= 0:
        days = -left // DAY_MS
        since = "today" if days == 0 else "yesterday" if days == 1 else f"{days:,} days ago"
        message = f"It expired {since}: it decides nothing any more."
        yield _told(policy, Code.EXPIRED, "warn", message, remedy="disable_policy")
    elif left < EXPIRING_WITHIN_MS:
        days = left // DAY_MS
        when = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
        effect = "what it denies is no longer denied" if policy.action == "deny" else "what it permits is denied"
        yield _told(policy, Code.EXPIRING, "info", f"It expires {when}; from then on {effect}.", remedy="edit_policy")


def _empty(policy: Policy, applications: dict[str, Application]) -> Iterator[Found]:
    known = [applications[a] for a in policy.applications if a in applications]
    if any(application.rules for application in known):
        return
    message = "None of its applications has a rule: no file ever reaches it."
    yield _told(policy, Code.UNREACHABLE, "warn", message, remedy="disable_policy")


def _unused(world: PolicySet, policy: Policy) -> Iterator[Found]:
    usage = world.usage.get(policy.id)
    if usage is None:
        return
    line = world.at_ms - UNUSED_AFTER_MS
    if usage.created_ms > line or (usage.last_matched_ms or 0) > line:
        return
    if usage.last_matched_ms is None:
        message = f"It has decided nothing since it was made {(world.at_ms - usage.created_ms) // DAY_MS:,} days ago."
    else:
        message = f"It last decided something {(world.at_ms - usage.last_matched_ms) // DAY_MS:,} days ago."
    yield _told(policy, Code.UNUSED, "info", message, remedy="disable_policy")


def _interpreters_of(application: Application) -> list[str]:
    found = (_INTERPRETER.search(rule.path.strip().strip('"').lower()) for rule in application.rules if rule.path)
    return sorted({one[1] for one in found if one})


def _interpreter(policy: Policy, interpreters: dict[str, list[str]]) -> Iterator[Found]:
    names = sorted({name for a in policy.applications for name in interpreters.get(a, ())})
    if not names:
        return
    told = ", ".join(names[:_MOST_NAMED]) + (
        f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    )
    message = f"It permits {told} without a ringfence: whatever these are told to run, runs."
    yield _told(policy, Code.INTERPRETER, "warn", message, remedy="add_ringfence", details={"names": told})


def _ties(world: PolicySet, cover: Cover) -> Iterator[Found]:
    """Policies of one order at different targets that meet at a computer, for files that both are known to match."""
    meeting = world.meeting()
    by_order: dict[int, list[Policy]] = defaultdict(list)
    for policy in world.policies:
        if world.counts(policy):
            by_order[policy.order].append(policy)
    for policies in by_order.values():
        ranked = sorted(policies, key=lambda p: evaluation_key(p, True))
        for place, winner in enumerate(ranked):
            for loser in ranked[place + 1 :]:
                meets = (target_of(winner), target_of(loser)) in meeting
                if meets and _same_files(winner, loser, cover):
                    yield _tie(winner, loser)


def _same_files(one: Policy, other: Policy, cover: Cover) -> bool:
    mine, theirs = set(one.applications), set(other.applications)
    if not mine.isdisjoint(theirs):
        return True
    return any(
        not kind.isdisjoint(against)
        for applications, against in ((mine, theirs), (theirs, mine))
        for application in applications
        for kind in cover.covering.get(application, ())
    )


def _tie(winner: Policy, loser: Policy) -> Found:
    because = "its scope is nearer"
    if winner.action != loser.action:
        because = "the stricter action wins"
    elif winner.level == loser.level:
        because = "its id is lower"
    return Found(
        Code.TIE,
        "warn" if winner.action != loser.action else "info",
        "policy",
        loser.id,
        f"{winner.name} ({winner.level}) has the order {loser.order:,} too and wins for files of both: {because}.",
        others=(winner.id,),
        remedy="edit_policy",
        details={"winner": winner.name},
    )
