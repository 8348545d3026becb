"""JSON in, and only JSON that means the same to every reader: no duplicate keys, no NaN, no bottomless
nesting.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from portal.common.errors import FieldError, Invalid

DEPTH_LIMIT = 20


def strict_json(raw: bytes) -> Any:
    """The value that `raw` spells. Raises Invalid with the place of the fault."""
    try:
        value = json.loads(raw, object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _fault("", f"This is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from error
    except UnicodeDecodeError as error:
        raise _fault("", "The body is not UTF-8.") from error
    except RecursionError as error:
        raise _fault("", f"The body is nested deeper than {DEPTH_LIMIT} levels.") from error
    except ValueError as error:
        raise _fault("", f"This is not JSON: {error}.") from error
    for pointer, found in _leaves(value):
        _check_leaf(pointer, found)
    return value


def _fault(pointer: str, detail: str) -> Invalid:
    return Invalid([FieldError(pointer, detail)])


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise _fault(f"/{escape_pointer(twin)}", "This field is there twice.")
    return found


def _no_constant(name: str) -> Any:
    raise _fault("", f"{name} is not a JSON number.")


def _leaves(value: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > DEPTH_LIMIT:
        raise _fault(pointer, f"The body is nested deeper than {DEPTH_LIMIT} levels.")
    if isinstance(value, dict):
        for name, inner in value.items():
            yield pointer, name
            yield from _leaves(inner, f"{pointer}/{escape_pointer(name)}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{pointer}/{index}", depth + 1)
    else:
        yield pointer, value


def _check_leaf(pointer: str, value: Any) -> None:
    """PostgreSQL stores neither NUL nor half a surrogate pair; a number too large for a float is no number."""
    if isinstance(value, str) and ("\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise _fault(pointer, "This text contains a character that cannot be stored (NUL or half a surrogate pair).")
    if isinstance(value, float) and not math.isfinite(value):
        raise _fault(pointer, "This number is too large.")


def escape_pointer(name: str) -> str:
    """One step of a JSON pointer (RFC 6901); anything unprintable is spelled out."""
    plain = name.encode("ascii", "backslashreplace").decode() if not name.isprintable() else name
    return plain.replace("~", "~0").replace("/", "~1")


class StrictJSONParser(BaseParser):
    """`application/json`, as `strict_json` reads it. An empty body is an empty object."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read()
        return strict_json(raw) if raw.strip() else {}
