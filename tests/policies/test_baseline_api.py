"""Baselines and copies over REST: everything with dry_run, nothing across tenants."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policies.baselines import reading
from policies.models import Baseline, BaselineException, Policy, Subscription
from portal.accounts.models import Role
from portal.tenants.models import Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_organization
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
LATER = (reading.today() + timedelta(days=60)).isoformat()


@pytest.fixture
def tess(northwind: Organization, able_moose: Organization, brisk_otter: Organization) -> Caller:
    return Caller(factories.person("Tess Technician", Role.TECHNICIAN, northwind))


def body(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


@pytest.fixture
def made(tess: Caller, northwind: Organization) -> dict[str, Any]:
    asked = {"organization": "northwind-it", "name": "Workstations", "os": "windows"}
    found = body(tess.post("baselines/", asked), 201)
    zoom = an_application(SYSTEM, northwind, "Zoom")
    policy = {
        "name": "org-zoom-permit",
        "scope": {"level": "group", "target": found["template"]},
        "applications": [str(zoom.id)],
        "action": "permit",
    }
    body(tess.post("policies/", policy), 201)
    return dict(found)


def test_a_baseline_is_written_followed_and_carried_by_script(tess: Caller, made: dict[str, Any]) -> None:
    there = f"baselines/{made['id']}/"
    followers = {"followers": [{"organization": "able-moose-accounting"}]}
    tried = body(tess.post(f"{there}subscriptions/?dry_run=true", followers))
    assert tried["done"][0]["created"] == ["org-zoom-permit"]
    assert not Subscription.rows.exists()
    body(tess.post(f"{there}subscriptions/", followers))
    listed = body(tess.get(f"{there}subscriptions/"))["results"]
    assert [one["organization_name"] for one in listed] == ["Able Moose Accounting"]
    source = Policy.rows.get(target_group=made["template"])
    body(tess.patch(f"policies/{source.id}/", {"description": "new words"}))
    outlook = body(tess.get(f"{there}carry/"))
    assert (outlook["version"], outlook["followers"][0]["changed"]) == (2, ["org-zoom-permit"])
    tried = body(tess.post(f"{there}carry/?dry_run=true", {}))
    assert tried["done"][0]["changed"] == ["org-zoom-permit"]
    assert Baseline.rows.get().version == 1
    assert body(tess.post(f"{there}carry/", {"note": "Words"}))["version"] == 2
    drift = body(tess.get(f"{there}policies/"))
    assert [cell["state"] for cell in drift["followers"][0]["cells"]] == ["in_step"]
    assert body(tess.get(f"{there}policies/?state=amiss"))["followers"] == []


def test_a_linked_policy_refuses_with_the_way_out(tess: Caller, made: dict[str, Any]) -> None:
    followers = {"followers": [{"organization": "able-moose-accounting"}]}
    body(tess.post(f"baselines/{made['id']}/subscriptions/", followers))
    mine = Policy.rows.get(linked_to__isnull=False)
    told = body(tess.patch(f"policies/{mine.id}/", {"enabled": False}), 422)
    assert "Make an exception with a reason and a review date" in str(told)


def test_exceptions_are_made_reviewed_and_ended(tess: Caller, made: dict[str, Any]) -> None:
    followers = {"followers": [{"organization": "able-moose-accounting"}]}
    body(tess.post(f"baselines/{made['id']}/subscriptions/", followers))
    at, source = Subscription.rows.get(), Policy.rows.get(target_group=made["template"])
    asked: dict[str, Any] = {
        "subscription": str(at.id),
        "source": str(source.id),
        "kind": "changed",
        "reason": "Board only",
    }
    asked = {**asked, "review_on": LATER, "changes": {"users": ["board"]}}
    body(tess.post("baseline-exceptions/?dry_run=true", asked), 201)
    assert not BaselineException.rows.exists()
    exception = body(tess.post("baseline-exceptions/", asked), 201)
    assert Policy.rows.get(linked_to=source).users == ["board"]
    assert body(tess.post("baseline-exceptions/", {**asked, "changes": {}}), 409)
    missing = body(tess.post("baseline-exceptions/", {**asked, "review_on": "2001-01-01"}), 422)
    assert missing["errors"][0]["pointer"] == "/review_on"
    assert body(tess.get("baseline-exceptions/?due=true"))["results"] == []
    there = f"baseline-exceptions/{exception['id']}/"
    assert body(tess.post(f"{there}accept/", {"review_on": LATER, "reason": "Still"}))["reason"] == "Still"
    assert body(tess.post(f"{there}end/", {"note": "Over"}))["end_note"] == "Over"
    assert Policy.rows.get(linked_to=source).users == []
    assert len(body(tess.get("baseline-exceptions/?ended=true"))["results"]) == 1
    Policy.rows.filter(linked_to=source).update(users=["x"])
    body(tess.post(f"baseline-subscriptions/{at.id}/put-back/", {"sources": [str(source.id)]}))
    assert Policy.rows.get(linked_to=source).users == []
    assert tess.post(f"baseline-subscriptions/{at.id}/stop/", {"policies": "delete"}).status_code == 204
    assert not Policy.rows.filter(linked_to=source).exists()


def test_a_customer_reads_and_a_stranger_finds_nothing(
    tess: Caller, made: dict[str, Any], able_moose: Organization, brisk_otter: Organization
) -> None:
    followers = {"followers": [{"organization": "able-moose-accounting"}]}
    body(tess.post(f"baselines/{made['id']}/subscriptions/", followers))
    ada = Caller(factories.person("Ada Admin", Role.CUSTOMER_ADMIN, able_moose))
    assert [one["name"] for one in body(ada.get("baselines/"))["results"]] == ["Workstations"]
    body(ada.get(f"baselines/{made['id']}/policies/"))
    body(ada.post(f"baselines/{made['id']}/carry/", {}), 403)
    oscar = Caller(factories.person("Oscar Otter", Role.OWNER, brisk_otter))
    assert body(oscar.get("baselines/"))["results"] == []
    for address in (f"baselines/{made['id']}/", f"baselines/{made['id']}/policies/"):
        body(oscar.get(address), 404)
    body(oscar.post(f"baselines/{made['id']}/carry/", {}), 404)


def test_copies_answer_their_mapping_and_are_kept_only_without_dry_run(
    tess: Caller, able_moose: Organization, brisk_otter: Organization
) -> None:
    tools = an_application(SYSTEM, able_moose, "Acme Tools")
    policy = a_policy(SYSTEM, at_organization(able_moose), tools, name="org-acme")
    asked: dict[str, Any] = {
        "policies": [str(policy.id)],
        "targets": [{"level": "organization", "target": "brisk-otter-dental"}],
    }
    told = body(tess.post("policies/copy/", asked))
    assert told["copied"] == []
    assert told["mapping"][0]["policies"][0]["applications"][0]["use"] == "none"
    asked["applications"] = [{"organization": "brisk-otter-dental", "application": str(tools.id), "use": "copy"}]
    tried = body(tess.post("policies/copy/?dry_run=true", asked))
    assert len(tried["copied"][0]["policies"]) == 1
    assert not Policy.rows.filter(organization=brisk_otter).exists()
    kept = body(tess.post("policies/copy/", asked))["copied"][0]
    assert Policy.rows.get(id=kept["policies"][0]).enabled is False
    body(tess.post(f"undo-steps/{kept['undo_step']}/undo/", {}))
    assert not Policy.rows.filter(organization=brisk_otter).exists()
    whole = {"source": {"level": "organization", "target": "able-moose-accounting"}, "targets": asked["targets"]}
    assert len(body(tess.post("policies/copy/?dry_run=true", whole))["mapping"][0]["policies"]) == 1
    oscar = Caller(factories.person("Oscar Otter", Role.OWNER, brisk_otter))
    body(oscar.post("policies/copy/", asked), 404)
