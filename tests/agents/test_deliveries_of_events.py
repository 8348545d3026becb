"""Events and requests through the signed edge: stored once, answered alike, only one's own."""

from __future__ import annotations

import pytest

from agents.protocol import messages
from tests.agents.conftest import Enroll


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_a_batch_is_stored_and_answered_alike_when_sent_again(enroll: Enroll, encoding: str) -> None:
    endpoint = enroll()
    events = (endpoint.event(), endpoint.event(r"c:\tools\b.exe"))
    first = endpoint.send_events(*events, encoding=encoding).read(messages.EventsAnswer)
    endpoint.batch -= 1
    again = endpoint.send_events(*events, encoding=encoding).read(messages.EventsAnswer)
    assert (first.accepted, first.acknowledged_sequence) == (2, 2)
    assert (again.acknowledged_sequence, again.rejected) == (2, ())


def test_the_same_number_with_other_bytes_is_a_conflict(enroll: Enroll) -> None:
    endpoint = enroll()
    endpoint.send_events(endpoint.event())
    endpoint.batch -= 1
    assert endpoint.send_events(endpoint.event("other")).status == 409


def test_one_bad_entry_is_refused_alone(enroll: Enroll) -> None:
    endpoint = enroll()
    bad = endpoint.event(decision=None)
    answer = endpoint.send_events(endpoint.event(), bad).read(messages.EventsAnswer)
    assert answer.accepted == 1 and [r.index for r in answer.rejected] == [1]


def test_who_sends_too_much_is_told_when_to_come_back_and_others_are_not(
    enroll: Enroll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.api.agent_views.BATCHES_AT_ONCE", 2)
    noisy, quiet = enroll("fin-01"), enroll("fin-02")
    statuses = [noisy.send_events(noisy.event()).status for _ in range(3)]
    refused = noisy.send_events(noisy.event())
    assert statuses == [200, 200, 429] and int(refused.headers["retry-after"]) >= 1
    assert quiet.send_events(quiet.event()).status == 200


def test_what_is_no_batch_is_a_400(enroll: Enroll) -> None:
    reply = enroll().request("POST", "events", raw=b"\x93\x01\x02\x03")
    assert (reply.status, reply.code) == (400, "malformed")


def test_json_is_understood_and_answered(enroll: Enroll) -> None:
    endpoint = enroll()
    batch = messages.EventBatch(boot_id="b", batch=1, first_sequence=1, events=(endpoint.event(),))
    raw = messages.encode(batch, messages.JSON)
    reply = endpoint.request("POST", "events", raw=raw, headers={"Content-Type": messages.JSON})
    assert reply.status == 200 and reply.body.startswith(b"{")


def test_a_person_asks_and_only_that_computer_reads_the_answer(enroll: Enroll) -> None:
    endpoint, other = enroll("fin-01"), enroll("fin-02")
    message = messages.RequestMessage(path=r"c:\tools\a.exe", sha256="a" * 64, user="ada", reason="month end")
    answer = endpoint.request("POST", "requests", message).read(messages.RequestAnswer)
    assert answer.status == "pending"
    assert endpoint.request("GET", f"requests/{answer.id}").read(messages.RequestAnswer).id == answer.id
    assert other.request("GET", f"requests/{answer.id}").status == 404
