"""An event as it is shown: everything the store knows about it, and the present names of what it points to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from audit.name_shapes import split_path
from audit.words import Action, ActionType, EventMode, Flag, Outcome
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class EventKey:
    """Where an event stands: its partition key, its number, its tenant."""

    received_at: datetime
    number: int
    organization_number: int = 0

    def __str__(self) -> str:
        return f"{_base32((self.received_at - _EPOCH) // _MICROSECOND)}-{_base32(self.number)}"

    @classmethod
    def parse(cls, text: str) -> EventKey | None:
        """The key that an id on screen or in the API stands for; None when it is none of ours."""
        first, dash, second = text.partition("-")
        if not dash or not 0 < len(first) <= 12 or not 0 < len(second) <= 13 or set(first + second) - set(_DIGITS):
            return None
        try:
            received_at = _EPOCH + _unbase32(first) * _MICROSECOND
        except OverflowError:
            return None
        number = _unbase32(second)
        return cls(received_at, number) if number < 2**63 else None


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. Text is in stored form (see audit.stored_text); times are UTC.

    Names of computer, group and organization are the present ones, empty when the thing is gone or out of reach;
    names of policy and application are those at the time of the decision.
    """

    key: EventKey
    occurred_at: datetime
    sequence: int
    organization: Organization | None
    computer: Computer | None
    group: ComputerGroup | None
    outcome: Outcome
    action_type: ActionType
    mode: EventMode
    flags: Flag
    size: int
    bundle_version: int
    command_line: str
    file_id: int
    path: str
    sha256: str
    certificate: str
    process: str
    created_by: str
    user: str
    action: Action | None
    policy: str
    policy_name: str
    application: str
    application_name: str
    rule: str
    reason_code: str

    @property
    def id(self) -> str:
        return str(self.key)

    @property
    def received_at(self) -> datetime:
        return self.key.received_at

    @property
    def file_name(self) -> str:
        return split_path(self.path)[1]

    @property
    def folder(self) -> str:
        return split_path(self.path)[0]

    @property
    def process_name(self) -> str:
        return split_path(self.process)[1]

    @property
    def user_name(self) -> str:
        """The user without the domain, in the short form of a list."""
        return self.user.rpartition("\\")[2]

    @property
    def computer_name(self) -> str:
        return self.computer.name if self.computer else ""

    @property
    def is_gap(self) -> bool:
        return self.outcome == Outcome.GAP

    @property
    def signer(self) -> str:
        """What the file's signer is called, empty when it has none."""
        return signer_of(self.certificate)

    @property
    def chip(self) -> str:
        """The kind of decision chip: gap, permit, permit_ringfenced or deny."""
        if self.is_gap:
            return "gap"
        if self.outcome.is_deny:
            return "deny"
        return "permit" if self.outcome == Outcome.PERMITTED else "permit_ringfenced"

    @property
    def is_would_deny(self) -> bool:
        return self.outcome == Outcome.WOULD_DENY

    @property
    def chip_text(self) -> str:
        return "Would ringfence" if self.outcome == Outcome.WOULD_RINGFENCE else ""

    @property
    def is_late(self) -> bool:
        """It arrived more than five minutes after it happened."""
        return self.received_at - self.occurred_at > LATE

    @property
    def has_wrong_clock(self) -> bool:
        return Flag.WRONG_CLOCK in self.flags

    @property
    def has_hidden_characters(self) -> bool:
        return Flag.HIDDEN_CHARACTERS in self.flags

    @property
    def is_learned(self) -> bool:
        return Flag.LEARNED in self.flags

    @property
    def dropped(self) -> tuple[int, int]:
        """(permits, denies) that a gap says were lost; zeros for other events."""
        if not self.is_gap:
            return 0, 0
        counts = json.loads(self.command_line or "{}")
        return int(counts.get("dropped_permits", 0)), int(counts.get("dropped_denies", 0))


def signer_of(certificate: str) -> str:
    """What a certificate's subject calls its owner: the common name, without its label."""
    for part in certificate.split(","):
        label, equals, name = part.strip().partition("=")
        if equals and label.upper() in ("CN", "O") and name:
            return name.strip('"')
    return certificate


def load(reach: Reach, keys: Sequence[EventKey]) -> list[EventRow]:
    """The events at `keys`, newest first. A key out of reach gives no row. Four statements, however many rows."""
    if not keys:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM audit_rows(%s::timestamptz[], %s::bigint[], %s::int[])",
            [[k.received_at for k in keys], [k.number for k in keys], [k.organization_number for k in keys]],
        )
        names = [column.name for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    things = _Things.of(reach, found)
    return [_row(values, things) for values in found]


@dataclass(frozen=True, slots=True)
class _Things:
    organizations: dict[int, Organization]
    groups: dict[int, ComputerGroup]
    computers: dict[int, Computer]

    @classmethod
    def of(cls, reach: Reach, found: Iterable[Mapping[str, int]]) -> _Things:
        numbers: dict[str, set[int]] = {"organization_number": set(), "group_number": set(), "computer_number": set()}
        for values in found:
            for name, kept in numbers.items():
                kept.add(values[name])
        return cls(
            {o.number: o for o in Organization.objects.within(reach).filter(number__in=numbers["organization_number"])},
            {g.number: g for g in ComputerGroup.objects.within(reach).filter(number__in=numbers["group_number"])},
            {
                c.number: c
                for c in Computer.objects.within(reach)
                .filter(number__in=numbers["computer_number"])
                .select_related("group", "organization")
            },
        )


def _row(v: Mapping[str, object], things: _Things) -> EventRow:
    def number(name: str) -> int:
        value = v[name]
        return value if isinstance(value, int) else 0

    def text(name: str) -> str:
        return str(v[name])

    def instant(name: str) -> datetime:
        value = v[name]
        return value if isinstance(value, datetime) else _EPOCH

    return EventRow(
        key=EventKey(instant("received_at"), number("id"), number("organization_number")),
        occurred_at=instant("occurred_at"),
        sequence=number("sequence"),
        organization=things.organizations.get(number("organization_number")),
        computer=things.computers.get(number("computer_number")),
        group=things.groups.get(number("group_number")),
        outcome=Outcome(number("outcome")),
        action_type=ActionType(number("action_type")),
        mode=EventMode(number("mode")),
        flags=Flag(number("flags")),
        size=number("size"),
        bundle_version=number("bundle_version"),
        command_line=text("command_line"),
        file_id=number("file_id"),
        path=text("path"),
        sha256=text("sha256"),
        certificate=text("certificate"),
        process=text("process"),
        created_by=text("created_by"),
        user=text("user_name"),
        action=Action(number("action")) if number("action") else None,
        policy=text("policy"),
        policy_name=text("policy_name"),
        application=text("application"),
        application_name=text("application_name"),
        rule=text("rule"),
        reason_code=text("reason_code"),
    )


def uuid_or_none(text: str) -> UUID | None:
    """An id that an agent sent, when it is a UUID."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _base32(number: int) -> str:
    digits = ""
    while number:
        number, last = divmod(number, 32)
        digits = _DIGITS[last] + digits
    return digits or "0"


def _unbase32(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 32 + _DIGITS.index(digit)
    return number
