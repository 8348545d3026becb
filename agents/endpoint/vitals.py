"""How the agent is: gathered for the heartbeat, and published for the people at this computer."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from agents.endpoint import VERSION
from agents.endpoint.board import Board, Word
from agents.endpoint.clock import TrustedClock
from agents.endpoint.kernel import process
from agents.endpoint.orders import LinkError, Report, SyncerEnd
from agents.endpoint.own_programs import own_programs
from agents.endpoint.posture import posture
from agents.endpoint.spool import Spool
from agents.endpoint.status import Status
from agents.endpoint.store import Identity, Store
from agents.protocol.acceptance import is_stale
from agents.protocol.messages import Heartbeat

_RATE_SECONDS = 1.0


@dataclass(slots=True)
class Contact:
    """How the talk with the portal goes. Empty and zero when there was nothing."""

    checked_in_at: int = 0
    problem: str = ""
    refusal: str = ""


class Vitals:
    """Used by the syncer's main thread."""

    def __init__(
        self, store: Store, board: Board, worker: SyncerEnd, clock: TrustedClock, guarded: tuple[str, ...]
    ) -> None:
        self._store = store
        self._board = board
        self._worker = worker
        self._clock = clock
        self._guarded = tuple(process.visible(path) for path in guarded)
        self._places = guarded
        self._spool = Spool(store.spool)
        self._counted = (time.monotonic(), board[Word.DECISIONS])
        self._rate = 0.0
        self._report = Report()

    def heartbeat(self) -> Heartbeat:
        """The heartbeat of this moment. A worker that does not answer leaves its last report standing."""
        with contextlib.suppress(LinkError):
            self._report = self._worker.ask("report").report
        report = self._report
        self._count()
        return Heartbeat(
            bundle_epoch=report.epoch,
            bundle_version=report.version,
            bundle_sha256=report.sha256,
            mode=report.mode,
            mode_ends_at=report.mode_ends_at,
            state=self._freshness(report),
            enforcing=report.is_enforcing,
            queue_depth=self._spool.depth(),
            decisions_per_second=round(self._rate, 2),
            p99_us=self._board[Word.P99_US],
            restarts=self._board[Word.RESTARTS],
            posture=posture(self._devices()),
            clock_ms=int(time.time() * 1000),
            boot_id=self._clock.boot_id,
            agent_version=VERSION,
            hostname=process.visible(socket.gethostname())[:250],
            programs=own_programs(),
        )

    def publish(self, identity: Identity | None, contact: Contact) -> None:
        """Write the status page."""
        heartbeat = self.heartbeat()
        status = Status(
            heartbeat=heartbeat,
            guarded=self._guarded,
            portal_url=identity.portal_url if identity else "",
            computer=identity.computer if identity else "",
            organization=identity.organization if identity else "",
            checked_in_at=contact.checked_in_at,
            written_at=int(time.time()),
            problem=contact.problem,
            refusal=contact.refusal,
            is_broken=self._report.is_broken,
            clock_set_back=self._report.clock_set_back,
            answered_by_guardian=self._board[Word.ANSWERED_BY_GUARDIAN],
            processes={
                "guardian": self._board[Word.GUARDIAN_PID],
                "worker": self._board[Word.WORKER_PID],
                "syncer": self._board[Word.SYNCER_PID],
            },
        )
        self._store.save_status(msgspec.json.encode(status))

    def _count(self) -> None:
        began, counted = self._counted
        elapsed, decisions = time.monotonic() - began, self._board[Word.DECISIONS]
        if elapsed > _RATE_SECONDS:
            self._rate = (decisions - counted) / elapsed
            self._counted = (time.monotonic(), decisions)

    def _freshness(self, report: Report) -> Literal["none", "current", "stale"]:
        if not report.version:
            return "none"
        checkpoint = self._store.checkpoint()
        stale = checkpoint is None or is_stale(checkpoint.expires_at, int(self._clock.now()))
        return "stale" if stale else "current"

    def _devices(self) -> frozenset[str]:
        numbers = (Path(path).stat().st_dev for path in self._places if Path(path).is_dir())
        return frozenset(f"{os.major(number)}:{os.minor(number)}" for number in numbers)
