"""Telling people that a deny stopped something: how often, whom, and what may stand in the mail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connections

from agents.protocol.messages import EventDecision
from audit import fold
from policies import authoring, drafting, notices
from policies.drafts import draft_of
from policies.match_counts import Told
from policies.models import Action, Notice, Policy
from policies.notices import sending
from portal.accounts.models import Membership, User
from portal.common import clock
from portal.common.errors import Invalid
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit.sending import event, send
from tests.policies.conftest import a_policy, an_application, at_group, globally
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
START = datetime.fromisoformat("2026-11-21T10:00:00Z")


class Hours:
    """The clock of this file: moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def let_pass(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hours]:
    made = Hours()
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made  # type: ignore[return-value]


@pytest.fixture
def miners(able_moose: Organization, finance: ComputerGroup, technician: User) -> Policy:
    application = an_application(SYSTEM, able_moose, "Miners")
    return a_policy(
        SYSTEM, at_group(finance), application, name="grp-miners-deny", action=Action.DENY, notify=(technician.email,)
    )


def stopped(policy: Policy, count: int, *, at: Organization | None = None) -> int:
    """The fold counted that `policy` stopped something, and the sender came by. How many mails went out."""
    number = (at or policy.organization).number
    told = Told(number, clock.now().date(), policy.id, None, None, count, clock.now())
    with reaching(SYSTEM):
        notices.denied(SYSTEM, [told])
    return sending.send_due().sent


def test_the_first_is_told_at_once_and_the_next_not_within_the_hour(hours: Hours, miners: Policy) -> None:
    assert stopped(miners, 1) == 1
    assert stopped(miners, 3) == 0
    hours.let_pass(59)
    assert stopped(miners, 1) == 0
    hours.let_pass(1)
    assert sending.send_due().sent == 1
    assert [message.subject.split()[3] for message in mail.outbox] == ["1", "4"], "each is told once"
    hours.let_pass(600)
    assert sending.send_due().sent == 0, "nothing new, no mail"


def test_ten_times_as_much_is_told_within_the_hour(hours: Hours, miners: Policy) -> None:
    assert stopped(miners, 2) == 1
    hours.let_pass(5)
    assert stopped(miners, 19) == 0
    assert stopped(miners, 1) == 1
    hours.let_pass(5)
    assert stopped(miners, 199) == 0
    assert stopped(miners, 1) == 1


