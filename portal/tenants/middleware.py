"""One request, one reach, one transaction. Everything a view does in the database happens inside it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import cast

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from portal.common.errors import PortalError
from portal.common.htmx import PortalRequest, error_response
from portal.tenants.reach import NOTHING, Reach
from portal.tenants.scoping import reaching

Answer = Callable[[HttpRequest], HttpResponse]
FINDER = "portal.accounts.reaches.reach_of_user"


class ReachMiddleware:
    """Sets `request.reach` from the signed-in person and opens it. A failed request leaves nothing behind.

    API and agent requests authenticate by their own means and open their own reach; for them (paths under
    `/api/` and `/agent/`) nothing is opened here.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.find_reach = cast(Callable[..., Reach], import_string(FINDER))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        mine = cast(PortalRequest, request)
        mine.organization = None
        if request.path.startswith(("/api/", "/agent/", "/healthz", "/readyz")):
            mine.reach = NOTHING
            return self.get_response(request)
        user = getattr(request, "user", None)
        signed_in = user is not None and user.is_authenticated
        mine.reach = self.find_reach(user, address=client_address(request)) if signed_in else NOTHING
        with reaching(mine.reach):
            response = self.get_response(request)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, PortalError):
            return error_response(cast(PortalRequest, request), exception)
        return None


def client_address(request: HttpRequest) -> str:
    """The peer's address. Behind our one proxy (BEHIND_PROXY) it is what that proxy appended to X-Forwarded-For;
    what stands before it was written by the caller and is not believed."""
    if settings.SECURE_PROXY_SSL_HEADER:
        forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        try:
            return str(ip_address(forwarded))
        except ValueError:
            pass
    return str(request.META.get("REMOTE_ADDR", ""))
