"""The shape of a ringfence: which levers it has and in which mode each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LEVERS = ("child_processes", "files", "network", "registry")
MODES = ("off", "log_only", "enforce")
MOST_ENTRIES = 500
_ENTRY_CHARACTERS = 2048


def faults(ringfence: Any) -> Iterator[tuple[str, str]]:
    """(pointer within the ringfence, what is wrong) for each fault of form.

    A ringfence is `{lever: {"mode": ..., "entries": [text, ...]}}`; levers left out are off.
    """
    if not isinstance(ringfence, Mapping) or not ringfence:
        yield "", f"A ringfence names at least one of {', '.join(LEVERS)}."
        return
    for name, lever in ringfence.items():
        if name not in LEVERS:
            yield f"/{name}", f"This is no lever. Known here: {', '.join(LEVERS)}."
        elif not isinstance(lever, Mapping) or lever.get("mode") not in MODES:
            yield f"/{name}/mode", f"The mode must be one of {', '.join(MODES)}."
        else:
            yield from _entry_faults(name, lever)


def _entry_faults(name: str, lever: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    entries = lever.get("entries", [])
    for other in lever.keys() - {"mode", "entries"}:
        yield f"/{name}/{other}", "This is not known. A lever has a mode and entries."
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        yield f"/{name}/entries", f"This must be a list of at most {MOST_ENTRIES} texts."
        return
    for index, entry in enumerate(entries):
        if not isinstance(entry, str) or not 0 < len(entry.strip()) <= _ENTRY_CHARACTERS:
            yield f"/{name}/entries/{index}", f"An entry is a text of 1 to {_ENTRY_CHARACTERS} characters."
