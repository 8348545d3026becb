"""Baselines and copies on screen: from nothing to a customer with an exception, and what a customer sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from policies.baselines import reading
from policies.models import Baseline, BaselineException, Policy, Subscription
from portal.accounts.models import Role, User
from portal.tenants.models import ComputerGroup, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization

AsUser = Callable[[User], Client]
SYSTEM = factories.SYSTEM
LATER = (reading.today() + timedelta(days=60)).isoformat()
MSP = "/o/northwind-it"
MOOSE = "/o/able-moose-accounting"


@pytest.fixture
def tess(northwind: Organization, able_moose: Organization, brisk_otter: Organization) -> User:
    return factories.person("Tess Technician", Role.TECHNICIAN, northwind)


@pytest.fixture
def desk(tess: User, as_user: AsUser) -> Client:
    return as_user(tess)


@pytest.fixture
def baseline(desk: Client, northwind: Organization) -> Baseline:
    made = desk.post(f"{MSP}/policies/baselines/new/", {"name": "Workstations", "os": "windows"})
    assert made.status_code == 302
    found = Baseline.rows.get()
    zoom = an_application(SYSTEM, northwind, "Zoom")
    a_policy(SYSTEM, at_group(ComputerGroup.rows.get(id=found.source_group_id)), zoom, name="org-zoom-permit")
    return found


@pytest.fixture
def followed(desk: Client, baseline: Baseline, able_moose: Organization) -> Baseline:
    answer = desk.post(
        f"{MSP}/policies/baselines/{baseline.id}/customers/", {"followers": [f"{able_moose.id}:"], "sure": "yes"}
    )
    assert answer.status_code == 200
    assert b"Able Moose Accounting" in answer.content
    return baseline


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return str(answer.content.decode())


def test_a_new_baseline_leads_to_its_template(desk: Client, baseline: Baseline) -> None:
    page = text(desk, f"{MSP}/policies/baselines/{baseline.id}/")
    assert "org-zoom-permit" in page
    assert f"scope=group&amp;target={baseline.source_group_id}" in page
    assert "Workstations" in text(desk, f"{MSP}/policies/baselines/")
    assert "Workstations" in text(desk, "/all/policies/baselines/")


def test_a_name_that_is_taken_is_said_at_the_form(desk: Client, baseline: Baseline) -> None:
    answer = desk.post(f"{MSP}/policies/baselines/new/", {"name": "workstations", "os": "windows"})
    assert answer.status_code == 422
    assert b"There is a baseline called workstations here already." in answer.content


def test_customers_are_offered_until_they_follow(desk: Client, followed: Baseline) -> None:
    page = text(desk, f"{MSP}/policies/baselines/{followed.id}/customers/")
    assert "Brisk Otter Dental" in page
    assert "Able Moose Accounting" not in page.split("<fieldset")[1].split("</fieldset>")[0]
    assert "In step" in text(desk, f"{MSP}/policies/baselines/{followed.id}/?tab=customers")


def test_what_following_would_do_is_seen_before(
    desk: Client, baseline: Baseline, able_moose: Organization, brisk_otter: Organization
) -> None:
    zoom = Policy.rows.get(target_group=baseline.source_group_id).named_applications[0]
    own = a_policy(SYSTEM, at_organization(able_moose), zoom, name="org-own-permit")
    Policy.rows.filter(id=own.id).update(order=900_000)
    chosen = [f"{able_moose.id}:", f"{brisk_otter.id}:"]
    seen = desk.post(f"{MSP}/policies/baselines/{baseline.id}/customers/", {"followers": chosen}).content.decode()
    assert "Let 2 organizations follow" in seen
    assert "org-own-permit (900,000) comes after org-zoom-permit" in seen
    assert not Subscription.rows.exists()


def test_carrying_is_reviewed_then_done(desk: Client, followed: Baseline, able_moose: Organization) -> None:
    source = Policy.rows.get(target_group=followed.source_group_id)
    Policy.rows.filter(id=source.id).update(description="new words")
    assert "were changed since version 1" in text(desk, f"{MSP}/policies/baselines/{followed.id}/")
    seen = text(desk, f"{MSP}/policies/baselines/{followed.id}/carry/")
    assert "Publish version 2 and carry it" in seen
    assert "1 of 1 customers would change" in seen
    at = Subscription.rows.get()
    done = desk.post(f"{MSP}/policies/baselines/{followed.id}/carry/", {"note": "Words", "subscription": str(at.id)})
    assert b"version 2" in done.content
    assert Policy.rows.get(organization=able_moose, name="org-zoom-permit").description == "new words"
    assert "Words" in text(desk, f"{MSP}/policies/baselines/{followed.id}/")


def test_an_exception_from_drift_to_its_end(desk: Client, followed: Baseline, able_moose: Organization) -> None:
    source = Policy.rows.get(target_group=followed.source_group_id)
    at = Subscription.rows.get()
    form = f"{MOOSE}/policies/following/{at.id}/{source.id}/exception/"
    assert form in text(desk, f"{MSP}/policies/baselines/{followed.id}/?tab=drift")
    refused = desk.post(form, {"kind": "without", "reason": "", "review_on": LATER})
    assert refused.status_code == 422
    made = desk.post(form, {"kind": "without", "reason": "They use Teams", "review_on": LATER})
    assert made["Location"] == f"{MSP}/policies/baselines/{followed.id}/?tab=drift"
    assert "They use Teams" in text(desk, f"{MSP}/policies/baselines/{followed.id}/?tab=exceptions")
    exception = BaselineException.rows.get()
    BaselineException.rows.update(review_on=reading.today())
    assert "1 exception to look at again" in text(desk, f"{MSP}/policies/baselines/")
    assert "Exceptions to review" in text(desk, f"{MSP}/")
    accepted = desk.post(f"{MOOSE}/policies/exceptions/{exception.id}/", {"reason": "Still Teams", "review_on": LATER})
    assert accepted.status_code == 302
    assert "Still Teams" in text(desk, f"{MSP}/policies/baselines/{followed.id}/?tab=exceptions")
    assert desk.post(f"{MOOSE}/policies/exceptions/{exception.id}/end/").status_code == 302
    assert Policy.rows.get(organization=able_moose, name="org-zoom-permit").enabled


def test_changed_here_leads_to_the_form_of_the_policy(
    desk: Client, followed: Baseline, able_moose: Organization
) -> None:
    source, at = Policy.rows.get(target_group=followed.source_group_id), Subscription.rows.get()
    form = f"{MOOSE}/policies/following/{at.id}/{source.id}/exception/"
    made = desk.post(form, {"kind": "changed", "reason": "Only the board", "review_on": LATER})
    mine = Policy.rows.get(organization=able_moose, linked_to=source)
    assert made["Location"] == f"{MOOSE}/policies/{mine.id}/edit/"


def test_drift_is_filtered_exported_and_put_back(desk: Client, followed: Baseline, able_moose: Organization) -> None:
    Policy.rows.filter(organization=able_moose, linked_to__isnull=False).update(users=["x"])
    page = text(desk, f"{MSP}/policies/baselines/{followed.id}/?tab=drift&state=amiss")
    assert "Changed without an exception" in page
    assert "No customer is like that" in text(desk, f"{MSP}/policies/baselines/{followed.id}/?tab=drift&state=missing")
    csv = b"".join(desk.get(f"{MSP}/policies/baselines/{followed.id}/export/").streaming_content).decode()  # type: ignore[attr-defined]
    assert '"Able Moose Accounting","","org-zoom-permit","Changed without an exception","users"' in csv
    source, at = Policy.rows.get(target_group=followed.source_group_id), Subscription.rows.get()
    assert desk.post(f"{MOOSE}/policies/following/{at.id}/{source.id}/put-back/").status_code == 302
    assert Policy.rows.get(organization=able_moose, linked_to=source).users == []


def test_a_customer_reads_its_own_part_and_no_more(
    as_user: AsUser, desk: Client, followed: Baseline, able_moose: Organization, brisk_otter: Organization
) -> None:
    desk.post(
        f"{MSP}/policies/baselines/{followed.id}/customers/", {"followers": [f"{brisk_otter.id}:"], "sure": "yes"}
    )
    ada = as_user(factories.person("Ada Admin", Role.CUSTOMER_ADMIN, able_moose))
    assert "Workstations" in text(ada, f"{MOOSE}/policies/baselines/")
    for tab in ("policies", "customers", "drift", "exceptions"):
        page = text(ada, f"{MOOSE}/policies/baselines/{followed.id}/?tab={tab}")
        assert "Brisk Otter" not in page
        assert "/following/" not in page
    assert "org-zoom-permit" in text(ada, f"{MOOSE}/policies/baselines/{followed.id}/")
    assert ada.get(f"{MSP}/policies/baselines/{followed.id}/").status_code == 404
    assert ada.get(f"{MOOSE}/policies/baselines/{followed.id}/carry/").status_code == 403
    at = Subscription.rows.get(organization=able_moose)
    assert ada.post(f"{MOOSE}/policies/following/{at.id}/stop/").status_code == 403
    otto = as_user(factories.person("Otto Other", Role.CUSTOMER_ADMIN, factories.organization("Cedar", None)))
    assert otto.get(f"{MOOSE}/policies/baselines/{followed.id}/").status_code == 404


def test_a_customer_is_told_what_comes_from_where(
    desk: Client, followed: Baseline, able_moose: Organization, northwind: Organization
) -> None:
    a_policy(
        SYSTEM, at_organization(able_moose), an_application(SYSTEM, able_moose, "Own Tools"), name="org-own-permit"
    )
    page = text(desk, f"{MOOSE}/policies/baselines/").split("What comes from where")[1]
    assert "Workstations version 1" in page.split("org-zoom-permit")[1].split("</tr>")[0]
    assert "own" in page.split("org-own-permit")[1].split("</tr>")[0].replace("org-own", "")


def test_stopping_keeps_the_policies(desk: Client, followed: Baseline, able_moose: Organization) -> None:
    at = Subscription.rows.get()
    assert "Stop following Workstations?" in text(desk, f"{MOOSE}/policies/following/{at.id}/stop/")
    desk.post(f"{MOOSE}/policies/following/{at.id}/stop/", {"keep": "yes"})
    assert Policy.rows.get(organization=able_moose, name="org-zoom-permit").linked_to_id is None
    assert desk.post(f"{MSP}/policies/baselines/{followed.id}/delete/").status_code == 302
    assert not Baseline.rows.exists()


def test_policies_are_mapped_then_copied_and_the_copy_undone(
    desk: Client, able_moose: Organization, brisk_otter: Organization
) -> None:
    tools = an_application(SYSTEM, able_moose, "Acme Tools")
    policy = a_policy(SYSTEM, at_organization(able_moose), tools, name="org-acme-permit")
    there = f"{MOOSE}/policies/copy/?ids={policy.id}"
    assert "org-acme-permit" in text(desk, there)
    target = f"organization:{brisk_otter.id}"
    mapped = desk.post(f"{MOOSE}/policies/copy/", {"ids": str(policy.id), "targets": [target]})
    assert b"Acme Tools: It belongs to another organization" in mapped.content
    assert b"Make 0 copies" in mapped.content
    nothing = desk.post(f"{MOOSE}/policies/copy/", {"ids": str(policy.id), "targets": [target], "verb": "copy"})
    assert nothing.status_code == 422
    wish = {f"app:{brisk_otter.id}:{tools.id}": "copy"}
    asked = {"ids": str(policy.id), "targets": [target], **wish, "verb": "copy"}
    done = desk.post(f"{MOOSE}/policies/copy/", asked)
    assert b"1 policy copied" in done.content
    made = Policy.rows.get(organization=brisk_otter, name="org-acme-permit")
    assert made.enabled is False
    step = next(part for part in done.content.decode().split('"') if part.startswith("/o/brisk-otter-dental/undo/"))
    assert desk.post(step).status_code == 302
    assert not Policy.rows.filter(id=made.id).exists()


def test_a_box_that_is_not_ticked_leaves_a_policy_out(
    desk: Client, able_moose: Organization, brisk_otter: Organization, northwind: Organization
) -> None:
    zoom = an_application(SYSTEM, northwind, "Zoom")
    keep, drop = (a_policy(SYSTEM, at_organization(able_moose), zoom, name=name) for name in ("org-keep", "org-drop"))
    shown = [f"{brisk_otter.id}:{policy.id}" for policy in (keep, drop)]
    asked = {
        "ids": [str(keep.id), str(drop.id)],
        "targets": [f"organization:{brisk_otter.id}"],
        "shown": shown,
        "in": shown[:1],
        "verb": "copy",
    }
    done = desk.post(f"{MOOSE}/policies/copy/", asked)
    assert b"Left out" in done.content
    assert [policy.name for policy in Policy.rows.filter(organization=brisk_otter)] == ["org-keep"]


def test_a_whole_group_is_copied_and_a_foreign_policy_is_not_found(
    desk: Client, able_moose: Organization, brisk_otter: Organization, northwind: Organization
) -> None:
    zoom = an_application(SYSTEM, northwind, "Zoom")
    finance, theirs = factories.group(able_moose, "Finance"), factories.group(brisk_otter, "Finance")
    policy = a_policy(SYSTEM, at_group(finance), zoom, name="grp-zoom")
    asked = {"from": f"group:{finance.id}", "targets": [f"group:{theirs.id}"], "verb": "copy"}
    assert b"1 policy copied" in desk.post(f"{MOOSE}/policies/copy/", asked).content
    assert desk.get(f"/o/brisk-otter-dental/policies/copy/?ids={policy.id}").status_code == 404
