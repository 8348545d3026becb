"""What every answer to a browser carries, and which requests a browser may not make for somebody else."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse]
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_SIGN_OUT = "/sign-out/"


class BrowserMiddleware:
    """Pages are never stored; a write that another site started is refused whatever token it carries."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        if not request.path.startswith("/static/"):
            answer.headers.setdefault("Cache-Control", "no-store")
        if request.path == _SIGN_OUT and request.method == "POST":
            answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer

    def process_view(self, request: HttpRequest, *_: object) -> None:
        """`Sec-Fetch-Site` is set by the browser itself; scripts and agents do not send it."""
        if request.method not in _SAFE and request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise PermissionDenied("Another site started this request.")
