"""The screens of policies and applications as people use them, with and without scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from policies.models import Action, Application, FileRule, Policy
from portal.accounts.models import User
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally

SYSTEM = factories.SYSTEM
MOOSE = "/o/able-moose-accounting"


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def rita(reader: User, as_user: Callable[[User], Client]) -> Client:
    return as_user(reader)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    return an_application(SYSTEM, able_moose, "Acme Tools")


def htmx(target: str) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Target": target}


def typed(finance: ComputerGroup, tools: Application, **fields: Any) -> dict[str, Any]:
    base = {"scope": f"group:{finance.id}", "applications": [str(tools.id)], "action": "permit", "enabled": "on"}
    return {**base, **fields}


def in_order(html: str, *texts: str) -> bool:
    places = [html.find(text) for text in texts]
    assert -1 not in places, [text for text, place in zip(texts, places, strict=True) if place < 0]
    return places == sorted(places)


def test_the_list_shows_bands_origins_ties_and_the_pinned_default(
    tom: Client, northwind: Organization, able_moose: Organization, finance: ComputerGroup, tools: Application
) -> None:
    miners = an_application(SYSTEM, northwind, "Miners")
    edge = Application.rows.create(kind="builtin", name="Microsoft Edge", catalogue_key="edge", os="windows")
    a_policy(SYSTEM, globally(SYSTEM, northwind), miners, name="glb-miners-deny", action=Action.DENY)
    a_policy(SYSTEM, at_group(finance), tools, name="grp-tools-permit")
    a_policy(SYSTEM, at_organization(able_moose), edge, name="org-edge-permit")
    html = tom.get(f"{MOOSE}/policies/?effective_in={finance.id}").content.decode()
    assert in_order(
        html, "Built-in applications, 101 to 100,000", "org-edge-permit", "Custom applications, 100,001 to 999,999",
        "glb-miners-deny", "same order as the next; the deny goes first", "grp-tools-permit", "Default, always last",
        "Default - (Finance)",
    )  # fmt: skip
    assert "As seen by Finance" in html
    assert "from Northwind IT" in html
    assert "Built-ins: first, as nothing is set" in html


def test_disabled_policies_are_shown_only_when_asked_for(
    tom: Client, finance: ComputerGroup, tools: Application
) -> None:
    a_policy(SYSTEM, at_group(finance), tools, name="grp-off", enabled=False)
    assert "grp-off" not in tom.get(f"{MOOSE}/policies/").content.decode()
    shown = tom.get(f"{MOOSE}/policies/?include_disabled=true", headers=htmx("policy-table")).content.decode()
    assert "grp-off" in shown
    assert "<html" not in shown


def test_a_policy_is_created_with_its_proposed_name(tom: Client, finance: ComputerGroup, tools: Application) -> None:
    answer = tom.post(
        f"{MOOSE}/policies/new/?effective_in={finance.id}",
        typed(
            finance,
            tools,
            action="deny",
            users="MOOSE\\ana\nMOOSE\\tom",
            ticket="T-9",
            **{"schedule-0-day": ["0", "1", "2", "3", "4"], "schedule-0-from": "08:00", "schedule-0-to": "18:00"},
        ),
    )
    assert answer.status_code == 302, answer.context["form"].errors
    assert answer["Location"] == f"{MOOSE}/policies/?effective_in={finance.id}"
    policy = Policy.objects.within(SYSTEM).get(is_default=False)
    assert (policy.name, policy.status, policy.owner) == ("grp-finance-acme-tools-deny", "secured", "Tom Technician")
    assert len(policy.schedule) == 5


def test_the_name_is_proposed_while_typing_and_an_unusual_one_is_told(
    tom: Client, finance: ComputerGroup, tools: Application
) -> None:
    query = {"scope": f"group:{finance.id}", "applications": str(tools.id), "action": "deny", "name": "whatever"}
    html = tom.get(f"{MOOSE}/policies/name/", query).content.decode()
    assert "grp-finance-acme-tools-deny" in html
    assert "Names read" in html


def test_switching_moving_and_deleting_from_the_row_menu(
    tom: Client, finance: ComputerGroup, tools: Application
) -> None:
    first, second = (a_policy(SYSTEM, at_group(finance), tools, name=name) for name in ("grp-a", "grp-b"))
    base = f"{MOOSE}/policies/{second.id}"
    asked = tom.post(f"{base}/move/", {"place": f"before:{first.id}"}, headers=htmx("policy-table"))
    assert (asked["HX-Retarget"], "gets another number" in asked.content.decode()) == ("#dialog", True)
    agreed = {"place": f"before:{first.id}", "agreed": asked.context["asked"].fingerprint}
    moved = tom.post(f"{base}/move/", agreed, headers=htmx("policy-table"))
    told = json.loads(moved["HX-Trigger"])
    assert {"changes-made", "policies-changed", "undo-offered"} <= set(told)
    assert in_order(moved.content.decode(), "grp-b", "grp-a")
    off = tom.post(f"{base}/switch/", {"enabled": "off"}, headers=htmx("policy-table")).content.decode()
    assert "grp-b" not in off
    assert tom.post(f"{base}/move/", {"where": "order", "number": "100900"}).status_code == 302
    assert Policy.objects.within(SYSTEM).get(id=second.id).order == 100_900
    assert "Delete grp-b?" in tom.get(f"{base}/delete/").content.decode().replace("<bdi>", "").replace("</bdi>", "")
    assert tom.post(f"{base}/delete/").status_code == 302
    assert not Policy.objects.within(SYSTEM).filter(id=second.id).exists()


def test_a_move_that_a_rule_refuses_is_told_above_the_list(
    tom: Client, finance: ComputerGroup, tools: Application
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools, name="grp-a")
    answer = tom.post(f"{MOOSE}/policies/{policy.id}/move/", {"place": "order:50"}, headers=htmx("policy-table"))
    assert answer.status_code == 422
    assert in_order(answer.content.decode(), "too low", "grp-a")


def test_of_a_default_only_asking_and_logging_can_be_changed(tom: Client, finance: ComputerGroup) -> None:
    default = Policy.objects.within(SYSTEM).get(target_group=finance, is_default=True)
    form = tom.get(f"{MOOSE}/policies/{default.id}/edit/").context["form"]
    assert list(form.fields) == ["allow_request", "log"]
    assert tom.post(f"{MOOSE}/policies/{default.id}/edit/", {"log": "on"}).status_code == 302
    assert Policy.objects.within(SYSTEM).get(id=default.id).allow_request is False
    assert tom.post(f"{MOOSE}/policies/{default.id}/delete/", headers=htmx("policy-table")).status_code == 422


def test_a_reader_sees_the_list_and_no_way_to_change_it(
    tom: Client, rita: Client, finance: ComputerGroup, tools: Application
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools, name="grp-a")
    html = rita.get(f"{MOOSE}/policies/").content.decode()
    assert "grp-a" in html
    assert "New policy" not in html
    assert f"/policies/{policy.id}/" not in html
    assert rita.get(f"{MOOSE}/policies/new/").status_code == 403
    assert rita.post(f"{MOOSE}/policies/{policy.id}/switch/", {"enabled": "off"}).status_code == 403
    assert rita.post(f"{MOOSE}/applications/{tools.id}/rules/", {"path": r"c:\x\*"}).status_code == 403


def test_a_stranger_finds_no_screen_of_it(
    stranger: User, finance: ComputerGroup, tools: Application, as_user: Callable[[User], Client]
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools)
    sam = as_user(stranger)
    for path in ("policies/", f"policies/{policy.id}/edit/", "applications/", f"applications/{tools.id}/"):
        assert sam.get(f"{MOOSE}/{path}").status_code == 404, path
    own = "/o/brisk-otter-dental"
    assert sam.get(f"{own}/policies/{policy.id}/edit/").status_code == 404
    assert sam.get(f"{own}/applications/{tools.id}/").status_code == 404
    assert sam.get(f"/all/applications/{tools.id}/").status_code == 404
    assert "Acme Tools" not in sam.get("/all/applications/").content.decode()
    assert policy.name not in sam.get("/all/policies/").content.decode()
    assert sam.get(f"{own}/policies/?effective_in={finance.id}").status_code == 404


def test_the_lists_of_all_organizations_link_each_row_home(
    tom: Client, owner: User, finance: ComputerGroup, tools: Application, as_user: Callable[[User], Client]
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools)
    olive = as_user(owner)
    assert f"{MOOSE}/policies/{policy.id}/edit/" in olive.get("/all/policies/").content.decode()
    assert f"{MOOSE}/applications/{tools.id}/" in olive.get("/all/applications/").content.decode()


def test_rules_are_added_changed_and_deleted_in_place(tom: Client, tools: Application) -> None:
    base = f"{MOOSE}/applications/{tools.id}"
    assert "New rule" in tom.get(f"{base}/?edit=new", headers=htmx("rules")).content.decode()
    added = tom.post(f"{base}/rules/", {"hash": "ab" * 32, "note": "installer"}, headers=htmx("rules"))
    assert added["HX-Trigger"] == "changes-made, rules-changed"
    rule = FileRule.objects.within(SYSTEM).get(application=tools, position=2)
    assert rule.note == "installer"
    opened = tom.get(f"{base}/?edit={rule.id}", headers=htmx("rules")).content.decode()
    assert f'value="{"ab" * 32}"' in opened
    tom.post(f"{base}/rules/{rule.id}/", {"path": r"c:\acme\new.exe"}, headers=htmx("rules"))
    assert FileRule.objects.within(SYSTEM).get(id=rule.id).path == r"c:\acme\new.exe"
    assert tom.post(f"{base}/rules/{rule.id}/delete/").status_code == 302
    assert not FileRule.objects.within(SYSTEM).filter(id=rule.id).exists()


def test_a_regular_expression_that_cannot_be_used_is_told_with_its_position_and_kept(
    tom: Client, tools: Application
) -> None:
    wrong = r"regex:c:\\acme\\scripts\\(?=patch).*\.ps1"
    answer = tom.post(f"{MOOSE}/applications/{tools.id}/rules/", {"path": wrong}, headers=htmx("rules"))
    assert answer.status_code == 422
    html = answer.content.decode()
    assert f"Position {wrong.index('(?=') + 1}:" in html
    assert f'value="{wrong}"' in html


def test_try_it_says_which_rule_matches_and_what_fails_in_the_others(tom: Client, tools: Application) -> None:
    base = f"{MOOSE}/applications/{tools.id}/"
    won = tom.get(base, {"path": r"C:\Program Files\Acme Tools\a.exe"}, headers=htmx("try-result")).content.decode()
    assert "Rule 1 matches." in won
    lost = tom.get(base, {"path": r"C:\else.exe"}, headers=htmx("try-result")).content.decode()
    assert "No rule matches." in lost
    assert "Path" in lost


def test_an_application_is_created_and_deleted_unless_it_is_in_use(
    tom: Client, finance: ComputerGroup, able_moose: Organization
) -> None:
    made = tom.post(f"{MOOSE}/applications/new/", {"name": "Scanner", "os": "windows"})
    assert made.status_code == 302
    scanner = Application.objects.within(SYSTEM).get(name="Scanner")
    assert made["Location"].endswith(f"{scanner.id}/?edit=new")
    assert tom.post(f"{MOOSE}/applications/new/", {"name": "scanner", "os": "windows"}).status_code == 422
    policy = a_policy(SYSTEM, at_group(finance), scanner)
    assert tom.post(f"{MOOSE}/applications/{scanner.id}/delete/").status_code == 422
    Policy.objects.within(SYSTEM).filter(id=policy.id).delete()
    assert tom.post(f"{MOOSE}/applications/{scanner.id}/delete/").status_code == 302


def test_what_an_attacker_typed_is_drawn_and_never_run(
    tom: Client, finance: ComputerGroup, able_moose: Organization
) -> None:
    evil = an_application(SYSTEM, able_moose, "<script>alert(1)</script>\u202egnp.exe", rules=[])
    a_policy(SYSTEM, at_group(finance), evil, name='"><img src=x onerror=alert(1)>')
    for path in ("policies/", "applications/", f"applications/{evil.id}/", "policies/new/"):
        html = tom.get(f"{MOOSE}/{path}").content.decode()
        assert "<script>alert(1)" not in html, path
        assert "<img src=x" not in html, path


def test_a_page_of_policies_stays_within_its_budgets(
    tom: Client, able_moose: Organization, finance: ComputerGroup, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        a_policy(SYSTEM, at_group(finance), an_application(SYSTEM, able_moose, f"Tool {number}"), name=f"grp-{number}")
    with django_assert_max_num_queries(40):
        page = tom.get(f"{MOOSE}/policies/?effective_in={finance.id}")
    assert len(page.content) < 150_000
    rest = tom.get(page.context["page"].next and f"{MOOSE}/policies/?after={page.context['page'].next}")
    assert "grp-55" in rest.content.decode()


def test_a_mode_is_set_and_ended_on_screen(tom: Client, rita: Client, finance: ComputerGroup, fin_01: Computer) -> None:
    for path, target in ((f"computers/{fin_01.id}", fin_01), (f"groups/{finance.slug}", finance)):
        address = f"{MOOSE}/{path}/mode/"
        assert tom.post(address, {"mode": "learning", "lasts": "0"}).status_code == 422
        assert tom.post(address, {"mode": "learning", "lasts": "240", "reason": "New scanner"}).status_code == 302
        target.refresh_from_db()
        assert target.mode == "learning"
        assert "New scanner" in tom.get(address).content.decode()
        assert rita.get(address).status_code == 403
        assert tom.post(address, {"end": "1"}).status_code == 302
        target.refresh_from_db()
        assert target.mode == "secured"


def test_the_page_of_a_computer_leads_to_what_it_obeys(tom: Client, fin_01: Computer) -> None:
    html = tom.get(f"{MOOSE}/computers/{fin_01.id}/").content.decode()
    assert f"/policies/?effective_for={fin_01.id}" in html
    assert "as nothing else is set" in html


def test_after_a_write_the_list_is_shown_as_it_was_looked_at(
    tom: Client, finance: ComputerGroup, able_moose: Organization, tools: Application
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools, name="grp-a")
    a_policy(SYSTEM, at_group(factories.group(able_moose, "Sales")), tools, name="grp-sales")
    address = f"http://testserver{MOOSE}/policies/?effective_in={finance.id}&include_disabled=true"
    answer = tom.post(
        f"{MOOSE}/policies/{policy.id}/switch/",
        {"enabled": "off"},
        headers={**htmx("policy-table"), "HX-Current-URL": address},
    )
    html = answer.content.decode()
    assert "grp-a" in html
    assert "grp-sales" not in html


def test_a_policy_from_above_is_named_but_not_linked(rita: Client, northwind: Organization, fin_01: Computer) -> None:
    miners = an_application(SYSTEM, northwind, "Miners")
    a_policy(SYSTEM, globally(SYSTEM, northwind), miners, name="glb-miners-deny", action=Action.DENY)
    html = rita.get(f"{MOOSE}/applications/{miners.id}/").content.decode()
    assert "glb-miners-deny" in html
    assert "/o/northwind-it/" not in html
