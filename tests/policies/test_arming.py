"""The arm switch: on for a while, off by itself; in the bundle only as long as it lasts, with its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from policies import arming, authoring, changes
from policies.compile import snapshot
from policies.drafts import draft_of
from policies.engine import bundle
from policies.engine.facts import FileFacts
from policies.engine.model import Policy as EnginePolicy
from policies.engine.normal_form import normal_facts
from policies.models import Application, Policy
from portal.accounts.models import Role, User
from portal.common import clock
from portal.common.errors import Forbidden, Refused
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, globally
from tests.portal.api.caller import Caller

TOOL = normal_facts(FileFacts(path=r"c:\program files\acme tools\x.exe"))


@pytest.fixture
def scripts(reach: Reach, finance: ComputerGroup, acme: Application) -> Policy:
    """A policy that is off unless it is used."""
    return a_policy(reach, at_group(finance), acme, name="grp-finance-rmm-permit", enabled=False)


def in_bundle(reach: Reach, computer: Computer) -> list[EnginePolicy]:
    layers = snapshot(reach, computer.organization_id).layers_of(computer)
    opened = [bundle.open_layer(layer.blob) for layer in layers if layer.kind == "policies"]
    return [policy for layer in opened for policy in layer.policies if not policy.is_default]


def at(policy: Policy, when: datetime) -> Policy:
    """The policy armed until `when`, whatever the activity would say to that."""
    Policy.rows.filter(id=policy.id).update(armed_until=when)
    policy.refresh_from_db()
    return policy


def test_an_armed_policy_is_in_the_bundle_as_enabled_until_the_arm_ends(
    reach: Reach, scripts: Policy, fin_01: Computer
) -> None:
    assert in_bundle(reach, fin_01) == []
    until = clock.now() + timedelta(minutes=30)
    arming.arm(reach, scripts.id, until=until)
    [sent] = in_bundle(reach, fin_01)
    assert (sent.id, sent.enabled, sent.expires_at) == (str(scripts.id), True, clock.to_ms(until))


def test_its_own_earlier_expiry_wins(reach: Reach, scripts: Policy, fin_01: Computer) -> None:
    expires = clock.now() + timedelta(minutes=10)
    Policy.rows.filter(id=scripts.id).update(expires_at=expires)
    armed = arming.arm(reach, scripts.id, until=clock.now() + timedelta(hours=2))
    assert armed.armed_end == expires
    assert in_bundle(reach, fin_01)[0].expires_at == clock.to_ms(expires)


def test_the_bytes_of_a_bundle_do_not_depend_on_when_they_are_made(
    reach: Reach, scripts: Policy, fin_01: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = clock.now() + timedelta(hours=1)
    arming.arm(reach, scripts.id, until=until)
    first = [layer.digest for layer in snapshot(reach, fin_01.organization_id).layers_of(fin_01)]
    monkeypatch.setattr(clock, "now", lambda: until - timedelta(milliseconds=1))
    assert [layer.digest for layer in snapshot(reach, fin_01.organization_id).layers_of(fin_01)] == first
    monkeypatch.setattr(clock, "now", lambda: until)
    assert in_bundle(reach, fin_01) == [], "an arm that is over is left out"


def test_when_it_is_over_it_is_off_again_without_any_action(reach: Reach, scripts: Policy, fin_01: Computer) -> None:
    assert at(scripts, clock.now() + timedelta(seconds=60)).is_armed()
    assert not at(scripts, clock.now() - timedelta(seconds=1)).is_armed()
    assert not scripts.enabled


def test_the_trace_says_until_when_it_was_armed(reach: Reach, scripts: Policy, fin_01: Computer) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    arming.arm(reach, scripts.id, until=until)
    found = snapshot(reach, fin_01.organization_id)
    place = found.place_of(fin_01)
    engine = found.engine("windows")
    assert engine.decide(TOOL, place, clock.to_ms(until) - 1).effect == "permitted"
    after = engine.explain(TOOL, place, clock.to_ms(until))
    assert after.effect == "denied"
    assert f"was armed until {until:%Y-%m-%d %H:%M} UTC and is off again" in after.because


def test_arming_is_journaled_and_waits_as_a_change(reach: Reach, scripts: Policy, able_moose: Organization) -> None:
    until = clock.now() + timedelta(minutes=30)
    arming.arm(reach, scripts.id, until=until)
    arming.disarm(reach, scripts.id)
    verbs = [e.verb for e in Entry.objects.within(reach).filter(verb__contains="armed").order_by("sequence")]
    assert verbs == ["policy.armed", "policy.disarmed"]
    pending = changes.pending(reach, [able_moose.id]).values_list("verb", flat=True)
    assert list(pending)[:2] == ["policy.disarmed", "policy.armed"]


@pytest.mark.parametrize(
    ("minutes", "says"), [(0, "past"), (-5, "past"), (24 * 60 + 1, "24 hours at most")], ids=["now", "past", "long"]
)
def test_an_end_that_is_past_or_too_far_is_refused(reach: Reach, scripts: Policy, minutes: int, says: str) -> None:
    with pytest.raises(Refused, match=says):
        arming.arm(reach, scripts.id, until=clock.now() + timedelta(minutes=minutes))


def test_an_enabled_policy_and_a_default_are_not_armed(reach: Reach, finance: ComputerGroup, acme: Application) -> None:
    soon = clock.now() + timedelta(minutes=5)
    enabled = a_policy(reach, at_group(finance), acme)
    with pytest.raises(Refused, match="enabled already"):
        arming.arm(reach, enabled.id, until=soon)
    default = Policy.objects.within(reach).get(is_default=True, target_group=finance)
    with pytest.raises(Refused, match="always decides"):
        arming.arm(reach, default.id, until=soon)


def test_an_expired_policy_and_one_that_starts_later_are_not_armed(reach: Reach, scripts: Policy) -> None:
    soon = clock.now() + timedelta(minutes=5)
    Policy.rows.filter(id=scripts.id).update(expires_at=clock.now() - timedelta(days=1))
    with pytest.raises(Refused, match="has expired"):
        arming.arm(reach, scripts.id, until=soon)
    Policy.rows.filter(id=scripts.id).update(expires_at=None, starts_at=clock.now() + timedelta(days=1))
    with pytest.raises(Refused, match="starts after"):
        arming.arm(reach, scripts.id, until=soon)


def test_a_global_policy_is_armed_only_by_who_may_act_globally(
    owner_reach: Reach, northwind: Organization, all_windows: ComputerGroup
) -> None:
    plain = factories.person("Pia", Role.TECHNICIAN, northwind)
    miners = an_application(owner_reach, northwind, "Miners")
    policy = a_policy(owner_reach, globally(owner_reach, all_windows), miners, enabled=False)
    with pytest.raises(Forbidden):
        arming.arm(factories.reach(plain), policy.id, until=clock.now() + timedelta(minutes=5))
    assert arming.arm(owner_reach, policy.id, until=clock.now() + timedelta(minutes=5)).is_armed()


def test_disabling_it_for_good_ends_the_arm(reach: Reach, scripts: Policy) -> None:
    arming.arm(reach, scripts.id, until=clock.now() + timedelta(hours=1))
    authoring.set_enabled(reach, scripts.id, enabled=True)
    off = authoring.set_enabled(reach, scripts.id, enabled=False)
    assert not off.is_armed(), "a policy that somebody disabled is not on because it was armed before"


def test_an_edit_of_an_armed_policy_waits_for_a_deployment_and_leaves_the_arm(
    reach: Reach, scripts: Policy, acme: Application, able_moose: Organization
) -> None:
    armed = arming.arm(reach, scripts.id, until=clock.now() + timedelta(hours=1))
    before = changes.pending(reach, [able_moose.id]).count()
    draft = draft_of(armed, [acme.id])
    edited = authoring.update_policy(reach, scripts.id, draft=replace(draft, ticket="T-1"))
    assert edited.is_armed()
    assert changes.pending(reach, [able_moose.id]).count() == before + 1


@pytest.mark.parametrize(
    ("text", "zone", "now", "means"),
    [
        ("30m", "UTC", "2026-11-21T14:00Z", "2026-11-21T14:30Z"),
        ("2h", "UTC", "2026-11-21T14:00Z", "2026-11-21T16:00Z"),
        ("18:00", "Europe/Berlin", "2026-11-21T14:00Z", "2026-11-21T17:00Z"),
        ("18:00", "Europe/Berlin", "2026-11-21T17:00Z", "2026-11-22T17:00Z"),
        ("2026-11-22T09:30", "Asia/Kolkata", "2026-11-21T14:00Z", "2026-11-22T04:00Z"),
        # 01:30 comes twice on the day the clocks go back: the first one still ahead counts.
        ("01:30", "Europe/London", "2026-10-25T00:00Z", "2026-10-25T00:30Z"),
        ("01:30", "Europe/London", "2026-10-25T00:45Z", "2026-10-25T01:30Z"),
        # 01:30 does not exist on the day they go forward: an instant all the same, and never the day after.
        ("01:30", "Europe/London", "2027-03-28T00:00Z", "2027-03-28T00:30Z"),
    ],
)
def test_the_end_is_read_in_the_organizations_zone(text: str, zone: str, now: str, means: str) -> None:
    assert arming.read_until(text, zone, datetime.fromisoformat(now)) == datetime.fromisoformat(means)


def test_an_end_that_means_nothing_is_refused() -> None:
    with pytest.raises(Refused, match="like 30m"):
        arming.read_until("soon", "UTC", clock.now())


def test_it_is_armed_on_screen_and_says_why_nothing_was_sent(
    scripts: Policy, as_user: Callable[[User], Client], technician: User
) -> None:
    client = as_user(technician)
    page = f"/o/able-moose-accounting/policies/{scripts.id}/arm/"
    assert "each computer turns it off" in client.get(page).content.decode()
    answer = client.post(page, {"until": "2h", "deploy": "on"}, headers={"HX-Request": "true", "HX-Target": "dialog"})
    assert answer.status_code == 200
    assert re.search(r"armed, (2 h 00|1 h 59) min left", re.sub(r"<[^>]+>", "", answer.content.decode()))
    assert "Disarm…" in answer.content.decode()
    assert "Not sent yet: No computer of Finance is enrolled yet" in answer["HX-Trigger"]
    assert Policy.rows.get(id=scripts.id).is_armed()
    off = client.post(f"/o/able-moose-accounting/policies/{scripts.id}/disarm/", {"deploy": "off"})
    assert off.status_code == 302
    assert not Policy.rows.get(id=scripts.id).is_armed()


def test_a_wrong_end_keeps_the_dialog_and_what_was_typed(
    scripts: Policy, as_user: Callable[[User], Client], technician: User
) -> None:
    page = f"/o/able-moose-accounting/policies/{scripts.id}/arm/"
    typed: dict[str, Any] = {"until": "moment", "moment": "2020-01-01T10:00"}
    answer = as_user(technician).post(page, typed, headers={"HX-Request": "true", "HX-Target": "dialog"})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "This end is past" in html
    assert "2020-01-01T10:00" in html


def test_it_is_armed_over_rest_and_tried_before(technician: User, scripts: Policy) -> None:
    tom = Caller(technician)
    address = f"policies/{scripts.id}/arm/"
    tried = tom.post(f"{address}?dry_run=true", {"minutes": 30, "deploy": False})
    assert (tried.status_code, tried.json()["policy"]["armed_until"] is not None) == (200, True)
    assert not Policy.rows.get(id=scripts.id).is_armed(), "a dry run keeps nothing"
    made = tom.post(address, {"minutes": 30})
    assert made.json()["deployment"] is None
    assert "No computer of Finance is enrolled" in made.json()["not_sent"]
    assert tom.post(address, {"minutes": 30, "until": "2027-01-01T00:00:00Z"}).status_code == 422
    assert tom.delete(address).json()["policy"]["armed_until"] is None
