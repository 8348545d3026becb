"""The reference evaluator: slow, obvious, written from the text of the specification, sharing no matching code.

It is the only place where a wildcard becomes a Python regular expression. Facts are given in normal form.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import re2

from policies.engine.facts import FileFacts
from policies.engine.model import Application, Place, Policy
from policies.engine.rules import FileRule

USER_FOLDERS = {
    "userprofile": r"c:\users\*",
    "appdata": r"c:\users\*\appdata\roaming",
    "localappdata": r"c:\users\*\appdata\local",
    "temp": r"c:\users\*\appdata\local\temp",
}
MACHINE_FOLDERS = {"systemroot": r"c:\windows", "programfiles": r"c:\program files"}


class Unreadable(Exception):
    """Nobody can say what this condition means."""


@dataclass(frozen=True)
class Answer:
    action: str
    effect: str
    policy: str | None
    application: str | None
    rule: str | None
    simulated: bool
    learned: bool
    reason: str
    candidates: tuple[str, ...]


def lowered(text: str) -> str:
    """Case folded one character to one character; nothing outside ASCII becomes ASCII."""
    return "".join(
        char.lower() if char.isascii() or (len(char.lower()) == 1 and not char.lower().isascii()) else char
        for char in text
    )


@lru_cache(maxsize=100_000)
def expression(pattern: str, os: str) -> tuple[str, object]:
    text = pattern.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if text == "[]":
        return "absent", None
    if text.lower().startswith("regex:"):
        return "regex", regular(text[6:], os)
    for name in re.findall(r"%([A-Za-z_]\w*)%", text):
        known = {**USER_FOLDERS, **MACHINE_FOLDERS} if os == "windows" else {}
        if name.lower() not in known:
            raise Unreadable(name)
        text = text.replace(f"%{name}%", known[name.lower()])
    if os == "windows":
        text = lowered(text.replace("/", "\\"))
    one = r"[^\\]" if os == "windows" else r"[^/]"
    source = "".join({"*": ".*", "?": one}.get(char) or re.escape(char) for char in text)
    last = text.split("\\")[-1] if "\\" in text else re.sub(r"^([^\W\d_]|\?):", "", text)
    stream = os == "windows" and ":" in last
    return "glob", (re.compile(source, re.DOTALL), stream)


def regular(source: str, os: str) -> "re2._Regexp":
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?s{'i' if os == 'windows' else ''}:{source})", options)
    except re2.error as error:
        raise Unreadable(source) from error


def text_matches(pattern: str, value: str, os: str) -> bool:
    kind, compiled = expression(pattern, os)
    if kind == "absent":
        return value == ""
    if value == "":
        return False
    if kind == "regex":
        return compiled.fullmatch(re.sub("[\u212a\u017f\ud800-\udfff]", "\ufffd", value)) is not None
    glob, names_stream = compiled
    if os == "windows" and ":" in value[2:] and not names_stream:
        return False
    return glob.fullmatch(value) is not None


def rule_matches(rule: FileRule, facts: FileFacts) -> bool:
    """AND over the conditions that are there; a rule with none matches nothing. Raises Unreadable."""
    for pattern in (rule.path, rule.process, rule.created_by):
        if pattern:
            expression(pattern, facts.os)
    conditions = []
    if rule.hash:
        conditions.append(rule.hash.lower() == facts.sha256)
    if rule.path:
        conditions.append(text_matches(rule.path, facts.path, facts.os))
    if rule.process:
        conditions.append(text_matches(rule.process, facts.process, facts.os))
    if rule.created_by:
        conditions.append(text_matches(rule.created_by, facts.created_by, facts.os))
    if rule.certificate:
        conditions.append(lowered(" ".join(rule.certificate.split())) in facts.certificates)
    return bool(conditions) and all(conditions)


def first_rule(application: Application, facts: FileFacts) -> tuple[str | None, bool]:
    """The first rule that matches, and whether some rule cannot be read."""
    unreadable = False
    for rule in application.rules:
        try:
            if rule_matches(rule, facts):
                return rule.id, unreadable
        except Unreadable:
            unreadable = True
    return None, unreadable


def applies(policy: Policy, place: Place) -> bool:
    return {
        "computer": policy.target == place.computer,
        "group": policy.target == place.group,
        "organization": policy.target == place.organization,
        "global": policy.target in place.above or policy.target == place.organization,
    }[policy.level]


def sorting(policy: Policy, prioritize_builtin: bool) -> tuple[object, ...]:
    builtin = 101 <= policy.order <= 100_000
    band = 9 if policy.is_default else int(builtin is not prioritize_builtin)
    strictness = ("deny", "permit_ringfenced", "permit").index(policy.action)
    nearness = ("computer", "group", "organization", "global").index(policy.level)
    return band, policy.order, strictness, nearness, policy.id


def schedule_open(policy: Policy, at_ms: int) -> bool:
    """Wall-clock intervals of yesterday and today, half-open, against the wall clock now."""
    here = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(policy.time_zone)).replace(tzinfo=None)
    for date in (here.date() - timedelta(days=1), here.date()):
        midnight = datetime.combine(date, time())
        for window in policy.schedule:
            if window.day != date.weekday():
                continue
            start = midnight + timedelta(minutes=window.start_minute)
            end = midnight + timedelta(minutes=window.end_minute)
            if end <= start:
                end += timedelta(days=1)
            if start <= here < end:
                return True
    return False


def named_users(policy: Policy, os: str) -> set[str]:
    return {lowered(user) if os == "windows" else user for user in policy.users}


def active(policy: Policy, facts: FileFacts, at_ms: int) -> bool:
    return (
        policy.enabled
        and (policy.starts_at is None or policy.starts_at <= at_ms)
        and (policy.expires_at is None or at_ms < policy.expires_at)
        and (not policy.users or facts.user in named_users(policy, facts.os))
        and (not policy.schedule or schedule_open(policy, at_ms))
    )


def judge(
    applications: Iterable[Application],
    policies: Sequence[Policy],
    facts: FileFacts,
    place: Place,
    at_ms: int,
) -> Answer:
    matched = {application.id: first_rule(application, facts) for application in applications}
    mine = sorted(
        (policy for policy in policies if applies(policy, place)),
        key=lambda policy: sorting(policy, place.prioritize_builtin),
    )
    walked = [(policy, *_reading(policy, matched)) for policy in mine]
    candidates = tuple(policy.id for policy, hit, unsure in walked if hit or unsure or policy.is_default)
    for policy, hit, unsure in walked:
        if policy.is_default:
            return _answer(policy, None, "default_deny", place, facts, candidates)
        if not active(policy, facts, at_ms):
            continue
        if hit:
            return _answer(policy, hit, "", place, facts, candidates)
        if unsure and policy.action != "permit":
            return _answer(policy, None, "unreadable_rule", place, facts, candidates)
    return _answer(None, None, "no_policy", place, facts, candidates)


def _reading(policy: Policy, matched: Mapping[str, tuple[str | None, bool]]) -> tuple[tuple[str, str] | None, bool]:
    known = [name for name in policy.applications if name in matched]
    hit = next(((name, matched[name][0]) for name in known if matched[name][0]), None)
    return hit, any(matched[name][1] for name in known)


def _answer(
    policy: Policy | None,
    hit: tuple[str, str] | None,
    error: str,
    place: Place,
    facts: FileFacts,
    candidates: tuple[str, ...],
) -> Answer:
    action = "deny" if error or policy is None else policy.action
    row = _row(policy, action, error)
    effect, simulated, learned = TABLE[row][COLUMNS.index(place.mode)]
    if row == "default" and place.mode == "installation":
        learned = facts.action_type in ("write", "install")
    reason = error or {"permit": "permit", "permit_ringfenced": "ringfence", "deny": "deny"}[action]
    application, rule = hit or (None, None)
    name = policy.id if policy else None
    return Answer(action, effect, name, application, rule, simulated, learned, reason, candidates)


COLUMNS = ("secured", "monitor_only", "learning", "installation")
_PERMITTED, _DENIED = ("permitted", False, False), ("denied", False, False)
_SIMULATED, _LEARNED = ("permitted", True, False), ("permitted", True, True)
_RINGFENCED, _LOGGED = ("ringfenced", False, False), ("ringfenced", True, False)

# The table of domain.md section 5, row by row, column by column.
TABLE = {
    "permit": (_PERMITTED, _PERMITTED, _PERMITTED, _PERMITTED),
    "ringfence": (_RINGFENCED, _LOGGED, _LOGGED, _LOGGED),
    "default": (_DENIED, _SIMULATED, _LEARNED, _SIMULATED),
    "deny, inherit": (_DENIED, _SIMULATED, _SIMULATED, _SIMULATED),
    "deny, secured": (_DENIED, _DENIED, _DENIED, _DENIED),
    "deny, monitor_only": (_SIMULATED, _SIMULATED, _SIMULATED, _SIMULATED),
    "ringfence, monitor_only": (_LOGGED, _LOGGED, _LOGGED, _LOGGED),
}


def _row(policy: Policy | None, action: str, error: str) -> str:
    if error in ("default_deny", "no_policy") or policy is None:
        return "default"
    if error:
        return "deny, secured" if (policy.action, policy.status) == ("deny", "secured") else "deny, inherit"
    if action == "permit":
        return "permit"
    if action == "permit_ringfenced":
        return "ringfence, monitor_only" if policy.status == "monitor_only" else "ringfence"
    return f"deny, {policy.status}"
