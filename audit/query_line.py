"""The query line: `any:deny host:FIN-* path:"*\\temp\\*" -signer:Microsoft since:24h`. Pure text; knows no rows.

Space = and, comma or `|` = or, a leading `-` (or `!` before the value) = not, double quotes keep spaces and commas, `*`
stands for anything. A word without a key is looked for in path, process, created-by and hash.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from portal.common.errors import FieldError, Invalid

TEXT = "text"
KEYS: dict[str, str] = {
    "any": "decision", "decision": "decision", "effect": "decision", "action": "decision",
    "type": "type", "action_type": "type",
    "org": "organization", "organization": "organization", "group": "group",
    "host": "computer", "computer": "computer", "user": "user",
    "path": "path", "file": "path", "process": "process", "parent": "process",
    "created_by": "created_by", "createdby": "created_by", "created": "created_by",
    "signer": "certificate", "certificate": "certificate", "cert": "certificate",
    "hash": "sha256", "sha256": "sha256", "command": "command_line", "command_line": "command_line",
    "policy": "policy", "application": "application", "app": "application",
    "mode": "mode", "is": "flag", "with": "with", "since": "since", "until": "until",
}  # fmt: skip
SPOKEN = {"computer": "host", "organization": "org", "certificate": "signer", "sha256": "hash", "flag": "is",
          "command_line": "command"}  # fmt: skip
_NEEDS_QUOTES = set(' ,|"')
_MOST_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Token:
    """One condition of the line: any of `values` (none of them, when `negative`). `key` is one of KEYS' values."""

    key: str
    values: tuple[str, ...]
    negative: bool = False

    def __str__(self) -> str:
        name = "any" if self.key == "decision" and self.values == ("deny",) else SPOKEN.get(self.key, self.key)
        text = ",".join(map(_quoted, self.values))
        return ("-" if self.negative else "") + (text if self.key == TEXT else f"{name}:{text}")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed line. `str()` writes it again; two lines that mean the same may differ in spelling only."""

    tokens: tuple[Token, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.tokens))

    def values(self, key: str, *, negative: bool = False) -> frozenset[str]:
        return frozenset(v for t in self.tokens if t.key == key and t.negative == negative for v in t.values)

    def without(self, token: Token) -> Query:
        return Query(tuple(t for t in self.tokens if t != token))

    def without_key(self, key: str) -> Query:
        return Query(tuple(t for t in self.tokens if t.key != key))

    def toggled(self, key: str, value: str) -> Query:
        """The query with `value` among the wanted ones of `key`, or without it when it was."""
        same = next((t for t in self.tokens if t.key == key and not t.negative), None)
        if same is None:
            return Query((*self.tokens, Token(key, (value,))))
        values = tuple(v for v in same.values if v != value) if value in same.values else (*same.values, value)
        if not values:
            return self.without(same)
        return Query(tuple(replace(t, values=values) if t == same else t for t in self.tokens))

    def set(self, key: str, value: str) -> Query:
        return Query((*self.without_key(key).tokens, Token(key, (value,))))


def parse(line: str) -> Query:
    """Read a query line. Raises Invalid (pointer `/q`) that names the token at fault and the nearest key."""
    if len(line) > _MOST_CHARACTERS:
        raise _wrong(f"The query is longer than {_MOST_CHARACTERS:,} characters.")
    return Query(tuple(_token(word) for word in _words(line)))


def split_values(text: str, separators: str = ",|") -> tuple[str, ...]:
    """The alternatives of a value; quotes keep a separator from separating."""
    parts, current, quoted = [], "", False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif character in separators and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    return tuple(part for part in (*parts, current) if part)


def _words(line: str) -> Iterator[str]:
    current, quoted = "", False
    for character in line:
        if character == '"':
            quoted = not quoted
        if character.isspace() and not quoted:
            if current:
                yield current
            current = ""
        else:
            current += character
    if quoted:
        raise _wrong(f"A quote is not closed: {current}")
    if current:
        yield current


def _token(word: str) -> Token:
    negative = word.startswith("-") and len(word) > 1
    body = word[1:] if negative else word
    name, colon, rest = body.partition(":")
    if not colon or not name.replace("_", "").isalpha() or name[0] == '"' or len(name) == 1:
        return Token(TEXT, _filled(split_values(body), word), negative)
    key = KEYS.get(name.lower())
    if key is None:
        near = difflib.get_close_matches(name.lower(), KEYS, n=1)
        hint = f" Did you mean “{near[0]}:”?" if near else f" Known are {', '.join(sorted(set(KEYS)))}."
        raise _wrong(f"There is no filter “{name}:”.{hint} To look for the text itself, put it in quotes.")
    if rest.startswith("!"):
        negative, rest = not negative, rest[1:]
    if rest == '""':
        return Token(key, ("",), negative)
    return Token(key, _filled(split_values(rest), word), negative)


def _filled(values: tuple[str, ...], word: str) -> tuple[str, ...]:
    if not values:
        raise _wrong(f"“{word}” has no value.")
    return values


def _quoted(value: str) -> str:
    return f'"{value}"' if not value or _NEEDS_QUOTES & set(value) or (":" in value) else value


def _wrong(message: str) -> Invalid:
    return Invalid([FieldError("/q", message)])
