"""Tidying over REST, and what it is refused for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from audit import dictionaries
from policies.catalogue import RuleDraft
from policies.models import Application, Change, FileRule, ModeWindow, PolicyApplication, UndoStep
from policies.rule_rows import MOST_RULES
from policies.upkeep import merging, splitting
from portal.accounts.models import User
from portal.common import clock
from portal.common.errors import Forbidden, PortalError, Refused
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests.factories import SYSTEM
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally
from tests.policies.test_upkeep_collapse import CONTOSO, digest, learned, ran, tell
from tests.portal.api.caller import Caller


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    dictionaries.forget_all()
    yield
    dictionaries.forget_all()


@pytest.fixture
def tom(technician: User, fin_01: Computer) -> Caller:
    return Caller(technician)


@pytest.fixture
def pair(able_moose: Organization) -> list[str]:
    rules = [RuleDraft(path=r"c:\tools\a\*"), RuleDraft(path=r"c:\tools\b\*")]
    made = [an_application(SYSTEM, able_moose, name, rules=rules[n:]) for n, name in enumerate(("Acme", "Bolt"))]
    return [str(application.id) for application in made]


def test_a_dry_merge_answers_the_preview_and_keeps_nothing(
    tom: Caller, able_moose: Organization, pair: list[str]
) -> None:
    bolt = Application.rows.get(name="Bolt")
    a_policy(SYSTEM, at_organization(able_moose), bolt, name="org-bolt-permit")
    body = {"applications": pair, "survivor": pair[0]}
    dry = tom.post("applications/merge/?dry_run=true", body)
    assert dry.status_code == 200, dry.json()
    told = dry.json()
    assert (told["moved"], told["dropped"], told["rules_after"], told["undo_step"]) == (0, 1, 2, None)
    assert [(p["policy_name"], p["newly_matched_rules"], p["of_applications"]) for p in told["policies"]] == [
        ("org-bolt-permit", 1, ["Acme"])
    ]
    assert Application.rows.filter(id__in=pair).count() == 2
    assert not UndoStep.rows.exists()
    done = tom.post("applications/merge/", {**body, "seen": told["seen"]})
    assert done.json()["undo_step"]["summary"] == "Bolt merged into Acme"
    assert Application.rows.filter(id__in=pair).count() == 1
    stale = tom.post("applications/merge/", {**body, "seen": told["seen"]})
    assert stale.status_code == 404


def test_a_split_over_rest(tom: Caller, able_moose: Organization, pair: list[str]) -> None:
    acme = Application.rows.get(name="Acme")
    policy = a_policy(SYSTEM, at_organization(able_moose), acme)
    leaving = str(FileRule.rows.get(application=acme, position=1).id)
    base = f"applications/{acme.id}/split/"
    dry = tom.post(f"{base}?dry_run=true", {"name": "Acme A", "rules": [leaving]}).json()
    assert (dry["application"], dry["unchanged"], dry["rules"]) == (None, True, 1)
    done = tom.post(base, {"name": "Acme A", "rules": [leaving], "policies": []}).json()
    assert done["unchanged"] is False
    assert policy.applications.count() == 1
    taken = tom.post(base, {"name": "bolt", "rules": [str(FileRule.rows.get(application=acme).id)]})
    assert (taken.status_code, taken.json()["detail"]) == (
        422,
        "All rules would leave. To call the application something else, edit its name.",
    )


def test_collapse_over_rest(tom: Caller, able_moose: Organization, fin_01: Computer) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2, 3)]
    tell(fin_01, *rows)
    application = learned(able_moose, rows)
    base = f"applications/{application.id}/collapse/"
    found = tom.get(base).json()
    assert (found["hash_rules"], found["replaced"], found["rules_after"]) == (3, 3, 1)
    rules = [one["rule"] for one in found["proposals"]]
    assert set(rules[0]) == {"path", "certificate"}
    dry = tom.post(f"{base}?dry_run=true", {"rules": rules, "seen": found["seen"]}).json()
    assert (dry["replaced"], dry["undo_step"]) == (3, None)
    assert FileRule.rows.filter(application=application).count() == 3
    bad = tom.post(base, {"rules": [{"path": "*"}]})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/rules/0/path")
    done = tom.post(base, {"rules": rules, "seen": found["seen"]})
    assert done.json()["undo_step"]["summary"] == "3 hashes of Learned collapsed into 1 rule"
    assert FileRule.rows.filter(application=application).count() == 1


def test_a_certificate_is_replaced_over_rest(tom: Caller, able_moose: Organization) -> None:
    rules = [RuleDraft(path=r"c:\x\*", certificate=CONTOSO), RuleDraft(path=r"c:\x\*", certificate="CN=New")]
    application = an_application(SYSTEM, able_moose, "Contoso", rules=rules)
    body = {"organization": able_moose.slug, "old": CONTOSO.upper(), "new": "CN=New", "how": "replace"}
    dry = tom.post("applications/replace-certificate/?dry_run=true", body).json()
    assert (dry["rules"], dry["applications"][0]["twins"]) == (1, 1)
    assert tom.post("applications/replace-certificate/", body).status_code == 200
    assert [r.certificate for r in FileRule.rows.filter(application=application)] == ["CN=New"]
    gone = tom.post("applications/replace-certificate/", body)
    assert (gone.status_code, gone.json()["errors"][0]["pointer"]) == (422, "/old")


def test_ids_of_other_tenants_and_unknown_ones_are_the_same_404(
    stranger: User, fin_01: Computer, able_moose: Organization, pair: list[str]
) -> None:
    caller = Caller(stranger)
    rule = str(FileRule.rows.filter(application__name="Acme")[0].id)
    for ids in (pair, ["01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-000000000001"]):
        assert caller.post("applications/merge/", {"applications": ids, "survivor": ids[0]}).status_code == 404
        assert caller.post(f"applications/{ids[0]}/split/", {"name": "x", "rules": [rule]}).status_code == 404
        assert caller.get(f"applications/{ids[0]}/collapse/").status_code == 404
        assert caller.post(f"applications/{ids[0]}/collapse/", {"rules": []}).status_code == 404
    body: dict[str, Any] = {"organization": able_moose.slug, "old": CONTOSO, "new": "CN=New"}
    assert caller.post("applications/replace-certificate/", body).status_code == 404


def test_an_own_application_is_not_merged_with_one_of_another_tenant(
    owner_reach: Reach, able_moose: Organization, brisk_otter: Organization, pair: list[str]
) -> None:
    with reaching(SYSTEM):
        foreign = an_application(SYSTEM, brisk_otter, "Otter's")
    with pytest.raises(PortalError) as caught:
        merging.plan_merge(owner_reach, able_moose.id, [pair[0], foreign.id])
    assert caught.value.status == 404


def test_what_cannot_be_merged_says_why(
    reach: Reach, able_moose: Organization, northwind: Organization, pair: list[str]
) -> None:
    with reaching(SYSTEM):
        builtin = Application.rows.create(kind="builtin", name="Edge", catalogue_key="edge", os="windows")
        linux = an_application(SYSTEM, able_moose, "Linux tools", os="linux", rules=[RuleDraft(path="/opt/x/*")])
    for others, why in (([builtin.id], "is built in"), ([linux.id], "different operating systems"), ([], "two")):
        with pytest.raises(Refused, match=why):
            merging.merge_applications(reach, able_moose.id, [pair[0], *others], survivor=pair[0])


def test_a_global_policy_keeps_its_applications_from_those_without_the_right(
    owner_reach: Reach, technician: User, northwind: Organization, all_windows: ComputerGroup
) -> None:
    made = [an_application(owner_reach, northwind, name) for name in ("Acme", "Bolt")]
    a_policy(owner_reach, globally(owner_reach, all_windows), made[1], name="glb-bolt-permit")
    grants = {o: granted - {"global:write"} for o, granted in owner_reach.grants.items()}
    narrow = Reach(owner_reach.actor, grants=grants, numbers=owner_reach.numbers)
    ids = [application.id for application in made]
    with reaching(narrow):
        plan = merging.plan_merge(narrow, northwind.id, ids, survivor=ids[0])
        assert "glb-bolt-permit" in plan.refusal
        with pytest.raises(Forbidden):
            merging.merge_applications(narrow, northwind.id, ids, survivor=ids[0])
    assert Application.rows.filter(id__in=ids).count() == 2


def test_policies_out_of_reach_are_neither_changed_nor_named(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, finance: ComputerGroup
) -> None:
    made = [an_application(owner_reach, northwind, name) for name in ("Acme", "Bolt")]
    a_policy(owner_reach, at_group(finance), made[1], name="grp-secret-permit")
    narrow = owner_reach.within([northwind.id])
    with reaching(narrow):
        plan = merging.plan_merge(narrow, northwind.id, [one.id for one in made], survivor=made[0].id)
        assert "you may not see them" in plan.refusal
        assert "secret" not in repr(plan.shifts)
        with pytest.raises(Refused, match="may not see"):
            merging.merge_applications(narrow, northwind.id, [one.id for one in made], survivor=made[0].id)
        rule = FileRule.rows.filter(application=made[1])[0]
    assert rule.application_id == made[1].id


def test_a_policy_that_named_both_names_the_survivor_once_and_windows_follow(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, pair: list[str]
) -> None:
    acme, bolt = Application.rows.get(name="Acme"), Application.rows.get(name="Bolt")
    both = a_policy(reach, at_organization(able_moose), bolt, acme, name="org-both-permit")
    window = ModeWindow.rows.create(
        organization=able_moose, level="group", target_group=finance, mode="learning", application=bolt,
        started_at=clock.now(), ends_at=clock.now().replace(year=2099),
    )  # fmt: skip
    pending = Change.rows.count()
    merging.merge_applications(reach, able_moose.id, pair, survivor=acme.id)
    assert [link.application_id for link in PolicyApplication.rows.filter(policy=both)] == [acme.id]
    assert ModeWindow.rows.get(id=window.id).application_id == acme.id
    assert Change.rows.count() == pending + 1


def test_a_merge_does_not_make_more_rules_than_an_application_takes(reach: Reach, able_moose: Organization) -> None:
    made = [an_application(reach, able_moose, name) for name in ("Acme", "Bolt")]
    half = MOST_RULES // 2
    for application in made:
        rows = [
            FileRule(organization=able_moose, application=application, position=n, hash=digest(f"{application.id}{n}"))
            for n in range(2, half + 2)
        ]
        FileRule.rows.bulk_create(rows)
    with pytest.raises(Refused, match="20,002 rules"):
        merging.merge_applications(reach, able_moose.id, [a.id for a in made], survivor=made[0].id)
    FileRule.rows.filter(application=made[1], position__gt=half - 1).delete()
    merging.merge_applications(reach, able_moose.id, [a.id for a in made], survivor=made[0].id)
    found = FileRule.rows.filter(application=made[0])
    assert (found.count(), found.order_by("-position")[0].position) == (MOST_RULES, MOST_RULES)


def test_a_split_that_leaves_a_policy_out_tells_that_it_changes(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, pair: list[str]
) -> None:
    acme = Application.rows.get(name="Acme")
    kept = a_policy(reach, at_organization(able_moose), acme, name="org-acme-permit")
    left_out = a_policy(reach, at_group(finance), acme, name="grp-acme-permit")
    rule = FileRule.rows.get(application=acme, position=2)
    done = splitting.split_application(
        reach, able_moose.id, acme.id, name="Acme B", rule_ids=[rule.id], policy_ids=[kept.id]
    )
    assert not done.unchanged
    assert left_out.applications.count() == 1
    assert kept.applications.count() == 2
