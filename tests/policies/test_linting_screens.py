"""The lint page, its dialogs, its export, and lint beside what is written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from policies.catalogue import RuleDraft
from policies.linting import results
from policies.models import AcceptedFinding, Action, Application, FileRule, Policy, UndoStep
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import ComputerGroup, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.factories import SYSTEM
from tests.policies.conftest import a_policy, an_application, at_organization

HTMX = {"HX-Request": "true", "HX-Target": "findings"}


@pytest.fixture
def client(technician: User, everybody: None) -> Client:
    client = Client()
    client.force_login(technician)
    return client


@pytest.fixture
def shadowed(technician: User, everybody: None, able_moose: Organization) -> Policy:
    """A deny below a permit of the folder it names."""
    mine = factories.reach(technician)
    with reaching(mine):
        wide = an_application(mine, able_moose, "Wide")
        tool = an_application(mine, able_moose, "Tool", rules=[RuleDraft(path=r"c:\program files\wide\tool.exe")])
        a_policy(mine, at_organization(able_moose), wide, name="org-wide-permit")
        return a_policy(mine, at_organization(able_moose), tool, name="org-tool-deny", action=Action.DENY)


@pytest.fixture
def doubled(technician: User, everybody: None, able_moose: Organization) -> Application:
    mine = factories.reach(technician)
    with reaching(mine):
        rules = [RuleDraft(path=r"c:\program files\acme\*"), RuleDraft(path=r"c:\program files\acme\bin\*")]
        return an_application(mine, able_moose, "Acme", rules=rules)


def key(code: str, subject_type: str, subject: object, box: str = "", remedy: str = "") -> str:
    return f"{code}~{subject_type}~{subject}~{box}~{remedy}"


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/o/able-moose-accounting/lint/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_tells_what_why_and_what_to_do(client: Client, shadowed: Policy) -> None:
    text = page(client)
    assert "This deny stops nothing" in text
    assert "org-wide-permit (#100,001)" in text
    assert "In three months" in text or "in three months" in text
    assert "Move above…" in text
    assert f"#policy-{shadowed.id}" in text


def test_an_organization_with_nothing_to_mend_says_so(client: Client, able_moose: Organization) -> None:
    assert "Nothing to mend" in page(client)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?severity=danger", True),
        ("?severity=info", False),
        ("?code=shadowed-policy", True),
        ("?code=expired", False),
        ("?level=organization", True),
        ("?level=group", False),
        ("?q=tool-deny", True),
        ("?q=nobody", False),
        ("?show=accepted", False),
        ("?show=above", False),
        ("?severity=odd&code=odd", True),
    ],
)
def test_filters_narrow(client: Client, shadowed: Policy, query: str, found: bool) -> None:
    assert ("This deny stops nothing" in page(client, query)) is found


def test_a_move_asks_first_and_is_then_done_and_can_be_undone(client: Client, shadowed: Policy) -> None:
    wanted = key("shadowed-policy", "policy", shadowed.id, remedy="move_above")
    asked = client.get(
        f"/o/able-moose-accounting/lint/fix/?finding={wanted}", headers={"HX-Request": "true", "HX-Target": "dialog"}
    )
    assert "moves before org-wide-permit" in asked.content.decode()
    assert Policy.rows.get(id=shadowed.id).order == shadowed.order
    done = client.post("/o/able-moose-accounting/lint/fix/", {"finding": wanted}, headers=HTMX)
    assert done.status_code == 200
    assert "undo-offered" in done.headers["HX-Trigger"]
    assert "This deny stops nothing" not in done.content.decode()
    with reaching(SYSTEM):
        assert UndoStep.rows.count() == 1


def test_all_of_a_code_are_mended_at_once_without_scripts(client: Client, doubled: Application) -> None:
    asked = client.get("/o/able-moose-accounting/lint/fix/?code=covered-rule").content.decode()
    assert "Rule 2 of Acme" in asked
    with reaching(SYSTEM):
        rule = FileRule.rows.get(application=doubled, position=2)
    wanted = key("covered-rule", "rule", rule.id, remedy="delete_rule")
    answer = client.post("/o/able-moose-accounting/lint/fix/", {"finding": wanted})
    assert (answer.status_code, answer["Location"]) == (302, "/o/able-moose-accounting/lint/")
    with reaching(SYSTEM):
        assert not FileRule.rows.filter(id=rule.id).exists()


def test_what_is_gone_is_told(client: Client, shadowed: Policy) -> None:
    gone = key("expired", "policy", shadowed.id, remedy="disable_policy")
    answer = client.post("/o/able-moose-accounting/lint/fix/", {"finding": gone}, headers=HTMX)
    assert answer.status_code == 422
    assert "no longer found" in answer.content.decode()


def test_a_finding_is_accepted_with_a_reason_and_counts_again_when_taken_back(client: Client, shadowed: Policy) -> None:
    wanted = key("shadowed-policy", "policy", shadowed.id, remedy="move_above")
    there = "/o/able-moose-accounting/lint/accept/"
    assert "org-tool-deny" in client.get(f"{there}?finding={wanted}").content.decode()
    day = (clock.now() + timedelta(days=30)).date().isoformat()
    refused = client.post(there, {"finding": wanted, "reason": "", "review_on": day}, headers=HTMX)
    assert (refused.status_code, refused["HX-Retarget"]) == (422, "#dialog")
    done = client.post(there, {"finding": wanted, "reason": "Meant so", "review_on": day}, headers=HTMX)
    assert done.status_code == 200
    assert "This deny stops nothing" not in page(client)
    assert "Meant so" in page(client, "?show=accepted")
    client.post("/o/able-moose-accounting/lint/withdraw/", {"finding": wanted})
    assert "This deny stops nothing" in page(client)
    with reaching(SYSTEM):
        assert AcceptedFinding.rows.count() == 0


def test_the_export_is_safe_for_spreadsheets_and_follows_the_filters(
    client: Client, shadowed: Policy, able_moose: Organization
) -> None:
    with reaching(SYSTEM):
        Policy.rows.filter(id=shadowed.id).update(name="=cmd|x")
    lines = (
        b"".join(client.get("/o/able-moose-accounting/lint/export/?severity=danger").streaming_content)
        .decode()
        .splitlines()
    )  # type: ignore[attr-defined]
    assert lines[0].startswith('"severity","code"')
    assert len(lines) == 2
    assert '"\'=cmd|x"' in lines[1]


def test_everywhere_shows_kept_results_of_all_organizations(
    owner: User, shadowed: Policy, able_moose: Organization
) -> None:
    client = Client()
    client.force_login(owner)
    waiting = client.get("/all/lint/").content.decode()
    assert "no result" in waiting
    results.refresh(able_moose.id)
    text = client.get("/all/lint/").content.decode()
    assert "This deny stops nothing" in text
    assert "Able Moose" in text


def test_a_reader_sees_no_buttons_and_may_not_press_them(reader: User, everybody: None, shadowed: Policy) -> None:
    client = Client()
    client.force_login(reader)
    assert "Move above" not in page(client)
    assert client.post("/o/able-moose-accounting/lint/fix/", {"finding": "x"}).status_code == 403


def test_the_form_of_a_policy_shows_what_lint_will_say(
    client: Client, shadowed: Policy, able_moose: Organization, finance: ComputerGroup
) -> None:
    with reaching(SYSTEM):
        tool = Application.rows.get(name="Tool")
    sent = {
        "applications": str(tool.id),
        "scope": f"organization:{able_moose.id}",
        "action": "deny",
        "status": "inherit",
        "name": "org-again",
        "place": "bottom",
        "enabled": "on",
    }
    text = client.post("/o/able-moose-accounting/lint/draft/", sent).content.decode()
    assert "This deny stops nothing" in text
    above = client.post("/o/able-moose-accounting/lint/draft/", {**sent, "place": "top"}).content.decode()
    assert "This deny stops nothing" not in above
    assert "org-tool-deny" not in above or "changes nothing" in above
    with reaching(SYSTEM):
        assert not Policy.rows.filter(name="org-again").exists()


def test_an_application_shows_its_findings(client: Client, doubled: Application) -> None:
    text = client.get(f"/o/able-moose-accounting/applications/{doubled.id}/lint/").content.decode()
    assert "Rule 2 matches nothing that is not matched by rule 1." in text


def test_an_application_of_others_is_not_found(client: Client, everybody: None, brisk_otter: Organization) -> None:
    with reaching(SYSTEM):
        theirs = an_application(SYSTEM, brisk_otter, "Theirs")
    assert client.get(f"/o/able-moose-accounting/applications/{theirs.id}/lint/").status_code == 404
