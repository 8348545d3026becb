"""Approvals over HTTP: the list, the sheet, the answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from audit.models import ApprovalRequest
from policies.models import Policy
from portal.accounts.models import User
from portal.tenants.models import Computer, Organization
from tests import factories
from tests.audit.test_permit import ask
from tests.audit.test_screens import sheet_of

SignIn = Callable[[User], Client]
LIST = "/o/able-moose-accounting/approvals/"


@pytest.fixture
def asked(able_moose: Organization) -> ApprovalRequest:
    fin_01: Computer = factories.computer(factories.group(able_moose, "Finance", initial_learning_days=0), "FIN-LT-01")
    return ask(fin_01, created_by=r"C:\Windows\explorer.exe")


def test_the_list_shows_who_waits(as_user: SignIn, reader: User, stranger: User, asked: ApprovalRequest) -> None:
    page = as_user(reader).get(LIST).content.decode()
    assert "setup.exe" in page and "month end" in page
    assert "Nobody waits" not in page
    assert "setup.exe" not in as_user(stranger).get("/all/approvals/").content.decode()
    assert as_user(stranger).get(LIST).status_code == 404
    assert as_user(stranger).get(f"{LIST}{asked.id}/").status_code == 404
    assert as_user(stranger).get(f"/o/brisk-otter-dental/approvals/{asked.id}/").status_code == 404


def test_approving_with_the_proposed_answers(as_user: SignIn, customer_admin: User, asked: ApprovalRequest) -> None:
    client = as_user(customer_admin)
    sent = sheet_of(client.get(f"{LIST}{asked.id}/").content.decode())
    assert "global" not in {sent["scope"].partition(":")[0]}
    answer = client.post(f"{LIST}{asked.id}/approve/", {**sent, "answer": "Go ahead."})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    asked.refresh_from_db()
    assert (asked.state, asked.answer, asked.decided_by) == ("approved", "Go ahead.", "Ada Admin")
    assert asked.policy == Policy.objects.within(factories.SYSTEM).get(is_default=False)
    page = client.get(f"{LIST}{asked.id}/").content.decode()
    assert "Approved by" in page and 'id="permit"' not in page


def test_denying_tells_the_person(as_user: SignIn, customer_admin: User, asked: ApprovalRequest) -> None:
    client = as_user(customer_admin)
    assert client.post(f"{LIST}{asked.id}/deny/", {"tell_user": "Not here.", "deny_reason": "x"}).status_code == 302
    asked.refresh_from_db()
    assert (asked.state, asked.answer, asked.decision_reason) == ("denied", "Not here.", "x")
    again = client.post(f"{LIST}{asked.id}/deny/")
    assert again.status_code == 409
    assert "was first" in again.content.decode()


def test_a_get_never_decides(as_user: SignIn, customer_admin: User, asked: ApprovalRequest) -> None:
    client = as_user(customer_admin)
    for path in ("approve/", "deny/"):
        assert client.get(f"{LIST}{asked.id}/{path}").status_code == 405
    asked.refresh_from_db()
    assert asked.state == "pending"


def test_a_reader_sees_the_facts_but_no_sheet(as_user: SignIn, reader: User, asked: ApprovalRequest) -> None:
    client = as_user(reader)
    page = client.get(f"{LIST}{asked.id}/").content.decode()
    assert "month end" in page and 'id="permit"' not in page
    assert client.post(f"{LIST}{asked.id}/approve/").status_code == 403
    assert client.post(f"{LIST}{asked.id}/deny/").status_code == 403
