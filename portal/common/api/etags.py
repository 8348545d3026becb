"""`ETag`, `If-None-Match` and `If-Match`: which version of an object somebody looked at before changing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rest_framework.utils.encoders import JSONEncoder

from portal.common.errors import FieldError, Invalid


def etag_of(representation: Mapping[str, Any], *, ignoring: frozenset[str] = frozenset()) -> str:
    """A strong tag of what the object looks like; `ignoring` names fields that change by themselves."""
    lasting = {name: value for name, value in representation.items() if name not in ignoring}
    text = json.dumps(lasting, cls=JSONEncoder, sort_keys=True, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def matches(header: str, tag: str) -> bool:
    """Whether a list of tags, or `*`, names `tag`. Raises Invalid when the header is no such list."""
    if header.strip() == "*":
        return True
    named = [part.strip() for part in header.split(",")]
    for part in named:
        bare = part.removeprefix("W/")
        if len(bare) < 2 or not (bare.startswith('"') and bare.endswith('"')):
            raise Invalid([FieldError("", "If-Match takes tags in double quotes, as ETag gave them.")])
    return tag in named
