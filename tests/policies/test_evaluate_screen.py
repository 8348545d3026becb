"""The Evaluate screen: the question stands in the address, and the answer says why and what would permit it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from audit import search
from audit.search_terms import EventTerms
from policies.engine.facts import FileFacts
from policies.evaluate import evaluate
from policies.models import Action, FileRule, Policy, Status
from portal.accounts.models import User
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit.sending import event, send
from tests.policies.conftest import a_policy, an_application, at_group, at_organization

pytestmark = pytest.mark.django_db

AsUser = Callable[[User], Client]
PATH = r"C:\Program Files\Acme Tools\tool.exe"
HASH = "ab" * 32
SIGNED = {"path": PATH, "sha256": HASH, "certificate": "CN=Acme Ltd"}


@pytest.fixture
def tom(as_user: AsUser, technician: User, fin_01: Computer, brisk_otter: Organization) -> Client:
    return as_user(technician)


def address(of: Organization, name: str = "policies:evaluate", /, **query: Any) -> str:
    return f"{reverse(name, args=[of.slug])}?{urlencode(query)}"


def ask(tom: Client, of: Organization, status: int = 200, /, **query: Any) -> str:
    response = tom.get(address(of, **query))
    assert response.status_code == status, response.content[:500]
    return response.content.decode()


def test_nothing_is_asked_yet(tom: Client, able_moose: Organization, fin_01: Computer) -> None:
    assert "Nothing is asked yet" in ask(tom, able_moose)
    opened = ask(tom, able_moose, computer=fin_01.id)
    assert "Nothing is asked yet" in opened
    assert 'value="fin-01"' in opened


def test_the_answer_says_why_and_what_would_permit_it(tom: Client, able_moose: Organization) -> None:
    page = ask(tom, able_moose, where="FIN-01", **SIGNED)
    assert "no policy matched" in page
    assert "Permit it on this computer by its hash" in page
    assert "Permit it on this computer by signer and path" in page
    assert "Not known: created-by program, launching program, user." in page


def test_each_condition_is_told_and_unknown_facts_are_named(
    tom: Client, able_moose: Organization, finance: ComputerGroup
) -> None:
    with reaching(factories.SYSTEM) as system:
        rule = {"certificate": "CN=Acme Ltd", "created_by": r"c:\rmm\agent.exe"}
        rmm = an_application(system, able_moose, "Acme RMM", rules=[_rule(**rule)])
        a_policy(system, at_group(finance), rmm, name="grp-rmm")
    page = ask(tom, able_moose, where="fin-01", **SIGNED)
    assert "Close, but not matching" in page
    assert "is not known" in page
    assert "Were they right, this could decide: <bdi>grp-rmm</bdi>" in page


def _rule(**boxes: str) -> object:
    from policies.catalogue import RuleDraft

    return RuleDraft(**boxes)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"where": "fin-01", "sha256": "abc"}, "this has 3"),
        ({"where": "nobody", "path": PATH}, "has no computer or group of this name"),
        ({"where": "", "path": PATH}, "Name a computer or a group"),
        ({"where": "fin-01", "user": "x"}, "Give a path, a hash or a signer"),
        ({"where": "Finance", "path": PATH, "set": "deployed"}, "What is deployed is known of one computer"),
        ({"where": "fin-01", "path": PATH, "at": "soon"}, "Enter a valid date/time"),
    ],
)
def test_a_question_that_cannot_be_judged_says_what_is_wrong(
    tom: Client, able_moose: Organization, query: dict[str, str], told: str
) -> None:
    assert told in ask(tom, able_moose, 422, **query)


def test_a_computer_of_another_organization_is_not_known(
    tom: Client, able_moose: Organization, brisk_otter: Organization
) -> None:
    surgery = factories.group(brisk_otter, "Surgery")
    other = factories.computer(surgery, "sur-01")
    for where in (other.id, "sur-01", surgery.id):
        ask(tom, able_moose, 422, where=where, path=PATH)


def test_a_path_of_another_system_is_told(tom: Client, able_moose: Organization) -> None:
    assert "written as on Linux" in ask(tom, able_moose, where="fin-01", path="/usr/bin/id")


def test_what_a_computer_runs_is_not_known_before_it_says_so(tom: Client, able_moose: Organization) -> None:
    page = ask(tom, able_moose, where="fin-01", path=PATH, set="deployed")
    assert "it has acknowledged no bundle" in page


def test_pasted_facts_fill_what_is_empty(tom: Client, able_moose: Organization) -> None:
    pasted = f"path: {PATH}\nSigner: CN=Acme Ltd\nCreated by: -\n{HASH}"
    page = ask(tom, able_moose, where="fin-01", pasted=pasted)
    assert "Permit it on this computer by signer and path" in page
    assert f'value="{HASH}"' in page


def test_the_facts_of_an_event_are_taken(
    tom: Client, able_moose: Organization, fin_01: Computer, technician: User
) -> None:
    send(fin_01, event(1, path=PATH, certificate="CN=Acme Ltd"))
    with reaching(factories.SYSTEM) as system:
        row = search.events(system, EventTerms()).rows[0]
    page = ask(tom, able_moose, event=row.id)
    assert "Facts of <bdi>fin-01</bdi>" in page
    assert "Permit it on this computer by signer and path" in page
    assert reverse("audit:event-permit", args=[able_moose.slug, row.id]) in page
    drawer = tom.get(reverse("audit:event-detail", args=[able_moose.slug, row.id])).content.decode()
    assert f"/evaluate/?event={row.id}" in drawer


def test_a_hash_seen_before_fills_the_rest(tom: Client, able_moose: Organization, fin_01: Computer) -> None:
    send(fin_01, event(1, path=PATH, sha256=HASH, certificate="CN=Acme Ltd"))
    page = ask(tom, able_moose, where="fin-01", sha256=HASH, **{"from": "hash"})
    assert "Permit it on this computer by signer and path" in page


def test_an_event_of_another_organization_is_not_found(
    tom: Client, able_moose: Organization, brisk_otter: Organization
) -> None:
    send(factories.computer(factories.group(brisk_otter, "Surgery"), "sur-01"), event(1))
    with reaching(factories.SYSTEM) as system:
        row = search.events(system, EventTerms()).rows[0]
    assert tom.get(address(able_moose, event=row.id)).status_code == 404


def test_who_else_is_a_fragment_of_its_own(tom: Client, able_moose: Organization, finance: ComputerGroup) -> None:
    factories.computer(finance, "fin-02")
    asked = address(able_moose, where="fin-01", who=1, **SIGNED)
    headers = {"HX-Request": "true", "HX-Target": "who-else"}
    fragment = tom.get(asked, headers=headers).content.decode()
    assert fragment.strip().startswith('<div class="pad" id="who-else"')
    assert "0 of 2 Windows computers" in fragment


def test_places_are_suggested_while_a_name_is_typed(tom: Client, able_moose: Organization) -> None:
    headers = {"HX-Request": "true", "HX-Target": "place-names"}
    fragment = tom.get(address(able_moose, where="fi"), headers=headers).content.decode()
    assert 'value="Finance"' in fragment
    assert 'value="fin-01"' in fragment


def test_a_proposed_permit_is_made_and_then_permits(tom: Client, able_moose: Organization, fin_01: Computer) -> None:
    start = address(able_moose, "policies:evaluate-start", where="fin-01", rule_hash=HASH, **SIGNED)
    form = tom.get(start).content.decode()
    assert 'value="tool"' in form
    made = tom.post(
        start, {"name": "tool", "hash": HASH, "path": "", "process": "", "created_by": "", "certificate": ""}
    )
    assert made.status_code == 302
    assert "Permitted by cmp-fin-01-tool-permit" in tom.get(made["Location"]).content.decode()


def test_a_permit_before_a_deny_stands_before_it(tom: Client, able_moose: Organization, fin_01: Computer) -> None:
    with reaching(factories.SYSTEM) as system:
        acme = an_application(system, able_moose, "Acme Tools")
        deny = a_policy(system, at_organization(able_moose), acme, action=Action.DENY, status=Status.SECURED)
    page = ask(tom, able_moose, where="fin-01", **SIGNED)
    assert f"before={deny.id}" in page
    start = address(able_moose, "policies:evaluate-start", where="fin-01", before=deny.id, **SIGNED)
    tom.post(start, {"name": "tool", "hash": HASH})
    with reaching(factories.SYSTEM) as system:
        facts = FileFacts(path=PATH, sha256=HASH)
        assert evaluate(system, facts=facts, computer=fin_01).effect == "permitted"
        order_of = dict(Policy.objects.within(system).values_list("name", "order"))
        assert order_of["cmp-fin-01-tool-permit"] < order_of[deny.name]


def test_a_proposed_rule_is_added(tom: Client, able_moose: Organization, finance: ComputerGroup) -> None:
    with reaching(factories.SYSTEM) as system:
        acme = an_application(system, able_moose, "Acme Tools")
    start = address(
        able_moose, "policies:evaluate-start", where="fin-01", application=acme.id, rule_hash=HASH, **SIGNED
    )
    assert tom.post(start, {"hash": HASH}).status_code == 302
    assert FileRule.rows.filter(application=acme, hash=HASH).exists()
    again = tom.post(start, {"hash": HASH})
    assert again.status_code == 409 or again.status_code == 422


def test_who_may_only_read_is_told_what_is_missing(
    as_user: AsUser, customer_admin: User, able_moose: Organization, fin_01: Computer
) -> None:
    tom = as_user(customer_admin)
    page = ask(tom, able_moose, where="fin-01", **SIGNED)
    assert "needs policy:write at" in page
    assert tom.get(address(able_moose, "policies:evaluate-start", where="fin-01", **SIGNED)).status_code == 403


def test_a_path_of_an_event_is_judged_as_it_was_reported(
    tom: Client, able_moose: Organization, fin_01: Computer
) -> None:
    """A space at its end makes it another file, which no rule for the usual one permits."""
    with reaching(factories.SYSTEM) as system:
        exact = an_application(system, able_moose, "Exact", rules=[_rule(path=PATH)])
        a_policy(system, at_organization(able_moose), exact)
    send(fin_01, event(1, path=f"{PATH} "))
    send(fin_01, event(2, path=PATH + "x" * 9_000), batch=2)
    with reaching(factories.SYSTEM) as system:
        long, spaced = search.events(system, EventTerms()).rows
    assert "Denied by" in ask(tom, able_moose, event=spaced.id)
    assert "Denied by" in ask(tom, able_moose, event=long.id)
    assert "Permitted by" in ask(tom, able_moose, where="fin-01", path=PATH)
