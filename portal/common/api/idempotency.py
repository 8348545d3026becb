"""`Idempotency-Key`: the same write twice within 24 hours is done once and answered twice.

Everything happens in the transaction of the write: there is no moment at which the work is done and the
answer is not kept, or the other way round.
"""

from __future__ import annotations

import hashlib
import json
import string
from datetime import timedelta
from typing import Any

from django.db import connection
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from portal.common import clock, sealing
from portal.common.api.models import KeptAnswer
from portal.common.errors import Conflict, FieldError, Invalid

KEPT_FOR = timedelta(hours=24)
WAIT_FOR_FIRST_MS = 10_000
_KEPT_HEADERS = ("Location", "ETag")
_PURPOSE = "api.kept-answer"
_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)


def request_hash(method: str, path: str, body: bytes) -> bytes:
    """What makes two requests the same: method, path with query, and the exact body."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).digest()


def checked_key(key: str) -> str:
    """The key itself. Raises Invalid unless it is 1 to 255 printable ASCII characters without a space."""
    if not 0 < len(key) <= 255 or not set(key) <= _ALLOWED:
        raise Invalid([FieldError("", "Idempotency-Key must be 1 to 255 printable ASCII characters, no space.")])
    return key


def claim(caller: str, key: str, wanted: bytes) -> Response | None:
    """Take `key` for this transaction: None when the work is to be done, else the first answer.

    Waits for a request under the same key that is still running, at most ten seconds (then the database
    raises OperationalError, answered by 503). Raises Conflict when the key was used for another request.
    """
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{WAIT_FOR_FIRST_MS}ms"])
        cursor.execute(
            "INSERT INTO api_keptanswer (caller, key, request_hash, status, sealed_answer, created_at)"
            " VALUES (%s, %s, %s, 0, '', %s) ON CONFLICT (caller, key) DO UPDATE"
            " SET request_hash = excluded.request_hash, status = 0, sealed_answer = '',"
            " created_at = excluded.created_at"
            " WHERE api_keptanswer.created_at < %s RETURNING id",
            [caller, key, wanted, now, now - KEPT_FOR],
        )
        if cursor.fetchone():
            return None
    kept = KeptAnswer.objects.get(caller=caller, key=key)
    if bytes(kept.request_hash) != wanted:
        raise Conflict("This Idempotency-Key was used for another request. Take a new key.")
    return _restored(kept)


def keep(caller: str, key: str, response: Response) -> None:
    """Store the answer under the claimed key, sealed."""
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    answer = json.dumps({"data": response.data, "headers": headers}, cls=JSONEncoder).encode()
    KeptAnswer.objects.filter(caller=caller, key=key).update(
        status=response.status_code, sealed_answer=sealing.seal(answer, purpose=_PURPOSE)
    )


def forget_old() -> int:
    """Delete answers older than 24 hours; how many. Safe to run any number of times."""
    deleted, _ = KeptAnswer.objects.filter(created_at__lt=clock.now() - KEPT_FOR).delete()
    return deleted


def _restored(kept: KeptAnswer) -> Response:
    answer: dict[str, Any] = json.loads(sealing.unseal(bytes(kept.sealed_answer), purpose=_PURPOSE))
    response = Response(answer["data"], status=kept.status)
    for name, value in answer["headers"].items():
        response[name] = value
    response["Idempotency-Replayed"] = "true"
    return response
