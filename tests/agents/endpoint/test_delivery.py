"""Bundles on their way into force, over real HTTP, with the worker's real end of the link and no kernel."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from agents.endpoint import bundles
from agents.endpoint.board import Board
from agents.endpoint.bundles import UnusableBundle
from agents.endpoint.clock import ClockRecord, Sources, TrustedClock
from agents.endpoint.kernel import fanotify
from agents.endpoint.link import WorkerEnd
from agents.endpoint.modes import ModeKeeper
from agents.endpoint.orders import SyncerEnd
from agents.endpoint.ruling import RuleBook
from agents.endpoint.store import Store
from agents.endpoint.syncer import Syncer
from agents.endpoint.users import Users
from agents.endpoint.vitals import Vitals
from agents.protocol import envelope
from agents.protocol.manifest import MANIFEST_TYPE, Manifest, ModeWindow
from policies.engine.facts import FileFacts
from policies.engine.rules import FileRule
from tests.agents.endpoint.conftest import deny, deploy, permit
from tests.agents.endpoint.portal_double import PortalDouble

TOOL = FileFacts(path="/opt/tool", os="linux", process="/usr/bin/bash")


@dataclass
class Agent:
    """An agent without a kernel: syncer and rule book, joined by their link."""

    store: Store
    syncer: Syncer
    book: RuleBook
    clock: TrustedClock

    def verdict(self) -> str:
        return "allow" if self.book.rule(TOOL).verdict == fanotify.ALLOW else "deny"


def start(store: Store, guarded: frozenset[int] = frozenset()) -> Agent:
    """Start one with a state directory, as after a reboot."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    clock = TrustedClock(Sources(boot_id=f"boot {time.monotonic_ns()}"), store.clock())
    modes = ModeKeeper(clock, store.mode())
    book = RuleBook(clock, modes)
    link = WorkerEnd(there, store, book, clock, modes, guarded)
    link.load()
    link.start(lambda: None, Users())
    worker, identity = SyncerEnd(here), store.identity()
    assert identity is not None
    vitals = Vitals(store, Board(), worker, clock, ())
    syncer = Syncer(store, identity, worker, TrustedClock(Sources(), ClockRecord()), vitals)
    return Agent(store, syncer, book, clock)


@pytest.fixture
def agent(store: Store) -> Iterator[Agent]:
    yield start(store)


PERMIT_TOOL = permit("tool", FileRule("r1", path="/opt/tool"))


def test_before_the_first_bundle_nothing_is_enforced_and_that_is_said(agent: Agent, portal: PortalDouble) -> None:
    ruling = agent.book.rule(TOOL)
    assert (agent.verdict(), ruling.decision.simulated, ruling.decision.reason_code) == ("allow", True, "no_bundle")
    agent.syncer.check_in()
    heartbeat = portal.ledger.checkins[-1]
    assert (heartbeat.state, heartbeat.enforcing, heartbeat.mode) == ("none", False, "monitor_only")


def test_a_bundle_is_fetched_tried_applied_and_acknowledged(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal, PERMIT_TOOL)
    agent.syncer.check_in()
    assert agent.verdict() == "allow"
    assert agent.book.rule(FileFacts(path="/opt/other", os="linux")).verdict == fanotify.DENY
    ack = portal.ledger.acks[-1]
    assert (ack.result, ack.version, ack.self_test.failed) == ("applied", 1, ())
    assert ack.self_test.checked > 3
    agent.syncer.check_in()
    heartbeat = portal.ledger.checkins[-1]
    assert (heartbeat.bundle_version, heartbeat.bundle_sha256, heartbeat.enforcing) == (1, ack.sha256, True)
    assert len(portal.ledger.acks) == 1, "what is in force is not fetched again"


def test_it_survives_a_restart(agent: Agent, portal: PortalDouble, store: Store) -> None:
    deploy(portal)
    agent.syncer.check_in()
    assert start(store).verdict() == "deny"


def test_version_rollback_is_refused_and_told(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal)
    old = portal.manifest
    agent.syncer.check_in()
    deploy(portal, PERMIT_TOOL)
    agent.syncer.check_in()
    portal.offer(msgspec.msgpack.decode(old, type=Manifest))
    agent.syncer.check_in()
    assert (portal.ledger.acks[-1].result, portal.ledger.acks[-1].reason) == ("refused", "version_rollback")
    assert agent.verdict() == "allow"


def test_a_bundle_for_another_computer_is_refused(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal)
    agent.syncer.check_in()
    deploy(portal, PERMIT_TOOL, computer="another computer")
    agent.syncer.check_in()
    assert portal.ledger.acks[-1].reason == "wrong_computer"
    assert agent.verdict() == "deny"


def test_a_bundle_signed_by_somebody_else_is_refused(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal)
    agent.syncer.check_in()
    deploy(portal, PERMIT_TOOL)
    portal.envelope = envelope.seal(MANIFEST_TYPE, portal.manifest, (portal.checkpoint_key,))
    agent.syncer.check_in()
    assert portal.ledger.acks[-1].reason == "unknown_key"
    assert agent.verdict() == "deny"


def test_endless_data_is_cut_off_and_refused(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal)
    agent.syncer.check_in()
    deploy(portal, PERMIT_TOOL)
    portal.envelope = bytes(8 << 20)
    agent.syncer.check_in()
    assert portal.ledger.acks[-1].reason == "too_large"
    assert agent.verdict() == "deny"


