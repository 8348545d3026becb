"""The request as API views see it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request

from portal.common.errors import FieldError, Invalid, TooLarge

_FLAGS = {"": False, "false": False, "0": False, "true": True, "1": True}


class PortalAPIRequest(Request):
    """A request with the caller's reach. `reach` is a portal.tenants.reach.Reach (a floor above this one)."""

    reach: Any

    @property
    def is_write(self) -> bool:
        return self.method in {"POST", "PUT", "PATCH", "DELETE"}

    @property
    def dry_run(self) -> bool:
        return flag(self, "dry_run")

    def raw_body(self) -> bytes:
        """The bytes of the body. Raises TooLarge past API_BODY_LIMIT_BYTES, before reading them, and Invalid for a body
        without a length: WSGI would show it as empty, and a change would silently change nothing."""
        limit: int = settings.API_BODY_LIMIT_BYTES
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            raise Invalid([FieldError("", "Send the body with a Content-Length; a chunked body is not read.")])
        declared = self.META.get("CONTENT_LENGTH") or "0"
        if declared.isdigit() and int(declared) > limit:
            raise TooLarge(f"The body is larger than {limit:,} bytes.")
        body: bytes = self._request.body
        return body


def flag(request: Request, name: str) -> bool:
    """A query parameter that is true or false. Raises Invalid for anything else."""
    text = request.query_params.get(name, "").lower()
    if text not in _FLAGS:
        raise Invalid([FieldError(f"/{name}", "This must be true or false.")])
    return _FLAGS[text]
