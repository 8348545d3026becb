"""What ingestion promises an agent: exactly once, nothing lost over one bad entry, tenants from the key alone."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec
import pytest
from django.db import connection

from agents.protocol.messages import Event, EventBatch, Gap, decode, encode
from audit.ingest import ingest_batch
from audit.rejected import rejected_of
from audit.stored_text import has_hidden_characters, original, stored
from audit.words import Flag, Outcome
from portal.common import clock
from portal.common.errors import Conflict, NotFound
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import agent_reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit.sending import DENY, PERMIT, RINGFENCED, WOULD_DENY, event, send, send_body

pytestmark = pytest.mark.django_db


@pytest.fixture
def fin_01(able_moose: Organization) -> Computer:
    return factories.computer(factories.group(able_moose, "Finance"), "FIN-LT-01")


def rows(sql: str = "SELECT * FROM audit_event ORDER BY id", *parameters: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def test_a_batch_becomes_events_with_the_computers_own_numbers(fin_01: Computer) -> None:
    answer = send(
        fin_01, event(7), event(8, decision=PERMIT), event(9, decision=WOULD_DENY), event(10, decision=RINGFENCED)
    )
    assert (answer.accepted, answer.duplicate, answer.acknowledged_sequence) == (4, 0, 10)
    found = rows(
        "SELECT organization_number, computer_number, group_number, sequence, outcome FROM audit_event ORDER BY id"
    )
    own = (fin_01.organization.number, fin_01.number, fin_01.group.number)
    expected = [(7, Outcome.DENIED), (8, Outcome.PERMITTED), (9, Outcome.WOULD_DENY), (10, Outcome.RINGFENCED)]
    assert found == [(*own, sequence, outcome) for sequence, outcome in expected]


def test_a_batch_that_is_sent_again_changes_nothing_and_is_answered_alike(fin_01: Computer) -> None:
    events = [event(n) for n in range(1, 26)]
    answers = [send(fin_01, *events) for _ in range(5)]
    assert [a.accepted for a in answers] == [25, 0, 0, 0, 0]
    assert {a.duplicate for a in answers[1:]} == {25}
    assert {a.acknowledged_sequence for a in answers} == {25}
    assert len(rows()) == 25


def test_the_same_number_with_other_content_is_a_conflict_and_stores_nothing(fin_01: Computer) -> None:
    send(fin_01, event(1))
    with pytest.raises(Conflict):
        send(fin_01, event(1, path=r"C:\other.exe"))
    assert len(rows()) == 1


def test_a_reinstalled_agent_may_count_from_one_again(fin_01: Computer) -> None:
    send(fin_01, event(1))
    assert send(fin_01, event(1, path=r"C:\other.exe"), boot_id="boot-2").accepted == 1


def test_one_bad_entry_is_refused_alone_and_kept_for_the_technician(fin_01: Computer) -> None:
    good = msgspec.to_builtins(event(1))
    bad = {**good, "sha256": "not a hash", "sequence": 2}
    undecided = {**good, "decision": None, "sequence": 3}
    body = msgspec.msgpack.encode(
        {"boot_id": "b", "batch": 1, "first_sequence": 1, "events": [good, bad, 17, undecided, {**good, "sequence": 5}]}
    )
    answer = send_body(fin_01, body)
    assert answer.accepted == 2
    assert [r.index for r in answer.rejected] == [1, 2, 3]
    assert answer.acknowledged_sequence == 5
    kept = rows("SELECT index, reason, raw FROM audit_rejected ORDER BY index")
    assert [row[0] for row in kept] == [1, 2, 3]
    assert b"not a hash" in bytes(kept[0][2])
    again = send_body(fin_01, body)
    assert [(r.index, r.reason) for r in again.rejected] == [(r.index, r.reason) for r in answer.rejected]


def test_an_event_over_its_size_is_refused_alone_and_only_its_beginning_kept(fin_01: Computer) -> None:
    long = {"path": "p" * 30_000, "process": "q" * 30_000, "command_line": "r" * 30_000}
    entries = [{**msgspec.to_builtins(event(1)), **long}, msgspec.to_builtins(event(2))]
    body = msgspec.msgpack.encode({"boot_id": "b", "batch": 1, "first_sequence": 1, "events": entries})
    answer = send_body(fin_01, body)
    assert (answer.accepted, answer.acknowledged_sequence) == (1, 2)
    assert [(r.index, "65536" in r.reason) for r in answer.rejected] == [(0, True)]
    ((kept,),) = rows("SELECT length(raw) FROM audit_rejected")
    assert 0 < kept < 65_536


def test_the_technician_sees_what_could_not_be_read(fin_01: Computer, brisk_otter: Organization) -> None:
    body = msgspec.msgpack.encode({"boot_id": "b", "batch": 1, "first_sequence": 4, "events": [{"path": "<b>"}, 17]})
    send_body(fin_01, body)
    found = rejected_of(factories.SYSTEM, fin_01)
    assert len(found) == 2
    assert "<b>" in found[0].raw + found[1].raw
    foreign = agent_reach(
        computer_id=fin_01.id, name="x", organization_id=brisk_otter.id, number=brisk_otter.number, ancestors=[]
    )
    with pytest.raises(NotFound):
        rejected_of(foreign, fin_01)


def test_a_batch_of_nothing_but_bad_entries_is_acknowledged(fin_01: Computer) -> None:
    body = msgspec.msgpack.encode({"boot_id": "b", "batch": 1, "first_sequence": 4, "events": [17]})
    answer = send_body(fin_01, body)
    assert (answer.accepted, len(answer.rejected), answer.acknowledged_sequence) == (0, 1, 4)


HOSTILE = [
    "nul\x00inside", "\u202efdp.exe", "e\u0301" + "\u0301" * 300, "x" * 12_000, "\x1b[31mred", "{{ 7*7 }}",
    "<img onerror=x>", "=cmd|' /C calc'!A0", "' OR 1=1 --", "%0d%0aSet-Cookie: a=b", "⟨U+0000⟩", "⟨U+", "\ufffe", "😀",
    "%s %(a)s", "\\", "\n\r\t",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_stored_losslessly_in_every_field(fin_01: Computer, text: str) -> None:
    sent = event(1, path=text, process=text, created_by=text, certificate=text, command_line=text, user=text[:512])
    assert send(fin_01, sent).accepted == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT command_line, flags FROM audit_event")
        line, flags = cursor.fetchone()
        cursor.execute("SELECT name FROM audit_user")
        (user,) = cursor.fetchone()
    assert (original(line), original(user)) == (text, text[:512])
    assert bool(flags & Flag.HIDDEN_CHARACTERS) == has_hidden_characters(text)


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800", "a\udfff⟨U+D800⟩", "⟨⟨U+27E8⟩U+0000⟩"])
def test_stored_text_gives_back_the_original(text: str) -> None:
    stored(text).encode()
    assert "\x00" not in stored(text)
    assert original(stored(text)) == text


@pytest.mark.parametrize("stamp", [0, -(2**62), 2**62, 4_070_908_800_000])
def test_an_absurd_clock_changes_nothing_but_a_flag(fin_01: Computer, stamp: int) -> None:
    before = clock.now()
    assert send(fin_01, event(1, occurred_at_ms=stamp)).accepted == 1
    ((received_at, occurred_at, flags),) = rows("SELECT received_at, occurred_at, flags FROM audit_event")
    assert before <= received_at <= clock.now()
    assert flags & Flag.WRONG_CLOCK
    assert received_at - timedelta(days=91) < occurred_at <= received_at + timedelta(minutes=5)


def test_a_gap_is_an_event_with_its_counts(fin_01: Computer) -> None:
    gap = Event(
        sequence=3, occurred_at_ms=clock.to_ms(clock.now()), action_type="gap",
        gap=Gap(dropped_permits=312, dropped_denies=0),
    )  # fmt: skip
    assert send(fin_01, gap).accepted == 1
    ((outcome, file_id, text),) = rows("SELECT outcome, file_id, command_line FROM audit_event")
    assert (outcome, file_id) == (Outcome.GAP, 0)
    assert text == '{"dropped_permits": 312, "dropped_denies": 0}'


def test_an_agent_writes_only_into_its_own_organization(fin_01: Computer, brisk_otter: Organization) -> None:
    """Even a portal that mixed up two computers could not store the row: the wall checks what is written."""
    foreign = agent_reach(
        computer_id=fin_01.id, name="x", organization_id=brisk_otter.id, number=brisk_otter.number, ancestors=[]
    )
    with reaching(foreign), pytest.raises(Exception, match="row-level security"):
        send(fin_01, event(1), reach=foreign)


def test_an_agents_own_reach_is_enough(fin_01: Computer) -> None:
    organization = fin_01.organization
    own = agent_reach(
        computer_id=fin_01.id, name="x", organization_id=organization.id, number=organization.number,
        ancestors=[organization.parent_id],
    )  # fmt: skip
    with reaching(own):
        assert send(fin_01, event(1), reach=own).accepted == 1


def test_a_decision_remembers_what_its_policy_was_called(fin_01: Computer) -> None:
    from policies.models import Policy

    default = Policy.objects.within(factories.SYSTEM).get(target_group=fin_01.group, is_default=True)
    send(fin_01, event(1, decision=msgspec.structs.replace(DENY, policy=str(default.id))))
    default.name = "Renamed"
    default.save()
    assert rows("SELECT policy, policy_name, reason_code FROM audit_decision") == [
        (str(default.id), "Default - (Finance)", "default_deny")
    ]


def test_a_day_without_partitions_gets_them(fin_01: Computer) -> None:
    long_ago = clock.now() - timedelta(days=30)
    assert send(fin_01, event(1), received_at=long_ago).accepted == 1
    assert rows("SELECT received_at FROM audit_event") == [(long_ago,)]


def test_decoded_events_are_taken_too(fin_01: Computer) -> None:
    batch = EventBatch(boot_id="b", batch=1, first_sequence=1, events=(event(1),))
    body = encode(batch)
    assert decode(EventBatch, body) == batch
    answer = ingest_batch(factories.SYSTEM, computer=fin_01, batch=batch, digest=hashlib.sha256(body).hexdigest())
    assert answer.accepted == 1
