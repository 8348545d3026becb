"""Lint over REST: reading findings, mending, accepting, and warnings of a dry run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policies import regex_budget
from policies.catalogue import RuleDraft
from policies.linting import results
from policies.models import AcceptedFinding, Action, Application, FileRule, Policy, UndoStep
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import Computer, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_organization
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM


@pytest.fixture
def tom(technician: User, fin_01: Computer) -> Caller:
    return Caller(technician)


@pytest.fixture
def doubled(able_moose: Organization) -> Application:
    rules = [RuleDraft(path=r"c:\program files\acme\*"), RuleDraft(path=r"c:\program files\acme\bin\*")]
    return an_application(SYSTEM, able_moose, "Acme", rules=rules)


@pytest.fixture
def shadowed(able_moose: Organization, doubled: Application) -> Policy:
    a_policy(SYSTEM, at_organization(able_moose), doubled, name="org-acme-permit")
    tool = an_application(SYSTEM, able_moose, "Tool", rules=[RuleDraft(path=r"c:\program files\acme\tool.exe")])
    return a_policy(SYSTEM, at_organization(able_moose), tool, name="org-tool-deny", action=Action.DENY)


def test_the_findings_of_an_application_have_the_shape_that_was_promised(tom: Caller, doubled: Application) -> None:
    answer = tom.get(f"applications/{doubled.id}/findings/")
    (covered,) = [one for one in answer.json() if one["code"] == "covered-rule"]
    second = FileRule.objects.within(SYSTEM).get(application=doubled, position=2)
    assert covered["rule"] == str(second.id)
    assert covered["suggestion"] == "Delete the rule"
    assert {"code", "severity", "rule", "message", "suggestion"} <= set(covered)


def test_findings_are_listed_narrowed_and_paged(tom: Caller, able_moose: Organization, shadowed: Policy) -> None:
    found = tom.get(f"findings/?organization={able_moose.slug}&count=true").json()
    assert found["results"][0]["code"] == "shadowed-policy"
    assert found["results"][0]["subject"] == str(shadowed.id)
    first = tom.get(f"findings/?organization={able_moose.slug}&page_size=1").json()
    second = tom.get(first["next"].removeprefix("http://testserver")).json()
    assert second["results"] == found["results"][1:2]
    assert tom.get(second["previous"].removeprefix("http://testserver")).json()["results"] == first["results"]
    only = tom.get(f"findings/?organization={able_moose.slug}&code=covered-rule").json()["results"]
    assert {one["code"] for one in only} == {"covered-rule"}
    assert tom.get("findings/?code=odd").status_code == 422
    assert tom.get("findings/?organization=nobody").status_code == 404


def test_without_an_organization_the_kept_findings_of_all_are_listed(
    owner: User, able_moose: Organization, brisk_otter: Organization, shadowed: Policy
) -> None:
    caller = Caller(owner)
    assert caller.get("findings/").json()["results"] == []
    results.refresh(able_moose.id)
    assert shadowed.name in {one["subject_name"] for one in caller.get("findings/").json()["results"]}


def test_fixing_tells_what_was_mended_what_was_not_and_what_undoes_it(
    tom: Caller, able_moose: Organization, doubled: Application
) -> None:
    (found,) = tom.get(f"findings/?organization={able_moose.slug}&code=covered-rule").json()["results"]
    body = {"organization": able_moose.slug, "findings": [found["key"], "expired~policy~x~~disable_policy"]}
    tried = tom.post("findings/fix/?dry_run=true", body).json()
    assert tried["mended"] == [found["key"]]
    assert FileRule.objects.within(SYSTEM).filter(application=doubled).count() == 2
    done = tom.post("findings/fix/", body).json()
    assert done["mended"] == [found["key"]]
    assert [one["finding"] for one in done["failed"]] == ["expired~policy~x~~disable_policy"]
    assert done["undo_steps"][0]["id"] == str(UndoStep.objects.within(SYSTEM).get().id)
    assert FileRule.objects.within(SYSTEM).filter(application=doubled).count() == 1


def test_accepting_over_rest(tom: Caller, able_moose: Organization, shadowed: Policy) -> None:
    (found,) = tom.get(f"findings/?organization={able_moose.slug}&code=shadowed-policy").json()["results"]
    day = (clock.now() + timedelta(days=30)).date().isoformat()
    body = {"organization": able_moose.slug, "findings": [found["key"]], "reason": "Meant so", "review_on": day}
    assert tom.post("findings/accept/?dry_run=true", body).status_code == 200
    assert AcceptedFinding.objects.within(SYSTEM).count() == 0
    assert tom.post("findings/accept/", {**body, "findings": ["odd"]}).status_code == 422
    assert tom.post("findings/accept/", body).json()[0]["review_on"] == day
    where = f"findings/?organization={able_moose.slug}&code=shadowed-policy"
    assert tom.get(where).json()["results"] == []
    assert tom.get(f"{where}&show=accepted").json()["results"][0]["accepted"]["reason"] == "Meant so"
    gone = tom.call("DELETE", "findings/accept/", {"organization": able_moose.slug, "findings": [found["key"]]})
    assert gone.status_code == 204
    assert len(tom.get(where).json()["results"]) == 1


def test_a_dry_run_answers_what_lint_would_say(tom: Caller, able_moose: Organization, shadowed: Policy) -> None:
    tool = Application.objects.within(SYSTEM).get(name="Tool")
    body = {
        "scope": {"level": "organization", "target": able_moose.slug},
        "applications": [str(tool.id)],
        "action": "deny",
        "name": "org-again",
    }
    tried = tom.post("policies/?dry_run=true", body)
    assert "shadowed-policy" in {one["code"] for one in tried.json()["warnings"]}
    assert not Policy.objects.within(SYSTEM).filter(name="org-again").exists()
    assert "warnings" not in tom.post("policies/", body).json()
    acme = Application.objects.within(SYSTEM).get(name="Acme")
    rule = tom.post(f"applications/{acme.id}/rules/?dry_run=true", {"path": r"c:\users\*\a.exe"})
    assert [one["code"] for one in rule.json()["warnings"]] == ["user-writable-path"]
    made = {"organization": able_moose.slug, "name": "New", "os": "windows", "rules": [{"certificate": "CN=Acme"}]}
    application = tom.post("applications/?dry_run=true", made)
    assert "certificate-only" in {one["code"] for one in application.json()["warnings"]}


def test_an_organization_has_room_for_so_many_regexes_that_are_tried_on_every_file(
    tom: Caller, doubled: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regex_budget, "MOST_WITHOUT_LITERAL", 1)
    rules = f"applications/{doubled.id}/rules/"
    first = tom.post(rules, {"path": r"regex:[a-z]:\\..\\[a-z]{4}"})
    assert first.status_code == 201
    second = tom.post(rules, {"path": r"regex:[a-z]:\\..\\[a-z]{5}"})
    assert second.status_code == 422
    assert "tried on every file" in second.json()["detail"]
    assert tom.post(rules, {"path": r"regex:[a-z]:\\acme\\[a-z]{5}"}).status_code == 201
    assert tom.patch(first["Location"], {"path": r"regex:[a-z]:\\..\\[a-z]{6}"}).status_code == 200
