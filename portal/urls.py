"""Every address of the portal. Imports every app's addresses; imported by nobody."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from portal.common import health

Patterns = list[URLPattern | URLResolver]


def _screens() -> tuple[Patterns, Patterns, Patterns]:
    """(under one organization, under /all/, under /api/v1/) of every app, in the order of the floors."""
    from agents import urls as agents
    from agents.api import urls as agents_api
    from audit import urls as audit
    from audit.api import urls as audit_api
    from policies import urls as policies
    from policies.api import urls as policies_api
    from portal.accounts import urls as accounts
    from portal.accounts.api import urls as accounts_api
    from portal.shell import urls as shell
    from portal.tenants import urls as tenants
    from portal.tenants.api import urls as tenants_api

    screens = [
        ("shell", shell),
        ("tenants", tenants),
        ("accounts", accounts),
        ("policies", policies),
        ("audit", audit),
        ("agents", agents),
    ]
    own: Patterns = [path("", include((module.organization_urls, name))) for name, module in screens]
    everywhere: Patterns = [
        path("", include((module.all_urls, name), namespace=f"{name}-all")) for name, module in screens
    ]
    api: Patterns = []
    for module in (tenants_api, accounts_api, policies_api, audit_api, agents_api):
        api += module.router_urls
    return own, everywhere, api


def _patterns() -> Patterns:
    from agents.api import agent_urls
    from portal.accounts.urls import sign_in_urls
    from portal.common.api.urls import schema_urls
    from portal.shell.urls import root_urls

    own, everywhere, api = _screens()
    return [
        path("healthz", health.alive),
        path("readyz", health.ready),
        path("o/<slug:organization>/", include(own)),
        path("all/", include(everywhere)),
        path("api/v1/", include((api + schema_urls, "api"))),
        path("agent/v1/", include((agent_urls.patterns, "agent"))),
        *sign_in_urls,
        *root_urls,
    ]


urlpatterns = _patterns()

handler400 = "portal.shell.failures.bad_request"
handler403 = "portal.shell.failures.forbidden"
handler404 = "portal.shell.failures.not_found"
handler500 = "portal.shell.failures.server_error"
