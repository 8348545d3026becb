"""Requests: never in the clear, never redirected, never more than asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.endpoint.enrolment import enroll
from agents.endpoint.spool import Spool
from agents.endpoint.store import Store, StoreError
from agents.endpoint.syncer import Sequence
from agents.endpoint.transport import (
    AnswerTooLarge,
    InsecureUrl,
    RefusedByPortal,
    Transport,
    Unreachable,
    check_url,
)
from agents.protocol.messages import CheckinAnswer, CheckinRequest, NonceAnswer
from tests.agents.endpoint.portal_double import COMPUTER, INSTALL_KEY, PortalDouble

HELLO = CheckinRequest(nonce="n")


def transport(url: str) -> Transport:
    numbers = iter(range(1, 1_000))
    return Transport(url, key=Ed25519PrivateKey.generate(), sequence=lambda: next(numbers))


class Answering(BaseHTTPRequestHandler):
    """Answers every request with what the test put there."""

    status = 200
    body = b""
    headers_out: dict[str, str] = {}
    seen: list[str] = []

    def do_GET(self) -> None:
        type(self).seen.append(self.path)
        self.send_response(self.status)
        for name, value in self.headers_out.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[type[Answering], str]]:
    class Handler(Answering):
        seen: list[str] = []

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize("url", ["http://portal.example", "http://10.0.0.1:8000", "ftp://x", "portal.example", ""])
def test_an_address_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(InsecureUrl):
        check_url(url, insecure=False)


@pytest.mark.parametrize(
    "url", ["https://portal.example/", "http://localhost:8000", "http://127.0.0.1", "http://[::1]:1"]
)
def test_https_and_loopback_are_taken(url: str) -> None:
    assert check_url(url, insecure=False) == url.rstrip("/")
    assert check_url("http://portal.example", insecure=True) == "http://portal.example"


def test_a_redirect_is_not_followed(server: tuple[type[Answering], str]) -> None:
    handler, url = server
    handler.status, handler.headers_out = 302, {"Location": "http://127.0.0.1:1/elsewhere"}
    with pytest.raises(RefusedByPortal) as caught:
        transport(url).post("checkin", HELLO, CheckinAnswer)
    assert caught.value.status == 302
    assert handler.seen == ["/agent/v1/checkin"]


def test_one_byte_too_many_is_too_many(server: tuple[type[Answering], str]) -> None:
    handler, url = server
    handler.body = b"x" * 100
    assert transport(url).fetch("manifest", 100) == b"x" * 100
    with pytest.raises(AnswerTooLarge):
        transport(url).fetch("manifest", 99)


def test_retry_after_is_read_from_the_header(server: tuple[type[Answering], str]) -> None:
    handler, url = server
    handler.status, handler.headers_out, handler.body = 429, {"Retry-After": "17", "Content-Type": "text/html"}, b"<p>"
    with pytest.raises(RefusedByPortal) as caught:
        transport(url).post("checkin", HELLO, CheckinAnswer)
    assert (caught.value.retry_after_seconds, caught.value.problem.code) == (17.0, "unreadable")


def test_nonsense_and_nobody_are_the_same_to_us(server: tuple[type[Answering], str]) -> None:
    handler, url = server
    handler.body = b"<html>a captive portal</html>"
    with pytest.raises(Unreachable):
        transport(url).post("checkin", HELLO, CheckinAnswer)
    with pytest.raises(Unreachable):
        transport("http://127.0.0.1:9").post("checkin", HELLO, CheckinAnswer)


def test_enrolment_keeps_an_identity_and_happens_once(portal: PortalDouble, tmp_path: object) -> None:
    store = Store.open(f"{tmp_path}/state")
    identity = enroll(store, portal_url=portal.url + "/", install_key=INSTALL_KEY)
    assert (identity.computer, identity.portal_url) == (COMPUTER, portal.url)
    assert store.trust() == portal.trust
    for name in ("key", "identity.json", "state.msgpack", "trust.msgpack"):
        assert (store.root / name).stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="already"):
        enroll(store, portal_url=portal.url, install_key=INSTALL_KEY)


def test_a_wrong_install_key_leaves_nothing_behind(portal: PortalDouble, tmp_path: object) -> None:
    store = Store.open(f"{tmp_path}/state")
    with pytest.raises(RefusedByPortal):
        enroll(store, portal_url=portal.url, install_key="ik_1.wrong")
    assert store.identity() is None
    with pytest.raises(StoreError, match="enroll"):
        store.key()


def test_request_numbers_rise_across_restarts(store: Store, portal: PortalDouble) -> None:
    for _ in range(3):
        restarted = Transport(portal.url, key=store.key(), sequence=Sequence(Spool(store.spool)))
        restarted.post("checkin", HELLO, CheckinAnswer)
        restarted.post("checkin", HELLO, CheckinAnswer)
    assert len(portal.ledger.sequences) == 6
    assert portal.ledger.sequences == sorted(set(portal.ledger.sequences))


def test_a_nonce_is_not_signed_and_needs_no_identity(portal: PortalDouble) -> None:
    assert transport(portal.url).enroll("nonce", None, NonceAnswer).nonce
