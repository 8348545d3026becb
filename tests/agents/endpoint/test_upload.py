"""Delivering events over real HTTP to a portal that loses answers, is busy, or finds a batch too large."""

from __future__ import annotations

import pytest

from agents.endpoint.clock import ClockRecord, Sources, TrustedClock
from agents.endpoint.spool import DENY, Recorded, Spool
from agents.endpoint.store import Store
from agents.endpoint.syncer import Sequence
from agents.endpoint.transport import Transport
from agents.endpoint.upload import Uploader
from agents.protocol.messages import Event
from tests.agents.endpoint.portal_double import PortalDouble, wait_until


@pytest.fixture
def spool(store: Store) -> Spool:
    return Spool(store.spool)


@pytest.fixture
def uploader(store: Store, portal: PortalDouble, spool: Spool) -> Uploader:
    transport = Transport(portal.url, key=store.key(), sequence=Sequence(Spool(store.spool)))
    clock = TrustedClock(Sources(boot_id="boot 1"), ClockRecord())
    return Uploader(spool, transport, clock)


def fill(spool: Spool, count: int) -> None:
    events = [Event(sequence=0, occurred_at_ms=1, path=f"/{number}") for number in range(count)]
    spool.append("boot 1", [Recorded(event, DENY) for event in events])


def drain(uploader: Uploader, spool: Spool) -> None:
    wait_until(lambda: uploader.upload() is False and spool.is_empty())


def test_everything_arrives_once_and_the_spool_is_empty(uploader: Uploader, spool: Spool, portal: PortalDouble) -> None:
    fill(spool, 2_500)
    drain(uploader, spool)
    assert sorted(portal.ledger.events) == list(range(1, 2_501))
    assert [event.path for event in portal.events()] == [f"/{number}" for number in range(2_500)]


def test_lost_answers_lead_to_the_same_bytes_again(uploader: Uploader, spool: Spool, portal: PortalDouble) -> None:
    fill(spool, 30)
    portal.lose_answers = 3
    assert uploader.upload() is False
    assert spool.depth() == 30, "nothing is deleted before it is acknowledged"
    drain(uploader, spool)
    assert len(portal.ledger.events) == 30
    assert len(portal.ledger.batches) == 1, "the double refuses the same number with other bytes"


def test_too_large_halves_until_it_fits(uploader: Uploader, spool: Spool, portal: PortalDouble) -> None:
    fill(spool, 100)
    portal.max_events = 7
    drain(uploader, spool)
    assert len(portal.ledger.events) == 100
    assert all(event.gap is None for event in portal.events())


def test_one_event_nobody_takes_does_not_stop_the_others(
    uploader: Uploader, spool: Spool, portal: PortalDouble
) -> None:
    fill(spool, 3)
    portal.max_events = 0
    while not uploader.refused:
        uploader.upload()
    portal.max_events = 1_000
    drain(uploader, spool)
    delivered = [event for event in portal.events() if event.gap is None]
    gaps = sum(event.gap.dropped_denies for event in portal.events() if event.gap)
    assert len(delivered) + gaps == 3
    assert gaps == len(uploader.refused)


def test_busy_is_waited_out(uploader: Uploader, spool: Spool, portal: PortalDouble) -> None:
    fill(spool, 5)
    portal.busy = 2
    assert uploader.upload() is False
    assert uploader.upload() is False
    assert portal.busy == 1, "asked again before the time the portal named"
    drain(uploader, spool)
    assert len(portal.ledger.events) == 5


def test_a_number_used_for_other_events_is_left_behind(uploader: Uploader, spool: Spool, portal: PortalDouble) -> None:
    fill(spool, 5)
    portal.ledger.batches[1] = "the hash of what a clone of this computer sent"
    drain(uploader, spool)
    assert len(portal.ledger.events) == 5


def test_a_clock_that_is_days_off_costs_one_more_request(
    uploader: Uploader, spool: Spool, portal: PortalDouble
) -> None:
    fill(spool, 1)
    portal.clock_offset = 2 * 86_400
    assert uploader.upload() is True
    assert len(portal.ledger.events) == 1
