"""`portcullis-agent`: enroll | run | status | check PATH | request PATH."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agents.endpoint import VERSION, agent, control, inquiry
from agents.endpoint.bundles import UnusableBundle
from agents.endpoint.capability import can_guard
from agents.endpoint.control import Outcome, Wish
from agents.endpoint.enrolment import enroll
from agents.endpoint.status import Status, in_words
from agents.endpoint.store import Store, StoreError
from agents.endpoint.syncer import sync
from agents.endpoint.transport import InsecureUrl, RefusedByPortal, Unreachable

DEFAULT_STATE = "/var/lib/portcullis"
_POLL_SECONDS = 2.0

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 no, 2 cannot."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except (StoreError, InsecureUrl, agent.CannotGuard, UnusableBundle) as error:
        return _complain(str(error))
    except Unreachable as error:
        return _complain(f"the portal does not answer: {error}")
    except RefusedByPortal as error:
        return _complain(f"the portal refuses: {error}")
    except PermissionError as error:
        return _complain(f"{error}; this needs root")
    except OSError as error:
        return _complain(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="portcullis-agent", description="Decides what may run on this computer.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--state", default=DEFAULT_STATE, metavar="DIR", help="state directory (%(default)s)")
        added.set_defaults(command=command)
        return added

    new = add("enroll", _enroll, "Make a key pair and spend an install key.")
    new.add_argument("--portal", required=True, metavar="URL")
    new.add_argument("--key", default="", help="install key; else PORTCULLIS_INSTALL_KEY, else standard input")
    new.add_argument("--name", default="", help="name of this computer (its host name)")
    new.add_argument("--machine-id", default="", help="what names the hardware (/etc/machine-id)")
    new.add_argument("--ca", default="", metavar="FILE", help="certificates to verify the portal with")
    new.add_argument("--insecure", action="store_true", help="allow http to a computer other than this one")
    runs = add("run", _run, "Guard until stopped.")
    runs.add_argument("--guard", action="append", default=[], metavar="DIR", help="guard the file system of DIR")
    add("status", _status, "Say how the agent is.").add_argument("--json", action="store_true")
    checks = add("check", _check, "Explain what would be decided about a file.")
    asks = add("request", _request, "Ask for a file that was stopped.")
    asks.add_argument("--reason", default="", help="why you need it")
    asks.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait for the decision")
    for files in (checks, asks):
        files.add_argument("path", metavar="PATH")
        files.add_argument("--process", default="", help="program that launches it (the one that runs this command)")
    return parser


def _enroll(options: argparse.Namespace) -> int:
    secret = options.key or os.environ.get("PORTCULLIS_INSTALL_KEY", "") or _from_stdin()
    if not secret:
        return _complain("no install key given")
    identity = enroll(
        Store.open(options.state),
        portal_url=options.portal,
        install_key=secret,
        hostname=options.name,
        machine_id=options.machine_id,
        ca_file=options.ca,
        insecure=options.insecure,
    )
    waits = " It waits for a technician's approval." if identity.status == "pending" else ""
    print(f"Enrolled as computer {identity.computer}.{waits}")
    return 0


def _run(options: argparse.Namespace) -> int:
    able, reason = can_guard()
    if not able:
        return _complain(f"this computer cannot be guarded: {reason}")
    store = Store.open(options.state)
    guarded = tuple(os.path.realpath(path) for path in options.guard)
    print(f"portcullis-agent {VERSION} guards {', '.join(guarded)}", flush=True)
    return agent.run(agent.Options(store, guarded), sync)


def _status(options: argparse.Namespace) -> int:
    raw = Store(Path(options.state)).status()
    if raw is None:
        return _complain(f"no agent has run with {options.state}")
    status = msgspec.json.decode(raw, type=Status)
    print(raw.decode() if options.json else "\n".join(in_words(status, time.time())))
    return 0 if time.time() - status.written_at < 15 else 1


def _check(options: argparse.Namespace) -> int:
    store = Store.open(options.state)
    process = options.process or inquiry.parent_program()
    path = str(Path(options.path).absolute())
    try:
        outcome = control.ask(store, Wish("check", path=path, process=process))
    except (FileNotFoundError, ConnectionRefusedError):
        outcome = Outcome(lines=tuple(inquiry.explain(store, path, process=process)))
    return _tell(outcome)


def _request(options: argparse.Namespace) -> int:
    store = Store(Path(options.state))
    process = options.process or inquiry.parent_program()
    path = str(Path(options.path).absolute())
    outcome = control.ask(store, Wish("request", path=path, reason=options.reason, process=process))
    deadline = time.monotonic() + options.wait
    while outcome.status == "pending" and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        outcome = control.ask(store, Wish("answer", id=outcome.id))
    if not outcome.problem:
        print(f"Request {outcome.id}: {outcome.status}")
    return _tell(outcome)


def _tell(outcome: Outcome) -> int:
    if outcome.problem:
        return _complain(outcome.problem)
    print("\n".join(outcome.lines))
    return 0


def _from_stdin() -> str:
    return "" if sys.stdin.isatty() else sys.stdin.readline().strip()


def _complain(text: str) -> int:
    print(f"portcullis-agent: {text}", file=sys.stderr)
    return 2
