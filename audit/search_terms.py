"""What a search asks for, typed: from the query line and from the REST filters to one description. Knows no rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from audit.query_line import TEXT, Query, Token, parse, split_values
from audit.words import ACTION_TYPES, MODES, OUTCOMES, Flag, Outcome
from portal.common import clock
from portal.common.errors import FieldError, Invalid

TEXT_FIELDS = (
    "path",
    "process",
    "created_by",
    "certificate",
    "sha256",
    "user",
    "command_line",
    "policy",
    "application",
)
NAMED = ("organization", "group", "computer")
API_FIELDS = ("organization", "group", "computer", "user", "action_type", "effect", "path", "sha256", "certificate",
              "process", "created_by", "policy", "application")  # fmt: skip
DECISIONS: dict[str, frozenset[Outcome]] = {
    "deny": frozenset({Outcome.DENIED, Outcome.WOULD_DENY}),
    "simulated": frozenset({Outcome.WOULD_DENY, Outcome.WOULD_RINGFENCE}),
    "ringfenced": frozenset({Outcome.RINGFENCED, Outcome.WOULD_RINGFENCE}),
    **{word: frozenset({outcome}) for word, outcome in OUTCOMES.items() if word != "ringfenced"},
}
FLAGS = {"learned": Flag.LEARNED, "hidden": Flag.HIDDEN_CHARACTERS, "clock": Flag.WRONG_CLOCK}
_SPAN = re.compile(r"(\d{1,4})(m|h|d|w)")
_UNIT = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class TextTerm:
    """Some text of the event is like one of `patterns` (LIKE, any case); like none of them when `negative`."""

    on: str
    patterns: tuple[str, ...]
    negative: bool = False


@dataclass(frozen=True, slots=True)
class NameTerm:
    """An organization, group or computer whose name is like one of `patterns` (without `*`: is it, in any case), or
    whose id or slug is one of `names`."""

    on: str
    names: tuple[str, ...]
    patterns: tuple[str, ...]
    negative: bool = False


@dataclass(frozen=True, slots=True)
class EventTerms:
    """One search. `low` and `high` bound `received_at`, half-open; None = as far as events are kept."""

    low: datetime | None = None
    high: datetime | None = None
    outcomes: frozenset[int] | None = None
    not_outcomes: frozenset[int] = frozenset()
    actions: frozenset[int] | None = None
    not_actions: frozenset[int] = frozenset()
    modes: frozenset[int] | None = None
    flags: int = 0
    texts: tuple[TextTerm, ...] = ()
    names: tuple[NameTerm, ...] = ()
    include_children: bool = False
    query: Query = field(default_factory=Query)

    @classmethod
    def parse(cls, line: str) -> EventTerms:
        """The search of a query line. Raises Invalid."""
        return terms_of(parse(line))


def terms_of(query: Query) -> EventTerms:
    """The search that a query means, at this moment. Raises Invalid (pointer `/q`)."""
    low, high = _period(query)
    flags = 0
    for word in query.values("flag"):
        flags |= int(_word(FLAGS, word, "is:"))
    for word in query.values("with"):
        if word != "children":
            raise _wrong("“with:” knows only with:children.")
    actions = _numbers(query, "type", ACTION_TYPES)
    modes = _numbers(query, "mode", MODES)
    return EventTerms(
        low=low,
        high=high,
        outcomes=_outcomes(query, negative=False),
        not_outcomes=_outcomes(query, negative=True) or frozenset(),
        actions=actions,
        not_actions=_numbers(query, "type", ACTION_TYPES, negative=True) or frozenset(),
        modes=modes,
        flags=flags,
        texts=tuple(_text_term(t) for t in query.tokens if t.key in TEXT_FIELDS or t.key == TEXT),
        names=tuple(_name_term(t) for t in query.tokens if t.key in NAMED),
        include_children="children" in query.values("with"),
        query=query,
    )


def terms_of_parameters(parameters: Mapping[str, Any]) -> EventTerms:
    """The search of REST filters (api.md), `q` included. Raises Invalid with a pointer for each parameter at fault."""
    tokens: list[Token] = []
    for name in API_FIELDS:
        value = str(parameters.get(name) or "")
        if value:
            tokens.append(_api_token(name, value))
    if _is_true(parameters, "any_deny"):
        tokens.append(Token("decision", ("deny",)))
    if _is_true(parameters, "include_children"):
        tokens.append(Token("with", ("children",)))
    for name, key in (("from", "since"), ("to", "until")):
        if parameters.get(name):
            tokens.append(Token(key, (str(parameters[name]),)))
    line = parse(str(parameters.get("q") or ""))
    return terms_of(Query((*tokens, *line.tokens)))


def _api_token(name: str, value: str) -> Token:
    negative = value.startswith("!")
    key = {"action_type": "type", "effect": "decision"}.get(name, name)
    values = split_values(value.removeprefix("!"), "|")
    if not values:
        raise Invalid([FieldError(f"/{name}", "An empty filter means nothing; leave it out.")])
    return Token(key, values, negative)


def _is_true(parameters: Mapping[str, Any], name: str) -> bool:
    value = str(parameters.get(name, "")).lower()
    if value not in ("", "true", "false", "1", "0"):
        raise Invalid([FieldError(f"/{name}", "Write true or false.")])
    return value in ("true", "1")


def like_pattern(text: str, *, prefix: bool = False) -> str:
    """The LIKE pattern of a filter's text: contains it; or, where it has a `*`, is the whole with `*` = anything."""
    if not text or "*" in text:
        return _escaped(text)
    return f"{_escaped(text)}%" if prefix else f"%{_escaped(text)}%"