def test_a_mail_server_that_is_away_loses_nothing_and_is_shown(
    hours: Hours, miners: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError("connection refused")

    monkeypatch.setattr(sending, "send_mail", refuse)
    assert stopped(miners, 2) == 0
    notice = Notice.rows.get()
    assert (notice.waiting, notice.tries, notice.failure) == (2, 1, "connection refused")
    assert notice.due_at == hours.now + timedelta(minutes=1)
    assert stopped(miners, 500) == 0, "what is stopped meanwhile does not hammer the server"
    monkeypatch.undo()
    monkeypatch.setattr(clock, "now", lambda: hours.now)
    hours.let_pass(1)
    assert sending.send_due().sent == 1
    assert " 502 " in mail.outbox[-1].subject
    notice.refresh_from_db()
    assert (notice.waiting, notice.tries, notice.failure, notice.due_at) == (0, 0, "", None)


def test_tries_get_rarer(hours: Hours, miners: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_mail", lambda *mail: "away")
    stopped(miners, 1)
    waits = []
    for _ in range(6):
        notice = Notice.rows.get()
        assert notice.due_at is not None
        waits.append((notice.due_at - hours.now) // timedelta(minutes=1))
        hours.now = notice.due_at
        sending.send_due()
    assert waits == [1, 5, 15, 60, 240, 240]


def test_who_lost_the_organization_is_not_told(hours: Hours, miners: Policy, technician: User) -> None:
    with reaching(SYSTEM):
        Membership.objects.within(SYSTEM).filter(user=technician).delete()
    assert stopped(miners, 1) == 1, "the notice is settled"
    assert mail.outbox == []
    assert not Notice.rows.exists()


def test_who_is_no_longer_on_the_list_is_not_told(hours: Hours, miners: Policy, technician: User) -> None:
    told = Told(miners.organization.number, clock.now().date(), miners.id, None, None, 1, clock.now())
    with reaching(SYSTEM):
        notices.denied(SYSTEM, [told])
        Policy.rows.filter(id=miners.id).update(notify=[])
    sending.send_due()
    assert mail.outbox == []


def test_what_another_customers_computer_claims_tells_nobody(
    hours: Hours, miners: Policy, brisk_otter: Organization
) -> None:
    assert stopped(miners, 1, at=brisk_otter) == 0
    assert not Notice.rows.exists()


def test_a_global_policy_tells_of_the_organizations_beneath(
    hours: Hours, owner: User, northwind: Organization, all_windows: ComputerGroup, able_moose: Organization
) -> None:
    application = an_application(SYSTEM, northwind, "Miners")
    policy = a_policy(
        SYSTEM, globally(SYSTEM, all_windows), application, name="glb-miners", action=Action.DENY, notify=(owner.email,)
    )
    assert stopped(policy, 1, at=able_moose) == 1


def test_from_the_event_to_the_mail_with_hostile_names_written_out(
    miners: Policy, fin_01: Computer, technician: User
) -> None:
    """What a computer sends is in the text only, on one line, and never in the subject."""
    by = EventDecision(action="deny", effect="denied", policy=str(miners.id), reason_code="deny")
    path = "C:\\miners\\evil\r\nBcc: all@example.com\u202egpj.exe"
    simulated = replace_effect(by)
    send(fin_01, event(1, path=path, decision=by), event(2, path=path, decision=by), event(3, decision=simulated))
    fold.fold(SYSTEM)
    assert sending.send_due().sent == 1
    [message] = mail.outbox
    assert message.to == [technician.email]
    assert message.subject == "Portcullis: grp-miners-deny stopped 2 at Able Moose Accounting"
    body = str(message.body)
    assert not any(line.startswith("Bcc:") for line in body.splitlines())
    assert "\u202e" not in body
    assert "⟨U+202E⟩gpj.exe" in body
    assert "fin-01" in body


def replace_effect(decision: EventDecision) -> EventDecision:
    return EventDecision(
        action=decision.action, effect="permitted", simulated=True, policy=decision.policy, reason_code="deny"
    )


def test_two_senders_send_each_mail_once(hours: Hours, miners: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one sends, another finds the lock taken: here it comes by in the middle of the first one's mail."""
    others: list[sending.Sent] = []

    def meanwhile(subject: str, text: str, address: str) -> str:
        other = connections.create_connection("default")
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [sending.SENDER_LOCK])
            others.append(cursor.fetchone()[0])
        other.close()
        return ""

    monkeypatch.setattr(sending, "_mail", meanwhile)
    assert stopped(miners, 1) == 1
    assert others == [False]


def test_only_people_with_the_organization_in_reach_can_be_chosen(
    miners: Policy, technician: User, owner: User, stranger: User, acme: object
) -> None:
    reach = factories.reach(technician)
    with reaching(reach):
        names = {address for address, _ in notices.addressees(reach, miners.organization_id)}
        assert technician.email in names
        assert stranger.email not in names
        was = draft_of(miners, [a.id for a in miners.applications.all()])
        kept = drafting.draft_from(reach, {"notify": [technician.email.upper()]}, base=was)
        assert kept.notify == (technician.email,)
        with pytest.raises(Invalid, match="nobody with access"):
            drafting.draft_from(reach, {"notify": [stranger.email]}, base=was)
        with pytest.raises(Invalid):
            drafting.draft_from(reach, {"notify": [f"{uuid4().hex}@example.com"]}, base=was)


def test_only_a_deny_tells_people(miners: Policy, finance: ComputerGroup) -> None:
    with reaching(SYSTEM):
        was = draft_of(miners, [a.id for a in miners.applications.all()])
        with pytest.raises(Invalid, match="Only a deny"):
            authoring.update_policy(SYSTEM, miners.id, draft=replace(was, action=Action.PERMIT))


def test_notify_over_rest_is_tried_kept_and_read(miners: Policy, technician: User, stranger: User, owner: User) -> None:
    tom = Caller(technician)
    address = f"policies/{miners.id}/"
    tried = tom.patch(f"{address}?dry_run=true", {"notify": []})
    assert (tried.status_code, tried.json()["notify"]) == (200, [])
    assert tom.get(address).json()["notify"] == [technician.email], "a dry run keeps nothing"
    refused = tom.patch(address, {"notify": [technician.email, stranger.email]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/notify/1")
    assert tom.patch(address, {"action": "permit"}).status_code == 422
    assert tom.patch(address, {"notify": []}).json()["notify"] == []
