"""How text from endpoints is stored: losslessly, in characters that PostgreSQL, JSON, CSV and HTML all take.

PostgreSQL refuses NUL and lone surrogates, which a hostile agent and NTFS allow. They are written as visible
escapes, `⟨U+0000⟩`. A literal `⟨U+` in the original is escaped too, so that `original` gives back what was sent.
"""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]|\u27e8(?=U\\+)")
_ESCAPE = re.compile("\u27e8U\\+([0-9A-F]{4})\u27e9")
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]|\u27e8U\\+"
)


def stored(text: str) -> str:
    """The form in which `text` is kept. Ordinary text is its own stored form."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", text)


def original(text: str) -> str:
    """The inverse of `stored`: what the endpoint sent. May hold NUL and lone surrogates."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def has_hidden_characters(text: str) -> bool:
    """Whether some character of `text` does not show, or changes how others show."""
    return not (text.isascii() and text.isprintable()) and _HIDDEN.search(text) is not None
