"""The views of `/agent/v1/`. Each parses one message, calls one activity, and answers."""

from __future__ import annotations

import hashlib
import math
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse

from agents import checkin as checkins
from agents import enrolment, keys
from agents.api.exchange import Exchange, signed, unsigned
from agents.endpoint import package
from agents.identity import Caller
from agents.protocol.messages import (
    Ack,
    CheckinRequest,
    EnrollAnswer,
    EnrollRequest,
    EventsAnswer,
    NonceAnswer,
    RawEventBatch,
    RequestAnswer,
    RequestMessage,
)
from audit import ingest, requests
from portal.common import clock
from portal.common.api.throttling import seconds_to_wait
from portal.common.errors import TooMany

BATCHES_PER_MINUTE, BATCHES_AT_ONCE = 60, 120
_OCTETS = "application/octet-stream"
_FOREVER = "private, max-age=31536000, immutable"


@unsigned("POST")
def nonce(exchange: Exchange) -> NonceAnswer:
    now = int(clock.now().timestamp())
    return NonceAnswer(nonce=enrolment.new_nonce(), expires_at=now + enrolment.NONCE_SECONDS, server_time=now)


@unsigned("POST")
def enroll(exchange: Exchange) -> EnrollAnswer:
    message: EnrollRequest = exchange.message(EnrollRequest)
    enrolled = enrolment.enroll(message, address=exchange.address)
    return EnrollAnswer(
        computer=enrolled.computer_id,
        organization=enrolled.organization_id,
        key_id=enrolled.key_id,
        status="pending" if enrolled.is_pending else "active",
        trust=keys.trust_root(),
        portal_url=settings.PORTAL_URL,
        stream_url=f"{settings.STREAM_URL}{checkins.STREAM_PATH}",
        server_time=int(clock.now().timestamp()),
        checkin_seconds=settings.CHECKIN_SECONDS,
    )


@signed("POST")
def checkin(caller: Caller, exchange: Exchange) -> Any:
    return checkins.check_in(caller, exchange.message(CheckinRequest))


@signed("GET")
def manifest(caller: Caller, exchange: Exchange) -> HttpResponse:
    found = checkins.current_manifest(caller)
    return _bytes(exchange, found.envelope, found.sha256, "private, no-cache")


@signed("GET")
def blob(caller: Caller, exchange: Exchange, digest: str) -> HttpResponse:
    found = checkins.blob(caller, digest)
    return _bytes(exchange, found.data, found.digest, _FOREVER)


@signed("POST")
def ack(caller: Caller, exchange: Exchange) -> HttpResponse:
    checkins.acknowledge(caller, exchange.message(Ack))
    return HttpResponse(status=204)


@signed("POST")
def events(caller: Caller, exchange: Exchange) -> EventsAnswer:
    """Stored before it is answered: what the answer names, the computer may forget.

    A computer that sends far more than any honest one is told to come back later; the others never notice it.
    """
    wait = seconds_to_wait(f"events:{caller.key_id}", per_minute=BATCHES_PER_MINUTE, burst=BATCHES_AT_ONCE)
    if wait:
        raise TooMany(math.ceil(wait), "This computer sends more than it may. Nothing of this batch was stored.")
    return ingest.ingest_batch(
        caller.reach,
        computer=checkins.computer_of(caller),
        batch=exchange.message(RawEventBatch),
        digest=hashlib.sha256(exchange.raw).hexdigest(),
        content_type=exchange.content_type,
    )


@signed("POST")
def requests_made(caller: Caller, exchange: Exchange) -> RequestAnswer:
    """A person at the computer asks for something that was stopped."""
    message: RequestMessage = exchange.message(RequestMessage)
    made = requests.receive_request(caller.reach, computer=checkins.computer_of(caller), message=message)
    return requests.answer_of(made)


@signed("GET")
def request_status(caller: Caller, exchange: Exchange, request_id: UUID) -> RequestAnswer:
    """What became of a request that this computer made."""
    computer = checkins.computer_of(caller)
    found = requests.request_of_computer(caller.reach, computer=computer, request_id=request_id)
    return requests.answer_of(found)


@unsigned("GET")
def install_script(exchange: Exchange) -> HttpResponse:
    """The installer, written for this portal. Holds no secret: the install key comes from the person's shell."""
    script = package.install_script(settings.PORTAL_URL)
    return HttpResponse(script, content_type="text/x-shellscript; charset=utf-8", headers={"Cache-Control": "no-cache"})


@unsigned("GET")
def agent_archive(exchange: Exchange) -> HttpResponse:
    """The Linux agent as one Python archive; the installer checks its digest."""
    archive = package.archive()
    return _bytes(exchange, archive, hashlib.sha256(archive).hexdigest(), "public, no-cache")


@unsigned("GET")
def agent_requirements(exchange: Exchange) -> HttpResponse:
    """The agent's locked requirements; the installer checks their digest."""
    requirements = package.requirements()
    return _bytes(exchange, requirements, hashlib.sha256(requirements).hexdigest(), "public, no-cache")


def _bytes(exchange: Exchange, data: bytes | memoryview, digest: str, caching: str) -> HttpResponse:
    tag = f'"{digest}"'
    if exchange.request.headers.get("If-None-Match") == tag:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(bytes(data), content_type=_OCTETS)
    response["ETag"] = tag
    response["Cache-Control"] = caching
    return response
