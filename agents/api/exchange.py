"""The edge that agents speak to: bounds the body, believes the signature, opens the reach, encodes the answer.

Every address of `/agent/v1/` is a function behind `signed` or `unsigned`. There is no session and no cookie here,
so nothing to forge across sites.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from agents import identity
from agents.identity import Caller
from agents.protocol import compression, messages
from agents.protocol.messages import JSON, MAX_BODY_BYTES, MSGPACK, Problem
from portal.common import clock
from portal.common.errors import PortalError, TooLarge
from portal.tenants.middleware import client_address
from portal.tenants.scoping import reaching

log = structlog.get_logger(__name__)


class BadMessage(PortalError):
    """The body is not what its headers say, or not the message that belongs here."""

    status = 400
    title = "Bad message"
    code = "malformed"


class WrongMethod(PortalError):
    status = 405
    title = "Wrong method"
    code = "wrong_method"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, its body bounded and inflated. `raw` is the body as it was sent."""

    request: HttpRequest
    raw: bytes
    body: bytes
    content_type: str

    @property
    def address(self) -> str:
        return client_address(self.request)

    def message(self, kind: type[Any]) -> Any:
        """The body as that message. Raises BadMessage, which says where it is wrong."""
        try:
            return messages.decode(kind, self.body, self.content_type)
        except messages.ProtocolError as error:
            raise BadMessage(str(error)[:500]) from error


SignedView = Callable[..., Any]


def signed(method: str) -> Callable[[SignedView], Callable[..., HttpResponse]]:
    """A request of an enrolled computer: `view(caller, exchange, **parts of the address)`.

    The view runs inside the caller's own reach and returns a message, a response, or a function that makes one
    after the transaction is committed.
    """

    def gate(view: SignedView) -> Callable[..., HttpResponse]:
        def answer(request: HttpRequest, **parts: Any) -> Any:
            exchange, caller = _authenticated(request, method)
            with reaching(caller.reach):
                identity.take_sequence(caller)
                return view(caller, exchange, **parts)

        return _edge(answer, view)

    return gate


def unsigned(method: str) -> Callable[[SignedView], Callable[..., HttpResponse]]:
    """A request of a computer that has no key here yet: `view(exchange, **parts)`, without any reach."""

    def gate(view: SignedView) -> Callable[..., HttpResponse]:
        def answer(request: HttpRequest, **parts: Any) -> Any:
            return view(_read(request, method), **parts)

        return _edge(answer, view)

    return gate


def _edge(answer: Callable[..., Any], view: SignedView) -> Callable[..., HttpResponse]:
    @csrf_exempt
    @functools.wraps(view)
    def edge(request: HttpRequest, **parts: Any) -> HttpResponse:
        try:
            result = answer(request, **parts)
            if callable(result) and not isinstance(result, HttpResponse):
                result = result()
        except PortalError as error:
            return _problem(request, error)
        except (OperationalError, InterfaceError) as error:
            log.warning("agent.database_unavailable", error=str(error))
            return _problem(request, _Unavailable())
        return result if isinstance(result, HttpResponse) else _encoded(request, result)

    return edge


class _Unavailable(PortalError):
    status = 503
    title = "Come back later"
    code = "unavailable"
    retry_after_seconds = 5


def _authenticated(request: HttpRequest, method: str) -> tuple[Exchange, Caller]:
    """Nothing of the body is inflated before its signature is believed."""
    raw = _bounded(request, method)
    caller = identity.authenticate(
        method=method,
        target=request.get_full_path(),
        headers=request.headers,
        body=raw,
        address=client_address(request),
    )
    return _inflated(request, raw), caller


def _read(request: HttpRequest, method: str) -> Exchange:
    return _inflated(request, _bounded(request, method))


def _bounded(request: HttpRequest, method: str) -> bytes:
    if request.method != method:
        raise WrongMethod(f"Use {method}.")
    length = request.headers.get("Content-Length", "0") or "0"
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise TooLarge(f"A body has at most {MAX_BODY_BYTES} bytes.")
    raw = request.read(MAX_BODY_BYTES + 1)
    if len(raw) > MAX_BODY_BYTES:
        raise TooLarge(f"A body has at most {MAX_BODY_BYTES} bytes.")
    return raw


def _inflated(request: HttpRequest, raw: bytes) -> Exchange:
    try:
        body = compression.inflate(raw, request.headers.get("Content-Encoding", ""))
    except compression.TooLarge as error:
        raise TooLarge(f"The body inflates to {error}.") from error
    except compression.BadEncoding as error:
        raise BadMessage(str(error)) from error
    return Exchange(request, raw, body, request.headers.get("Content-Type") or MSGPACK)


def _answer_type(request: HttpRequest) -> str:
    """JSON for who sends or accepts JSON, else MessagePack."""
    wants = (request.headers.get("Accept", ""), request.headers.get("Content-Type", ""))
    return JSON if any(JSON in text for text in wants) else MSGPACK


def _encoded(request: HttpRequest, message: Any, status: int = 200) -> HttpResponse:
    kind = _answer_type(request)
    response = HttpResponse(messages.encode(message, kind), content_type=kind, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _problem(request: HttpRequest, error: PortalError) -> HttpResponse:
    after = getattr(error, "retry_after_seconds", None)
    problem = Problem(
        code=getattr(error, "code", "") or error.title.lower().replace(" ", "_"),
        detail=error.message,
        status=error.status,
        server_time=int(clock.now().timestamp()),
        retry_after_seconds=after,
    )
    response = _encoded(request, problem, error.status)
    if after is not None:
        response["Retry-After"] = str(after)
    return response
