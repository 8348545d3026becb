"""File names that differ only in digits, hexadecimal runs or GUIDs: their common shape, and the pattern that it makes.

Seed advice for scripts of remote-management tools: say how many characters and of which kind, never a bare wildcard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from policies.engine.normal_form import normal_path
from policies.engine.regexes import literal

Kind = Literal["guid", "hex", "digits", "text"]
_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_PARTS = re.compile(
    rf"(?P<guid>{_GUID})|(?P<hex>(?=[a-f]*[0-9])[0-9a-f]{{6,}})|(?P<digits>[0-9]+)|(?P<text>[^0-9a-f]+|.)"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a name: of digits, of hexadecimal digits, a GUID, or plain text."""

    kind: Kind
    text: str


def parts_of(name: str) -> tuple[Part, ...]:
    """The runs of a file name in lower case. Neighbouring plain texts are one."""
    found: list[Part] = []
    for match in _PARTS.finditer(name.lower()):
        kind: Kind = match.lastgroup  # type: ignore[assignment]
        text = match[0]
        if kind == "text" and found and found[-1].kind == "text":
            found[-1] = Part("text", found[-1].text + text)
        else:
            found.append(Part(kind, text))
    return tuple(found)


def shape_of(name: str) -> tuple[tuple[Kind, str], ...]:
    """What names that differ only in their changing runs have in common. Runs of digits and of hex count as one kind,
    since a hexadecimal run may happen to have no letter."""
    return tuple(
        (
            "hex" if part.kind == "digits" and len(part.text) >= 6 else part.kind,
            part.text if part.kind == "text" else "",
        )
        for part in parts_of(name)
    )


def changes(name: str) -> bool:
    """Whether a name has a run that looks as if it changed each time."""
    return any(
        part.kind in ("guid", "hex") or (part.kind == "digits" and len(part.text) >= 3)
        for part in parts_of(_stem(name)[0])
    )


def proposed_pattern(path: str, others: Sequence[str], os: str) -> str:
    """A `regex:` for `path` and the names in `others` of the same shape; empty when the name has no changing run.

    Everything but those runs is literal, the folder too. Lengths are those seen.
    """
    folder, name = split_path(normal_path(path, os))
    if not changes(name):
        return ""
    names = [name] + [other for o in others if shape_of(other := split_path(normal_path(o, os))[1]) == shape_of(name)]
    columns = zip(*(parts_of(_stem(each)[0]) for each in names), strict=True)
    pieces = [_piece(list(column), os) for column in columns]
    return f"regex:{literal(folder)}{''.join(pieces)}{literal(_stem(name)[1])}"


def _piece(column: Sequence[Part], os: str) -> str:
    kinds = {part.kind for part in column}
    if kinds == {"text"} or (kinds == {"digits"} and len({p.text for p in column}) == 1 and len(column[0].text) < 3):
        return literal(column[0].text)
    if kinds == {"guid"}:
        return _GUID
    low, high = min(len(p.text) for p in column), max(len(p.text) for p in column)
    length = f"{{{low}}}" if low == high else f"{{{low},{high}}}"
    if kinds == {"digits"} and high < 6:
        return f"[0-9]{length}"
    return f"[0-9a-f]{length}" if os == "windows" or not _has_upper(column) else f"[0-9a-fA-F]{length}"


def _has_upper(column: Sequence[Part]) -> bool:
    return any(part.text != part.text.lower() for part in column)


def _stem(name: str) -> tuple[str, str]:
    """(name without its extension, extension with its dot)."""
    cut = name.rfind(".")
    return (name[:cut], name[cut:]) if cut > 0 else (name, "")


def split_path(path: str) -> tuple[str, str]:
    """(folder with its last separator, name) of a Windows or Unix path."""
    cut = max(path.rfind("\\"), path.rfind("/")) + 1
    return path[:cut], path[cut:]
