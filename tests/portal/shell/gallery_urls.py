"""The portal's addresses and one more: every component on one page, for the browser tests."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from portal.common.htmx import needs
from portal.tenants.capabilities import Capability
from portal.urls import handler404, handler500
from portal.urls import urlpatterns as portal_urls
from tests.portal.shell import gallery

__all__ = ["handler404", "handler500", "urlpatterns"]


@needs(Capability.ORGANIZATION_READ, everywhere=True)
def show(request: HttpRequest) -> HttpResponse:
    source = (gallery.HERE / "templates/gallery.html").read_text()
    context = {**gallery.context(), "drawer": "drawer" in request.GET}
    return HttpResponse(engines["django"].from_string(source).render(context, request))


def fragment(request: HttpRequest, row: str) -> HttpResponse:
    """What a list's link puts into the drawer."""
    source = (
        '{% include "components/drawer_head.html" with title=title steps=True %}<div class="flow" tabindex="0">…</div>'
    )
    return HttpResponse(engines["django"].from_string(source).render({"title": f"row {row}"}, request))


urlpatterns = [path("gallery/", show), path("gallery/<str:row>/", fragment), *portal_urls]
