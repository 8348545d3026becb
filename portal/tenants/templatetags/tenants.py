"""Tags of this app's screens: `{% load tenants %}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils.safestring import SafeString

from portal.common.registry import Delivery
from portal.common.templatetags.portcullis import delivery as chip
from portal.common.templatetags.portcullis import mode as mode_chip
from portal.tenants import modes
from portal.tenants.models import Computer, Entry

register = template.Library()
_NONE = Delivery("none", "Nothing yet")


@register.simple_tag
def delivered(deliveries: Mapping[Any, Delivery], computer: Computer) -> SafeString:
    """The delivery chip of one computer of a list."""
    return delivered_chip(deliveries.get(computer.id))


@register.simple_tag
def delivered_chip(found: Delivery | None) -> SafeString:
    """The delivery chip; what was never acknowledged is plain."""
    shown = found or _NONE
    return chip(shown.tone, text=shown.label)


@register.simple_tag(takes_context=True)
def mode_in_force(context: Any, computer: Computer) -> SafeString:
    """The mode that holds, also when it is the group's. Reads `computer.group`."""
    return mode_chip(context, *modes.mode_in_force(computer))


@register.simple_tag(takes_context=True)
def querystring_with(context: Any, name: str, value: str) -> str:
    """This page's address with one query parameter changed, or taken out when `value` is empty; from its first page."""
    query = context["request"].GET.copy()
    query.pop("after", None)
    query.pop(name, None)
    if value:
        query[name] = value
    text = urlencode(list(query.items()))
    path: str = context["request"].path
    return f"{path}?{text}" if text else path


@register.filter
def deed(verb: str) -> str:
    """`group.changed` as words: group changed."""
    return verb.replace(".", " ").replace("_", " ")


@register.filter(name="hex")
def as_hex(value: Any) -> str:
    return bytes(value).hex()


@register.filter
def fields(entry: Entry) -> list[tuple[str, str, str]]:
    """(field, before, after) of everything an entry tells to have changed."""
    before, after = entry.before or {}, entry.after or {}
    return [(name, _text(before.get(name)), _text(after.get(name))) for name in sorted({*before, *after})]


@register.filter
def change(entry: Entry) -> str:
    """The change in one line: name: a → b, ..."""
    found = fields(entry)
    if not entry.before:
        return ", ".join(f"{name}: {after}" for name, _, after in found)
    return ", ".join(f"{name}: {before} → {after}" for name, before, after in found)


@register.filter
def skew(milliseconds: int) -> str:
    """A clock's error in words."""
    seconds = abs(milliseconds) / 1000
    words = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.1f} s"
    return f"{words} {'fast' if milliseconds > 0 else 'slow'}"


@register.filter(name="told")
def _text(value: Any) -> str:
    """A value of the System Audit as text; what is no text is shown as JSON."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
