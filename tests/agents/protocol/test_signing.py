"""Signed requests: each part of a request is covered, and a wrong clock is told apart from a wrong key."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agents.protocol import signing
from agents.protocol.signing import SignatureError, read_headers, sign_request, verify_request
from tests.agents.protocol.signer import AGENT, NOW, STRANGER

TARGET = "/agent/v1/events?x=1"
BODY = b"\x81\xa1a\x01"
PUBLIC = signing.public_bytes(AGENT)


def headers(**changes: str) -> dict[str, str]:
    signed = sign_request(AGENT, method="POST", target=TARGET, body=BODY, created=NOW, sequence=41)
    return {**signed, **{name.replace("_", "-"): value for name, value in changes.items()}}


def refusal(
    found: Mapping[str, str],
    *,
    method: str = "POST",
    target: str = TARGET,
    body: bytes = BODY,
    now: int = NOW,
) -> str:
    with pytest.raises(SignatureError) as caught:
        verify_request(read_headers(found), PUBLIC, method=method, target=target, body=body, now=now)
    return caught.value.code


def test_an_honest_request_is_accepted_up_to_five_minutes_off() -> None:
    for now in (NOW - 300, NOW, NOW + 300):
        verify_request(read_headers(headers()), PUBLIC, method="POST", target=TARGET, body=BODY, now=now)


def test_header_names_in_any_case() -> None:
    lowered = {name.lower(): value for name, value in headers().items()}
    assert read_headers(lowered).sequence == 41
    assert read_headers(lowered).key_id == signing.fingerprint(PUBLIC)[:32]


@pytest.mark.parametrize("seconds", [-2 * 86_400, -301, 301, 2 * 86_400])
def test_a_skewed_clock_is_named_as_such(seconds: int) -> None:
    assert refusal(headers(), now=NOW + seconds) == "clock_skew"


def test_swapping_method_path_or_query_breaks_the_signature() -> None:
    assert refusal(headers(), method="GET") == "bad_signature"
    assert refusal(headers(), target="/agent/v1/events?x=2") == "bad_signature"
    assert refusal(headers(), target="/agent/v1/ack") == "bad_signature"


def test_swapping_the_body_breaks_the_digest_and_swapping_both_the_signature() -> None:
    assert refusal(headers(), body=b"other") == "digest_mismatch"
    swapped = headers(Content_Digest=signing.content_digest(b"other"))
    assert refusal(swapped, body=b"other") == "bad_signature"


def test_changing_created_sequence_or_key_breaks_the_signature() -> None:
    assert refusal(headers(Portcullis_Created=str(NOW + 1))) == "bad_signature"
    assert refusal(headers(Portcullis_Sequence="42")) == "bad_signature"
    assert refusal(headers(Portcullis_Key="0" * 32)) == "bad_signature"


def test_the_signature_of_another_key_is_no_signature() -> None:
    foreign = sign_request(STRANGER, method="POST", target=TARGET, body=BODY, created=NOW, sequence=41)
    assert refusal(foreign) == "bad_signature"


def test_a_wrong_signature_learns_nothing_about_the_clock() -> None:
    assert refusal(headers(Portcullis_Sequence="42"), now=NOW + 10_000) == "bad_signature"


@pytest.mark.parametrize("name", [signing.KEY, signing.CREATED, signing.SEQUENCE, signing.DIGEST, signing.SIGNATURE])
def test_a_missing_header(name: str) -> None:
    found = headers()
    del found[name]
    assert refusal(found) == "missing_header"


@pytest.mark.parametrize("number", ["", "-1", "+1", " 1", "1.0", "1e3", "٣", "9" * 30, str(2**63)])
def test_numbers_are_plain_decimal(number: str) -> None:
    assert refusal(headers(Portcullis_Sequence=number)) == "malformed_header"


@pytest.mark.parametrize("key", [bytes(32), bytes(31) + b"\x80", b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_a_key_of_small_order_verifies_nothing(key: bytes) -> None:
    """Under such a key a signature of zeros verifies for many a message, and nobody holds its private half."""
    forged = key + bytes(32)
    assert not any(signing.verify(key, signature, bytes([n])) for n in range(64) for signature in (bytes(64), forged))


def test_an_unusable_public_key_verifies_nothing() -> None:
    assert not signing.verify(b"short", b"\0" * 64, b"message")
    assert not signing.verify(PUBLIC, b"", b"message")


def test_base64_is_strict() -> None:
    assert signing.unb64(signing.b64(b"\x00\xff")) == b"\x00\xff"
    for text in ("a", "a===", "YQ==\n", "é"):
        with pytest.raises(ValueError, match="base64"):
            signing.unb64(text)
