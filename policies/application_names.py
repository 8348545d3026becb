"""How an application is called: its own name, or `Parent\\Name` where it is somebody else's who stands above."""

from __future__ import annotations

from policies.models import Application
from portal.tenants.models import Organization


def shown_name(application: Application, organization: Organization | None) -> str:
    """The name of an application as it is told in `organization`; in no one organization (`/all/`) its own name.

    Reads `application.organization` where it is another one: select it along.
    """
    owner = application.organization_id
    if organization is None or owner is None or owner == organization.id or application.organization is None:
        return application.name
    return f"{application.organization.name}\\{application.name}"
