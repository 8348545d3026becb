"""The lock-out guard: nothing takes away what people and computers cannot do without, unless somebody says why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from agents import deploy, rollout
from agents.models import Blob, Delivery, Deployment
from policies import authoring, catalogue, modes
from policies.builtin.loader import load_catalogue
from policies.builtin.schema import Entry as CatalogueEntry
from policies.builtin.schema import RuleEntry, SourceEntry
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.models import Action, Application, Category, Level, MatchCount, Policy, Status
from policies.modes import ModeDraft
from policies.placing import TOP
from policies.scopes import Scope
from portal.accounts.models import User
from portal.common import clock
from portal.common.errors import Refused
from portal.tenants.models import ComputerGroup, Entry, Mode, Organization
from tests import factories
from tests.agents.conftest import Enroll
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
EDGE = r"c:\program files (x86)\microsoft\edge\application\msedge.exe"
CHROME = r"c:\program files\google\chrome\application\chrome.exe"
FIREFOX = r"c:\program files\mozilla firefox\firefox.exe"
REASON = "Kiosk computers: nobody logs on there."


def application(organization: Organization, name: str, *paths: str) -> Application:
    return catalogue.create_application(
        SYSTEM,
        organization_id=organization.id,
        name=name,
        os="windows",
        rules=[RuleDraft(path=path) for path in paths],
    )


def decide(action: Action, group: ComputerGroup, *applications: Application, **fields: Any) -> Policy:
    scope = Scope(group.organization_id, Level.GROUP, group.id)
    names = "-".join(a.name.lower() for a in applications)
    draft = PolicyDraft(
        name=f"grp-{group.slug}-{names}-{action}",
        scope=scope,
        applications=tuple(a.id for a in applications),
        action=action,
        status=fields.pop("status", Status.SECURED if action == Action.DENY else Status.INHERIT),
        **fields,
    )
    return authoring.create_policy(SYSTEM, draft=draft)


def press(group: ComputerGroup, **more: str) -> Deployment:
    deployment = deploy.start_deployment(SYSTEM, level="group", target_id=group.id, **more)
    rollout.run_deployment(deployment.id)
    return deployment


def refused(group: ComputerGroup, **more: str) -> str:
    before = Deployment.objects.within(SYSTEM).count()
    with pytest.raises(Refused) as caught:
        press(group, **more)
    assert caught.value.code == "lock_out"
    assert Deployment.objects.within(SYSTEM).count() == before
    return caught.value.message


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (r"c:\windows\system32\winlogon.exe", "logging on"),
        (r"*\lsass.exe", "logging on"),
        (r"c:\windows\servicing\*", "updates of the operating system"),
    ],
)
def test_denying_logon_or_updates_is_refused_and_says_what_and_by_which_policy(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization, path: str, told: str
) -> None:
    enroll("fin-01")
    policy = decide(Action.DENY, finance, application(able_moose, "Tools", path))
    authoring.move_policy(SYSTEM, policy.id, place=TOP)
    message = refused(finance)
    assert told in message
    assert policy.name in message
    assert "Able Moose" in message


def test_a_group_whose_windows_nobody_permits_is_not_locked_up(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization
) -> None:
    enroll("fin-01")
    authoring.delete_policy(SYSTEM, Policy.objects.within(SYSTEM).get(name="org-windows-permit").id)
    assert "Default - (Finance)" in refused(finance)


def test_a_bundle_that_cannot_be_read_any_more_neither_stops_the_guard_nor_excuses_anything(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization
) -> None:
    enroll("fin-01")
    press(finance)
    Blob.rows.update(data=b"of another release")
    policy = decide(Action.DENY, finance, application(able_moose, "Tools", r"*\lsass.exe"))
    authoring.move_policy(SYSTEM, policy.id, place=TOP)
    assert policy.name in refused(finance)
    authoring.delete_policy(SYSTEM, policy.id)
    assert press(finance).id


def test_a_group_that_learns_may_be_deployed_and_is_held_back_when_it_is_secured(
    enroll: Enroll, finance: ComputerGroup
) -> None:
    enroll("fin-01")
    authoring.delete_policy(SYSTEM, Policy.objects.within(SYSTEM).get(name="org-windows-permit").id)
    learning = ModeDraft(Mode.LEARNING, clock.now() + timedelta(days=3))
    modes.set_mode(SYSTEM, "group", finance.id, draft=learning)
    press(finance)
    modes.end_mode(SYSTEM, "group", finance.id)
    assert "logging on" in refused(finance)


def test_what_is_in_place_already_is_not_asked_about_again(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization
) -> None:
    enroll("fin-01")
    deny = decide(Action.DENY, finance, application(able_moose, "Tools", r"*\lsass.exe"))
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    press(finance, override=REASON)
    decide(Action.PERMIT, finance, application(able_moose, "Acme", r"c:\acme\*"))
    press(finance)


@pytest.mark.parametrize("reason", ["", "short", "aaaaaaaaaaaaaaaa", " " * 30])
def test_an_override_needs_a_real_reason(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization, reason: str
) -> None:
    enroll("fin-01")
    deny = decide(Action.DENY, finance, application(able_moose, "Tools", r"*\lsass.exe"))
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    refused(finance, override=reason)


def test_an_override_is_told_in_the_system_audit(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization
) -> None:
    enroll("fin-01")
    deny = decide(Action.DENY, finance, application(able_moose, "Tools", r"*\lsass.exe"))
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    press(finance, override=REASON)
    entry = Entry.rows.get(organization_id=able_moose.id, verb="lockout.overridden")
    assert entry.details["reason"] == REASON
    assert "lsass.exe" in entry.details["stops"][0]


def test_a_deny_at_certain_hours_or_for_one_person_counts_as_one_that_always_holds(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization
) -> None:
    enroll("fin-01")
    night = ({"day": (clock.now().weekday() + 3) % 7, "start": "01:00", "end": "02:00"},)
    deny = decide(Action.DENY, finance, application(able_moose, "Tools", r"*\winlogon.exe"), schedule=night)
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    refused(finance)


def test_one_browser_is_enough_and_the_last_one_stays(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization
) -> None:
    enroll("fin-01")
    edge = decide(Action.PERMIT, finance, application(able_moose, "Edge", EDGE))
    decide(Action.PERMIT, finance, application(able_moose, "Chrome", CHROME))
    press(finance)
    authoring.set_enabled(SYSTEM, edge.id, enabled=False)
    press(finance)
    decide(Action.DENY, finance, application(able_moose, "Browsers", CHROME, FIREFOX))
    deny = Policy.objects.within(SYSTEM).get(name__contains="browsers")
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    assert "every browser" in refused(finance)


def test_a_group_that_never_had_a_browser_needs_none(enroll: Enroll, finance: ComputerGroup) -> None:
    enroll("srv-01")
    press(finance)


@pytest.fixture
def rmm() -> Application:
    entry = CatalogueEntry(
        key="acme-rmm", version=1, name="Acme RMM", publisher="Acme", os="windows", category=Category.RMM,
        description="Manages computers.", source=[SourceEntry(says="Acme's own page.")],
        rules=[RuleEntry(path=r"%ProgramFiles%\*\AcmeRmm.exe")],
    )  # fmt: skip
    load_catalogue(SYSTEM, [entry])
    found: Application = Application.objects.within(SYSTEM).get(catalogue_key="acme-rmm")
    return found


def test_the_tool_that_manages_the_computer_stays_where_it_is_in_use(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization, rmm: Application
) -> None:
    enroll("fin-01")
    MatchCount.objects.within(SYSTEM).create(
        organization=able_moose, day=clock.now().date(), policy=able_moose.id, application=rmm.id, count=1,
        last_at=clock.now(),
    )  # fmt: skip
    message = refused(finance)
    assert "the tool that manages the computer" in message
    decide(Action.PERMIT, finance, rmm)
    press(finance)
    decide(Action.DENY, finance, application(able_moose, "Rmm killer", r"*\acmermm.exe"))
    prefer_custom = Policy.objects.within(SYSTEM).get(name__contains="rmm killer")
    assert prefer_custom.order > 100_000
    press(finance)  # built-in policies decide first: nothing is stopped
    authoring.set_enabled(SYSTEM, Policy.objects.within(SYSTEM).get(name__contains="acme rmm").id, enabled=False)
    assert "rmm killer" in refused(finance)


def test_a_tool_that_nobody_uses_here_may_be_denied(enroll: Enroll, finance: ComputerGroup, rmm: Application) -> None:
    enroll("fin-01")
    decide(Action.DENY, finance, rmm)
    press(finance)


def test_the_agents_own_programs_are_where_the_computer_says(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization
) -> None:
    enroll("fin-01")
    press(finance)
    delivery = Delivery.objects.within(SYSTEM).get(computer__name="fin-01")
    delivery.heartbeat = {"programs": [r"c:\program files\portcullis\agent.exe"]}
    delivery.save(update_fields=["heartbeat"])
    decide(Action.PERMIT, finance, application(able_moose, "Agent", r"c:\program files\portcullis\*"))
    press(finance)
    deny = decide(Action.DENY, finance, application(able_moose, "Cleaner", r"*\portcullis\*"))
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    assert "the Portcullis agent" in refused(finance)


def test_the_review_page_tells_before_the_press_and_takes_the_reason(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization, technician: User, as_user: Any
) -> None:
    enroll("fin-01")
    deny = decide(Action.DENY, finance, application(able_moose, "Tools", r"*\lsass.exe"))
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    browser: Client = as_user(technician)
    scope = f"organization:{able_moose.id}"
    told = browser.get(f"/o/{able_moose.slug}/pending/lockouts/", {"scope": scope}).content.decode()
    assert "lsass.exe" in told
    assert 'name="override"' in told
    form = {"scope_value": scope, "organization": able_moose.slug}
    page = browser.post(f"/o/{able_moose.slug}/pending/deploy/", form)
    assert page.status_code == 422
    assert 'name="override"' in page.content.decode()
    assert browser.post(f"/o/{able_moose.slug}/pending/deploy/", {**form, "override": REASON}).status_code == 302


def test_the_api_answers_with_a_code_and_takes_the_reason(
    enroll: Enroll, finance: ComputerGroup, able_moose: Organization, technician: User
) -> None:
    enroll("fin-01")
    deny = decide(Action.DENY, finance, application(able_moose, "Tools", r"*\lsass.exe"))
    authoring.move_policy(SYSTEM, deny.id, place=TOP)
    caller = Caller(technician)
    body = {"scope": {"level": "group", "target": str(finance.id)}}
    answer = caller.post("deployments/", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/override"
    assert caller.post("deployments/?dry_run=true", {**body, "override": REASON}).status_code in (200, 201)
    assert caller.post("deployments/", {**body, "override": REASON}).status_code == 201


def test_what_only_a_relaxed_mode_let_run_is_not_missed_unless_it_is_in_use(
    enroll: Enroll, finance: ComputerGroup, rmm: Application, able_moose: Organization
) -> None:
    enroll("fin-01")
    modes.set_mode(SYSTEM, "group", finance.id, draft=ModeDraft(Mode.MONITOR_ONLY))
    press(finance)
    modes.end_mode(SYSTEM, "group", finance.id)
    press(finance)
    modes.set_mode(SYSTEM, "group", finance.id, draft=ModeDraft(Mode.MONITOR_ONLY))
    press(finance)
    MatchCount.objects.within(SYSTEM).create(
        organization=able_moose, day=clock.now().date(), policy=able_moose.id, application=rmm.id, count=1,
        last_at=clock.now(),
    )  # fmt: skip
    modes.end_mode(SYSTEM, "group", finance.id)
    assert "the tool that manages the computer" in refused(finance)
