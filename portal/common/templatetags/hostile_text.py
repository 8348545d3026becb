"""Text that an endpoint sent: what an attacker chose. Shown complete, escaped, isolated in direction, with every
character that does not show (or that imitates another) drawn as its code point. Pure functions of strings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

_ALWAYS_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_LOOKS_EMPTY = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f")
_WORD = re.compile(r"[^\W\d_]+")
_IMITATES_LATIN = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "FULLWIDTH", "MATHEMATICAL", "COPTIC", "LISU")


def hidden_positions(text: str) -> set[int]:
    """Indexes of characters that do not show, or that imitate Latin letters inside a word with Latin letters."""
    hidden = {index for index, character in enumerate(text) if _is_hidden(character)}
    for word in _WORD.finditer(text):
        hidden |= _imitations(word.group(), word.start())
    return hidden


def has_hidden(text: object) -> bool:
    return bool(hidden_positions(_plain(text)))


def hostile(text: object) -> SafeString:
    """`text` as markup: one `<bdi>`, hidden characters as `⟨U+202E⟩` chips, everything else escaped."""
    plain = _plain(text)
    return format_html("<bdi>{}</bdi>", _drawn(plain))


def visible(text: object) -> str:
    """The same as plain text, for titles and labels where no markup can stand."""
    return "".join(piece if not is_hidden else _code_points(piece) for is_hidden, piece in _pieces(_plain(text)))


def middle_cut(text: object, length: int = 48) -> str:
    """At most `length` characters: the beginning, an ellipsis, the end. The end of a path says most."""
    plain = _plain(text)
    if len(plain) <= length:
        return plain
    tail = (length - 1) * 3 // 5
    return f"{plain[: length - 1 - tail]}…{plain[-tail:]}"


def split_path(path: object) -> tuple[str, str]:
    """(folder with its separator, file name); the separator is whichever of the two stands last."""
    plain = _plain(path)
    cut = max(plain.rfind("\\"), plain.rfind("/")) + 1
    return plain[:cut], plain[cut:]


def _plain(text: object) -> str:
    """A bare str: what arrived as SafeString is not to be believed here."""
    return "".join("" if text is None else str(text))


def _is_hidden(character: str) -> bool:
    if character in _LOOKS_EMPTY or unicodedata.category(character) in _ALWAYS_HIDDEN:
        return True
    is_odd_space = unicodedata.category(character) == "Zs" and character != " "
    return is_odd_space or "VARIATION SELECTOR" in unicodedata.name(character, "")


def _imitations(word: str, start: int) -> set[int]:
    names = [unicodedata.name(character, "") for character in word]
    if not any(name.startswith("LATIN") for name in names):
        return set()
    return {start + index for index, name in enumerate(names) if name.startswith(_IMITATES_LATIN)}


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """(is hidden, piece) with neighbours of the same kind joined."""
    hidden = hidden_positions(text)
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or (index in hidden) != (start in hidden):
            yield start in hidden, text[start:index]
            start = index


def _drawn(text: str) -> SafeString:
    return format_html_join(
        "",
        "{}",
        (
            (format_html('<span class="hidden-char">{}</span>', _code_points(piece)) if is_hidden else escape(piece),)
            for is_hidden, piece in _pieces(text)
        ),
    )


def _code_points(text: str) -> str:
    return "".join(f"⟨U+{ord(character):04X}⟩" for character in text)
