"""`{{ text|code_spans }}`: what stands in backticks, in descriptions that we wrote ourselves, as code."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def code_spans(text: str) -> SafeString:
    """The text, escaped, with every second backticked part in a code element."""
    parts = text.split("`")
    return format_html_join("", "{}", ((_part(index, part),) for index, part in enumerate(parts)))


def _part(index: int, part: str) -> SafeString:
    return format_html("<code>{}</code>" if index % 2 else "{}", part)
