"""Messages: the same in MessagePack and JSON, tolerant of newer fields, strict about everything else."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol import messages
from agents.protocol.messages import (
    JSON,
    MSGPACK,
    CheckinRequest,
    Event,
    EventBatch,
    EventDecision,
    Gap,
    ProtocolError,
    RawEventBatch,
    decode,
    encode,
)

EVENT = Event(
    sequence=3,
    occurred_at_ms=1_790_000_000_123,
    path="/srv/tools/patch.sh",
    sha256="ab" * 32,
    process="/usr/bin/bash",
    decision=EventDecision(action="deny", effect="denied", policy="p", reason_code="policy"),
    bundle_version=7,
    size=120,
)
BATCH = EventBatch(
    boot_id="b",
    batch=1,
    first_sequence=3,
    events=(
        EVENT,
        Event(sequence=4, occurred_at_ms=1, action_type="gap", gap=Gap(dropped_permits=2, dropped_denies=0)),
    ),
)


@pytest.mark.parametrize("content_type", [MSGPACK, JSON, "Application/JSON; charset=utf-8"])
def test_a_message_survives_the_wire(content_type: str) -> None:
    assert decode(EventBatch, encode(BATCH, content_type), content_type) == BATCH


def test_fields_of_a_newer_version_are_ignored() -> None:
    newer = msgspec.msgpack.encode({"nonce": "n", "mode": "learning", "field_of_tomorrow": [1, 2]})
    assert decode(CheckinRequest, newer).mode == "learning"


@pytest.mark.parametrize(
    "bad",
    [
        {"nonce": "n", "mode": "open"},
        {"nonce": "n", "bundle_version": -1},
        {"nonce": "n", "bundle_sha256": "AB" * 32},
        {"nonce": "n", "queue_depth": 2**63},
        {"nonce": "x" * 513},
        {"mode": "secured"},
    ],
)
def test_a_field_outside_its_bounds_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        decode(CheckinRequest, msgspec.msgpack.encode(bad))


def test_more_events_than_allowed_are_refused_whole() -> None:
    body = encode(EventBatch(boot_id="b", batch=1, first_sequence=3, events=(EVENT,) * (messages.MAX_EVENTS + 1)))
    with pytest.raises(ProtocolError):
        decode(RawEventBatch, body)


def test_text_that_is_not_utf8_is_refused_in_both_directions() -> None:
    with pytest.raises(ProtocolError):
        encode(msgspec.structs.replace(EVENT, path="/srv/\udcff"))
    with pytest.raises(ProtocolError):
        decode(Event, encode(EVENT).replace(b"patch", b"p\xfftch"))


def test_unknown_content_type() -> None:
    for content_type in ("", "text/html", "application/x-msgpack"):
        with pytest.raises(ProtocolError):
            decode(Event, encode(EVENT), content_type)
        with pytest.raises(ProtocolError):
            encode(EVENT, content_type)


@given(st.binary(max_size=300), st.sampled_from([MSGPACK, JSON]))
def test_whatever_the_bytes_the_answer_is_a_message_or_a_protocol_error(body: bytes, content_type: str) -> None:
    for kind in (EventBatch, RawEventBatch, CheckinRequest):
        with contextlib.suppress(ProtocolError):
            assert isinstance(decode(kind, body, content_type), kind)


def test_json_as_deep_as_it_likes() -> None:
    with pytest.raises(ProtocolError):
        decode(EventBatch, b'{"events":' + b"[" * 100_000, JSON)