def _escaped(text: str) -> str:
    """`text` as a LIKE pattern in which only `*` means anything."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")


def _text_term(token: Token) -> TextTerm:
    on = "any" if token.key == TEXT else token.key
    if on == "sha256":
        return TextTerm(on, tuple(like_pattern(v.lower(), prefix=bool(v)) for v in token.values), token.negative)
    ids = [v for v in token.values if _UUID.fullmatch(v)]
    if on in ("policy", "application") and ids:
        if len(ids) != len(token.values):
            raise _wrong(f"“{token}”: give names or ids, not both at once.")
        return TextTerm(f"{on}_id", tuple(ids), token.negative)
    if on == "any":
        patterns = [like_pattern(v) for v in token.values]
        patterns += [f"{v.lower()}%" for v in token.values if re.fullmatch("[0-9a-fA-F]{8,64}", v)]
        return TextTerm(on, tuple(patterns), token.negative)
    return TextTerm(on, tuple(like_pattern(v) for v in token.values), token.negative)


def _name_term(token: Token) -> NameTerm:
    return NameTerm(token.key, token.values, tuple(map(_escaped, token.values)), token.negative)


def _outcomes(query: Query, *, negative: bool) -> frozenset[int] | None:
    """Wanted outcomes: every decision token must hold, so they meet; unwanted ones add up."""
    found: frozenset[int] | None = None
    for token in query.tokens:
        if token.key == "decision" and token.negative == negative:
            sets = [_word(DECISIONS, value.lower().replace("-", "_"), "decision:") for value in token.values]
            mine = frozenset(int(outcome) for one in sets for outcome in one)
            found = mine if found is None else (found | mine if negative else found & mine)
    return found


def _numbers(query: Query, key: str, words: Mapping[str, int], *, negative: bool = False) -> frozenset[int] | None:
    values = query.values(key, negative=negative)
    return frozenset(int(_word(words, value.lower(), f"{key}:")) for value in values) if values else None


def _word(words: Mapping[str, Any], value: str, key: str) -> Any:
    if value not in words:
        raise _wrong(f"“{key}” does not know “{value}”. It knows {', '.join(words)}.")
    return words[value]


def _period(query: Query) -> tuple[datetime | None, datetime | None]:
    """(low, high) of `since:` and `until:`. A range `2026-11-02..2026-11-04` holds its last day too."""
    low = high = None
    for text in query.values("since"):
        first, dots, last = text.partition("..")
        low = _instant(first)
        if dots:
            high = _day_after(_same_month(first, last))
        elif text == "yesterday":
            high = _midnight(clock.now())
    for text in query.values("until"):
        high = _instant(text)
    if low is not None and high is not None and low >= high:
        raise _wrong("The time range ends before it begins.")
    return low, high


def _instant(text: str) -> datetime:
    now = clock.now()
    span = _SPAN.fullmatch(text)
    if span:
        return now - int(span[1]) * _UNIT[span[2]]
    if text == "today":
        return _midnight(now)
    if text == "yesterday":
        return _midnight(now) - timedelta(days=1)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(
            f"“{text}” is no time. Write 24h, 7d, today, yesterday, 2026-11-02, 2026-11-02..2026-11-04 or a full "
            "ISO 8601 time."
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _same_month(first: str, last: str) -> str:
    return first[:8] + last if len(last) == 2 else last


def _day_after(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=1)
    except ValueError:
        raise _wrong(f"“{text}” is no day. Write it as 2026-11-04.") from None


def _wrong(message: str) -> Invalid:
    return Invalid([FieldError("/q", message)])
