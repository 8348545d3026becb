"""A deny that takes no requests: the request of a person at a computer is refused in words meant for them."""

from __future__ import annotations

import pytest

from agents.protocol.messages import RequestMessage
from audit import requests
from audit.models import ApprovalRequest
from policies.models import Action, Policy
from portal.common.errors import Refused
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group

SYSTEM = factories.SYSTEM
MINER = RequestMessage(path=r"C:\Program Files\Miners\xmr.exe", sha256="c" * 64, user="ABLE\\jdoe", reason="please")
OTHER = RequestMessage(path=r"C:\Users\jdoe\setup.exe", sha256="d" * 64, user="ABLE\\jdoe", reason="month end")


def deny_miners(able_moose: Organization, finance: ComputerGroup, **fields: object) -> Policy:
    miners = an_application(SYSTEM, able_moose, "Miners")
    return a_policy(SYSTEM, at_group(finance), miners, name="grp-miners-deny", action=Action.DENY, **fields)


def ask(computer: Computer, message: RequestMessage) -> ApprovalRequest:
    return requests.receive_request(SYSTEM, computer=computer, message=message)


def test_it_is_refused_and_nothing_is_kept(able_moose: Organization, finance: ComputerGroup, fin_01: Computer) -> None:
    deny_miners(able_moose, finance, allow_request=False)
    with pytest.raises(Refused, match="requests for it are not taken") as refused:
        ask(fin_01, MINER)
    assert "grp-miners" not in refused.value.message, "the person at the computer is not told which policy"
    assert not ApprovalRequest.rows.exists()
    assert ask(fin_01, OTHER).state == "pending", "what another policy denies may be asked for"


def test_a_deny_that_takes_requests_gets_them(
    able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    deny_miners(able_moose, finance, allow_request=True)
    assert ask(fin_01, MINER).state == "pending"


def test_a_closed_default_takes_none(finance: ComputerGroup, fin_01: Computer) -> None:
    Policy.rows.filter(target_group=finance, is_default=True).update(allow_request=False)
    with pytest.raises(Refused):
        ask(fin_01, OTHER)
