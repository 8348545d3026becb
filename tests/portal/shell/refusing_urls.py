"""The portal's addresses and one screen of an organization that needs a capability which only owners have."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from portal.common.htmx import needs
from portal.tenants.capabilities import Capability
from portal.urls import urlpatterns as portal_urls


@needs(Capability.SIGNING_KEY_WRITE)
def refused(request: HttpRequest) -> HttpResponse:
    return HttpResponse("only for owners")


urlpatterns = [path("o/<slug:organization>/refused/", refused), *portal_urls]