@pytest.mark.parametrize("bend", [lambda blob: blob + b"x", lambda blob: blob[:-1] + b"x", lambda blob: b""])
def test_a_layer_that_is_not_the_one_named_is_refused(agent: Agent, portal: PortalDouble, bend: object) -> None:
    deploy(portal)
    agent.syncer.check_in()
    deploy(portal, PERMIT_TOOL)
    portal.blobs = {digest: bend(blob) for digest, blob in portal.blobs.items()}  # type: ignore[operator]
    agent.syncer.check_in()
    assert portal.ledger.acks[-1].reason in {"layer_size_mismatch", "layer_hash_mismatch"}
    assert agent.verdict() == "deny"


def test_hold_stops_new_versions(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal)
    agent.syncer.check_in()
    deploy(portal, PERMIT_TOOL)
    portal.hold = True
    agent.syncer.check_in()
    assert agent.verdict() == "deny"
    portal.hold = False
    agent.syncer.check_in()
    assert agent.verdict() == "allow"


def test_a_replayed_checkpoint_changes_nothing(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal)
    agent.syncer.check_in()
    replayed = portal.sign_checkpoint(portal.checkpoint("the nonce of another check-in"))
    portal.sign_checkpoint = lambda _: replayed  # type: ignore[method-assign]
    deploy(portal, PERMIT_TOOL)
    agent.syncer.check_in()
    assert portal.ledger.acks[-1].reason == "wrong_nonce"
    assert agent.verdict() == "deny"


def test_freeze_makes_stale_and_keeps_deciding(agent: Agent, portal: PortalDouble, store: Store) -> None:
    deploy(portal)
    agent.syncer.check_in()
    checkpoint = store.checkpoint()
    assert checkpoint is not None
    store.save_checkpoint(msgspec.structs.replace(checkpoint, expires_at=int(time.time()) - 1))
    portal.manifest = b""
    agent.syncer.check_in()
    agent.syncer.check_in()
    assert portal.ledger.checkins[-1].state == "stale"
    assert agent.verdict() == "deny"


def test_a_bundle_that_denies_the_agent_itself_is_refused(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal, PERMIT_TOOL)
    agent.syncer.check_in()
    deploy(portal, deny("python", FileRule("r1", path="*/python*")))
    agent.syncer.check_in()
    ack = portal.ledger.acks[-1]
    assert (ack.result, ack.reason) == ("refused", "self_test_failed")
    assert os.path.realpath(sys.executable) in ack.self_test.failed
    assert agent.verdict() == "allow"


def test_default_deny_fails_the_self_test_only_where_it_would_stop_something(
    portal: PortalDouble, store: Store
) -> None:
    guarded = frozenset({Path(sys.executable).stat().st_dev})
    deploy(portal)
    start(store, guarded).syncer.check_in()
    assert portal.ledger.acks[-1].reason == "self_test_failed"
    deploy(portal, permit("system", FileRule("r1", path="/*")))
    start(store, guarded).syncer.check_in()
    assert portal.ledger.acks[-1].result == "applied"


def test_a_damaged_bundle_falls_back_to_the_one_before(agent: Agent, portal: PortalDouble, store: Store) -> None:
    deploy(portal, PERMIT_TOOL)
    agent.syncer.check_in()
    deploy(portal, permit("other", FileRule("r1", path="/opt/other")))
    agent.syncer.check_in()
    (store.root / "bundle.msgpack").write_bytes(b"\x00 not a bundle")
    assert start(store).verdict() == "allow"


def test_without_any_readable_bundle_everything_is_denied_until_a_good_one_arrives(
    agent: Agent, portal: PortalDouble, store: Store
) -> None:
    deploy(portal, PERMIT_TOOL)
    agent.syncer.check_in()
    for blob in (store.sync / "blobs").iterdir():
        blob.write_bytes(b"damaged")
    again = start(store)
    assert again.verdict() == "deny"
    assert again.book.rule(TOOL).decision.reason_code == "unreadable_bundle"
    with pytest.raises(UnusableBundle):
        bundles.load_last_good(store)
    again.syncer.check_in()
    assert again.verdict() == "allow"


def test_a_deleted_bundle_is_not_the_same_as_none_yet(agent: Agent, portal: PortalDouble, store: Store) -> None:
    deploy(portal, PERMIT_TOOL)
    agent.syncer.check_in()
    (store.root / "bundle.msgpack").unlink()
    assert start(store).verdict() == "deny"


def test_a_mode_window_comes_with_the_manifest_and_ends_by_itself(agent: Agent, portal: PortalDouble) -> None:
    now = int(time.time())
    deploy(portal, mode=ModeWindow(mode="learning", started_at=now, ends_at=now + 2, window="w1"))
    agent.syncer.check_in()
    assert (agent.book.mode, agent.verdict()) == ("learning", "allow")
    assert agent.book.rule(TOOL).decision.learned
    time.sleep(2.2)
    agent.book.refresh_mode()
    assert (agent.book.mode, agent.verdict()) == ("secured", "deny")


def test_a_lost_acknowledgement_is_made_good_by_the_next_heartbeat(agent: Agent, portal: PortalDouble) -> None:
    deploy(portal)
    agent.syncer.check_in()
    portal.ledger.acks.clear()
    agent.syncer.check_in()
    assert portal.ledger.checkins[-1].bundle_version == 1
