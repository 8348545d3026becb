"""The pretend computer's spool: immutable batches, and nothing forgotten that was not acknowledged."""

from __future__ import annotations

import pytest

from agents.protocol.messages import Event, EventsAnswer, RejectedEvent
from agents.simulate.ledger import Ledger
from agents.simulate.spool import Spool


def filled(count: int) -> Spool:
    spool = Spool(Ledger())
    for number in range(1, count + 1):
        spool.add(Event(sequence=number, occurred_at_ms=number, path=f"c:\\{number}.exe"))
    return spool


def test_a_batch_stays_the_same_until_it_is_settled() -> None:
    spool = filled(3)
    first = spool.batch()
    spool.add(Event(sequence=4, occurred_at_ms=4))
    assert spool.batch() is first


def test_only_what_the_answer_names_is_forgotten() -> None:
    spool = filled(3)
    batch = spool.batch()
    assert batch is not None
    spool.settle(EventsAnswer(batch=batch.batch, accepted=2, duplicate=0, acknowledged_sequence=2))
    assert len(spool) == 1
    assert spool.ledger.acknowledged == {(spool.boot_id, 1), (spool.boot_id, 2)}


def test_an_answer_to_another_batch_changes_nothing() -> None:
    spool = filled(2)
    batch = spool.batch()
    assert batch is not None
    spool.settle(EventsAnswer(batch=batch.batch + 1, accepted=2, duplicate=0, acknowledged_sequence=2))
    assert len(spool) == 2
    assert spool.batch() is batch


def test_a_rejected_event_is_remembered_with_its_reason() -> None:
    spool = filled(2)
    batch = spool.batch()
    assert batch is not None
    rejected = (RejectedEvent(index=1, reason="bad_time"),)
    spool.settle(EventsAnswer(batch=batch.batch, accepted=1, duplicate=0, rejected=rejected, acknowledged_sequence=2))
    assert spool.ledger.rejected == [(spool.boot_id, 2, "bad_time")]
    assert spool.ledger.acknowledged == {(spool.boot_id, 1)}
    assert len(spool) == 0


def test_halving_makes_another_batch_with_half_the_events() -> None:
    spool = filled(8)
    spool.limit = 8
    first = spool.batch()
    spool.halve()
    second = spool.batch()
    assert first is not None
    assert second is not None
    assert (len(first.events), len(second.events)) == (8, 4)
    assert second.batch != first.batch


def test_a_sequence_with_a_hole_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="sequence 5 is not 2"):
        filled(1).add(Event(sequence=5, occurred_at_ms=1))
