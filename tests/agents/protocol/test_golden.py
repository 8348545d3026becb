"""Golden files: bytes another implementation can be checked against, and that ours must never change by
accident.

`python -m tests.agents.protocol.test_golden` writes them anew after a deliberate change of format.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from agents.protocol import envelope, messages, signing
from agents.protocol.acceptance import accept, accept_checkpoint
from agents.protocol.manifest import CHECKPOINT_TYPE, Checkpoint, Manifest, TrustRoot
from tests.agents.protocol.signer import (
    AGENT,
    CHECKPOINT,
    NONCE,
    NOW,
    STATE,
    TRUST,
    checkpoint_of,
    manifest,
    payload,
    sealed,
    sealed_checkpoint,
)
from tests.agents.protocol.test_messages import BATCH

GOLDEN = Path(__file__).parent / "golden"


def signed_request() -> bytes:
    body = messages.encode(BATCH)
    headers = signing.sign_request(AGENT, method="POST", target="/agent/v1/events", body=body, created=NOW, sequence=41)
    record = {
        "method": "POST",
        "target": "/agent/v1/events",
        "body_file": "events.msgpack",
        "private_key": signing.b64(AGENT.private_bytes_raw()),
        "headers": headers,
    }
    return json.dumps(record, indent=1).encode() + b"\n"


def files() -> dict[str, bytes]:
    """Name -> content of every golden file, as the code makes them now."""
    good = manifest()
    return {
        "trust.msgpack": payload(TRUST),
        "manifest.msgpack": payload(good),
        "manifest.envelope": sealed(good),
        "checkpoint.envelope": sealed_checkpoint(checkpoint_of(good)),
        "events.msgpack": messages.encode(BATCH),
        "events.json": messages.encode(BATCH, messages.JSON),
        "checkin.json": messages.encode(messages.CheckinRequest(nonce=NONCE, boot_id="b"), messages.JSON),
        "request.json": signed_request(),
    }


@pytest.mark.parametrize("name", sorted(files()))
def test_the_code_still_makes_these_bytes(name: str) -> None:
    assert (GOLDEN / name).read_bytes() == files()[name]


def test_the_golden_envelopes_are_accepted_with_the_golden_trust() -> None:
    trust = msgspec.msgpack.decode((GOLDEN / "trust.msgpack").read_bytes(), type=TrustRoot)
    point, state = accept_checkpoint((GOLDEN / "checkpoint.envelope").read_bytes(), STATE, trust, NONCE, NOW)
    accepted = accept((GOLDEN / "manifest.envelope").read_bytes(), state, trust, point, NOW)
    golden = msgspec.msgpack.decode((GOLDEN / "manifest.msgpack").read_bytes(), type=Manifest)
    assert accepted.manifest == golden


def test_the_golden_request_verifies() -> None:
    record = json.loads((GOLDEN / "request.json").read_text())
    signing.verify_request(
        signing.read_headers(record["headers"]),
        signing.public_bytes(AGENT),
        method=record["method"],
        target=record["target"],
        body=(GOLDEN / record["body_file"]).read_bytes(),
        now=NOW,
    )


def test_the_pre_authentication_encoding_is_the_one_dsse_publishes() -> None:
    """The vector of the DSSE protocol page."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert envelope.pre_authentication("http://example.com/HelloWorld", b"hello world") == expected


def test_a_golden_checkpoint_opens_by_hand() -> None:
    """What docs/agent-protocol.md tells a stranger to do, done with nothing but MessagePack and Ed25519."""
    opened = msgspec.msgpack.decode((GOLDEN / "checkpoint.envelope").read_bytes())
    kind, body = opened["payload_type"].encode(), opened["payload"]
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    CHECKPOINT.public_key().verify(opened["signatures"][0]["sig"], message)
    assert opened["payload_type"] == CHECKPOINT_TYPE
    assert msgspec.msgpack.decode(body, type=Checkpoint).nonce == NONCE


if __name__ == "__main__":
    for file_name, content in files().items():
        (GOLDEN / file_name).write_bytes(content)
