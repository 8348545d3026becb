"""Applications in templates: `{% load applications %}`, `{{ application|named_in:request.organization|hostile }}`."""

from __future__ import annotations

from django import template

from policies.application_names import shown_name
from policies.models import Application
from portal.tenants.models import Organization

register = template.Library()


@register.filter
def named_in(application: Application, organization: Organization | None) -> str:
    """The name as it is told in an organization: `Parent\\Name` for one of an organization above."""
    return shown_name(application, organization)
