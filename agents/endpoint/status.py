"""What `portcullis-agent status` shows: written by the syncer every few seconds, read by anybody."""

from __future__ import annotations

import msgspec

from agents.protocol.messages import Heartbeat


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The agent in one page. `problem` is the last thing that went wrong with the portal; empty when all is well."""

    heartbeat: Heartbeat
    guarded: tuple[str, ...] = ()
    portal_url: str = ""
    computer: str = ""
    organization: str = ""
    checked_in_at: int = 0
    written_at: int = 0
    problem: str = ""
    refusal: str = ""
    is_broken: bool = False
    clock_set_back: bool = False
    answered_by_guardian: int = 0
    processes: dict[str, int] = {}


def in_words(status: Status, now: float) -> list[str]:
    """The page as lines of text."""
    beat = status.heartbeat
    lines = [
        f"computer       {status.computer or 'not enrolled'}",
        f"portal         {status.portal_url or '-'}",
        f"guarding       {', '.join(status.guarded)}",
        f"bundle         {_bundle(status)}",
        f"mode           {_mode(status, now)}",
        f"waiting events {beat.queue_depth}",
        f"decisions      {beat.decisions_per_second:.1f} per second, p99 {beat.p99_us} us",
        f"worker         restarted {beat.restarts} times, {status.answered_by_guardian} answers by the guardian",
    ]
    if status.checked_in_at:
        lines.append(f"checked in     {max(0, int(now - status.checked_in_at))} s ago")
    if now - status.written_at > 15:
        lines.append("NOT RUNNING    this is what the agent said last")
    if status.problem:
        lines.append(f"problem        {status.problem}")
    if status.refusal:
        lines.append(f"refused        {status.refusal}")
    if status.clock_set_back:
        lines.append("clock          was set back: relaxed modes have ended")
    lines += [f"open           {path}" for path in beat.posture.unmarked_mounts]
    lines += [f"note           {note}" for note in beat.posture.notes]
    return lines


def _bundle(status: Status) -> str:
    beat = status.heartbeat
    if status.is_broken:
        return "unreadable: everything is denied until a good one arrives"
    if beat.state == "none":
        return "none yet: nothing is enforced before the first bundle arrives"
    stale = ", stale (no checkpoint for a day; still deciding)" if beat.state == "stale" else ""
    return f"version {beat.bundle_epoch}.{beat.bundle_version} {beat.bundle_sha256[:12]}{stale}"


def _mode(status: Status, now: float) -> str:
    beat = status.heartbeat
    left = "" if beat.mode_ends_at is None else f", ends in {max(0, int((beat.mode_ends_at - now) / 60))} minutes"
    return f"{beat.mode}{left}{'' if beat.enforcing else ' (not enforcing)'}"
