"""The spool: bounded, permits first, gaps counted exactly, batches that never change."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from agents.endpoint.spool import DENY, PERMIT, Batch, Recorded, Spool, prepare
from agents.protocol import compression, messages
from agents.protocol.messages import Event, EventBatch, EventDecision, EventsAnswer

BOOT, NOW_MS = "boot 1", 1_790_000_000_000


def recorded(kind: int, path: str = "/x") -> Recorded:
    decision = EventDecision(action="deny", effect="denied") if kind == DENY else None
    return Recorded(Event(sequence=0, occurred_at_ms=NOW_MS, path=path, decision=decision), kind)


def opened(batch: Batch) -> EventBatch:
    return messages.decode(EventBatch, compression.inflate(batch.body, "zstd"))


def answer(batch: Batch, acknowledged: int | None = None) -> EventsAnswer:
    sequence = batch.last_sequence if acknowledged is None else acknowledged
    return EventsAnswer(batch=batch.number, accepted=0, duplicate=0, acknowledged_sequence=sequence)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool.db", max_rows=10)


def next_batch(spool: Spool, limit: int = 1_000) -> Batch:
    batch = spool.next_batch(BOOT, NOW_MS, limit=limit)
    assert batch is not None
    return batch


def test_an_empty_spool_has_no_batch(spool: Spool) -> None:
    assert spool.is_empty()
    assert spool.next_batch(BOOT, NOW_MS) is None


def test_sequences_rise_across_restarts_and_deletions(spool: Spool, tmp_path: Path) -> None:
    spool.append(BOOT, [recorded(PERMIT), recorded(DENY)])
    batch = next_batch(spool)
    assert [event.sequence for event in opened(batch).events] == [1, 2]
    spool.settle(batch, answer(batch))
    spool.close()
    again = Spool(tmp_path / "spool.db")
    again.append(BOOT, [recorded(PERMIT)])
    assert next_batch(again).first_sequence == 3


def test_a_batch_in_flight_is_always_the_same_bytes(spool: Spool, tmp_path: Path) -> None:
    spool.append(BOOT, [recorded(PERMIT)])
    batch = next_batch(spool)
    spool.append(BOOT, [recorded(DENY)])
    assert next_batch(spool) == batch
    spool.close()
    assert next_batch(Spool(tmp_path / "spool.db")) == batch


def test_only_what_is_acknowledged_is_deleted(spool: Spool) -> None:
    spool.append(BOOT, [recorded(PERMIT) for _ in range(4)])
    batch = next_batch(spool)
    assert spool.settle(batch, answer(batch, acknowledged=2)) == 2
    rest = next_batch(spool)
    assert [event.sequence for event in opened(rest).events] == [3, 4]
    assert rest.number > batch.number


def test_an_answer_never_deletes_more_than_was_sent(spool: Spool) -> None:
    spool.append(BOOT, [recorded(PERMIT), recorded(PERMIT)])
    batch = next_batch(spool, limit=1)
    spool.settle(batch, answer(batch, acknowledged=10**6))
    assert spool.depth() == 1


def test_the_answer_to_another_batch_deletes_nothing(spool: Spool) -> None:
    spool.append(BOOT, [recorded(PERMIT)])
    batch = next_batch(spool)
    other = EventsAnswer(batch=batch.number + 1, accepted=1, duplicate=0, acknowledged_sequence=9)
    assert spool.settle(batch, other) == 0
    assert next_batch(spool) == batch


def test_full_drops_the_oldest_permits_keeps_denials_and_counts(spool: Spool) -> None:
    spool.append(BOOT, [recorded(PERMIT, f"/p{n}") for n in range(6)])
    spool.append(BOOT, [recorded(DENY, f"/d{n}") for n in range(8)])
    assert spool.depth() == 10
    events = opened(next_batch(spool)).events
    assert [event.path for event in events if event.path.startswith("/p")] == ["/p4", "/p5"]
    assert len([event for event in events if event.path.startswith("/d")]) == 8
    gaps = [event.gap for event in events if event.gap]
    assert [(gap.dropped_permits, gap.dropped_denies) for gap in gaps] == [(4, 0)]


def test_when_only_denials_are_left_the_oldest_of_them_go_last_and_are_counted(spool: Spool) -> None:
    spool.append(BOOT, [recorded(PERMIT)] + [recorded(DENY, f"/d{n}") for n in range(13)])
    events = opened(next_batch(spool)).events
    assert [event.path for event in events if event.path] == [f"/d{n}" for n in range(3, 13)]
    gap = next(event.gap for event in events if event.gap)
    assert (gap.dropped_permits, gap.dropped_denies) == (1, 3)


def test_a_gap_is_told_once(spool: Spool) -> None:
    spool.lose(3, 2)
    assert not spool.is_empty()
    batch = next_batch(spool)
    gap = opened(batch).events[0].gap
    assert gap is not None
    assert (gap.dropped_permits, gap.dropped_denies) == (3, 2)
    spool.settle(batch, answer(batch))
    assert spool.is_empty()


def test_what_is_in_flight_is_not_dropped(spool: Spool) -> None:
    spool.append(BOOT, [recorded(PERMIT, f"/sent{n}") for n in range(5)])
    batch = next_batch(spool)
    spool.append(BOOT, [recorded(PERMIT, f"/new{n}") for n in range(20)])
    assert spool.settle(batch, answer(batch)) == 5


def test_one_boot_per_batch(spool: Spool) -> None:
    spool.append("boot 1", [recorded(PERMIT), recorded(PERMIT)])
    spool.append("boot 2", [recorded(PERMIT)])
    first = next_batch(spool)
    assert (opened(first).boot_id, len(opened(first).events)) == ("boot 1", 2)
    spool.settle(first, answer(first))
    assert opened(next_batch(spool)).boot_id == "boot 2"


def test_a_batch_stays_under_the_limit_of_a_body(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.append(BOOT, [recorded(DENY, secrets.token_hex(8_000)) for _ in range(300)])
    assert len(next_batch(spool).body) < messages.MAX_BODY_BYTES


def test_a_batch_nobody_takes_is_counted_as_a_gap(spool: Spool) -> None:
    spool.append(BOOT, [recorded(DENY)])
    spool.discard(next_batch(spool))
    events = opened(next_batch(spool)).events
    assert [event.gap.dropped_denies for event in events if event.gap] == [1]


def test_a_damaged_spool_is_put_aside_and_no_number_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    prepare(path, is_enrolled=True)
    old = Spool(path)
    old.append(BOOT, [recorded(DENY)])
    last = next_batch(old)
    request = old.reserve_requests(1_000)
    old.close()
    path.write_bytes(b"not a database at all" * 100)
    prepare(path, is_enrolled=True)
    new = Spool(path)
    new.append(BOOT, [recorded(DENY)])
    assert next_batch(new).first_sequence > last.last_sequence
    assert next_batch(new).number > last.number
    assert new.reserve_requests(1_000) > request + 1_000
    assert (tmp_path / "spool.db.damaged").exists()


def test_preparing_a_sound_spool_changes_nothing(spool: Spool, tmp_path: Path) -> None:
    spool.append(BOOT, [recorded(DENY)])
    prepare(tmp_path / "spool.db", is_enrolled=True)
    assert spool.depth() == 1
    assert next_batch(spool).first_sequence == 1


def test_request_numbers_are_never_given_twice(tmp_path: Path) -> None:
    first = Spool(tmp_path / "spool.db").reserve_requests(1_000)
    assert Spool(tmp_path / "spool.db").reserve_requests(1_000) == first + 1_000


def test_the_mirror_of_creators_remembers_the_last_writer(spool: Spool) -> None:
    spool.remember_creators([(b"handle", "/usr/bin/cp", 1), (b"handle", "/usr/bin/dd", 2)])
    assert spool.creator(b"handle") == "/usr/bin/dd"
    assert spool.creator(b"other") == ""
