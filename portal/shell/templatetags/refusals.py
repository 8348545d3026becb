"""`{% load refusals %}{% who_can_grant as names %}`: for the page of a refusal."""

from __future__ import annotations

from typing import Any

from django import template

from portal.shell import granting

register = template.Library()


@register.simple_tag(takes_context=True)
def who_can_grant(context: Any) -> str:
    """`Ana Ruiz or Tom Berg`; empty where no single organization is asked about."""
    organization = getattr(context.get("request"), "organization", None)
    names = granting.who_can_grant(organization) if organization is not None else []
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
