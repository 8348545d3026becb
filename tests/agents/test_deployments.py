"""Deploy Policies: rows are the truth, and *Live* is said only by the computer itself."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine

from agents import deploy, install_keys, rollout, shown, sweep
from agents.models import Blob, Delivery, Deployment, DeploymentTarget, Manifest
from policies.models import Application, Change
from portal.accounts.models import User
from portal.common import clock
from portal.common.errors import Conflict, Forbidden, NotFound, Refused
from portal.tenants import journal
from portal.tenants.administration import computers as administration
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from tests import factories
from tests.agents.conftest import Enroll, permit


def states(deployment: Deployment) -> list[str]:
    return list(deployment.targets.order_by("computer__name").values_list("state", flat=True))


def state(deployment: Deployment) -> str:
    rollout.close_deployment(deployment.id)
    return Deployment.rows.get(pk=deployment.pk).state


def press(at: ComputerGroup | Organization, level: str = "group") -> Deployment:
    deployment = deploy.start_deployment(factories.SYSTEM, level=level, target_id=at.id)
    rollout.run_deployment(deployment.id)
    return deployment


def test_a_new_computer_gets_a_bundle_without_anybody_pressing(enroll: Enroll, finance: ComputerGroup) -> None:
    endpoint = enroll()
    assert rollout.build_owed_bundles(finance.organization_id) == 1
    assert endpoint.sync() and endpoint.applied[0][0] == 1
    delivery = Delivery.rows.get()
    assert (delivery.running_version, delivery.running_sha256) == endpoint.applied[0]


def test_pressed_is_not_live_and_acknowledged_is(enroll: Enroll, finance: ComputerGroup, acme: Application) -> None:
    endpoint = enroll()
    permit(acme, finance)
    deployment = deploy.start_deployment(factories.SYSTEM, level="group", target_id=finance.id)
    seen = [states(deployment)]
    rollout.run_deployment(deployment.id)
    seen.append(states(deployment))
    endpoint.check_in()
    seen.append(states(deployment))
    assert state(deployment) == "rolling"
    endpoint.fetch()
    seen.append(states(deployment))
    assert seen == [["pending"], ["built"], ["offered"], ["applied"]]
    assert state(deployment) == "succeeded"
    target = DeploymentTarget.rows.get(deployment=deployment)
    assert target.manifest is not None and target.manifest.sha256 == endpoint.applied[-1][1]


def test_the_pending_changes_of_the_scope_are_taken_along(
    enroll: Enroll, finance: ComputerGroup, acme: Application
) -> None:
    enroll()
    permit(acme, finance)
    assert Change.rows.filter(deployment_id=None, level="group", target=finance.id).exists()
    deployment = press(finance)
    assert not Change.rows.filter(deployment_id=None, level="group", target=finance.id).exists()
    permit(acme, finance, name="second")
    assert Change.rows.filter(deployment_id=None).count() == 1
    assert Change.rows.filter(deployment_id=deployment.id).exists()


def test_unchanged_content_makes_no_new_version_and_is_live_at_once(enroll: Enroll, finance: ComputerGroup) -> None:
    endpoint = enroll()
    press(finance)
    endpoint.sync()
    again = press(finance)
    assert states(again) == ["applied"] and state(again) == "succeeded"
    assert Manifest.rows.count() == 1


def test_unchanged_content_that_was_never_acknowledged_is_not_live(enroll: Enroll, finance: ComputerGroup) -> None:
    enroll()
    press(finance)
    assert states(press(finance)) == ["built"]


def test_the_same_rows_make_the_same_bytes(enroll: Enroll, finance: ComputerGroup, acme: Application) -> None:
    permit(acme, finance)
    first, second = enroll("fin-01"), enroll("fin-02")
    press(finance)
    first.sync()
    second.sync()
    assert first.manifest is not None and second.manifest is not None
    assert first.manifest.layers == second.manifest.layers
    assert Blob.rows.count() == len(first.manifest.layers)


def test_versions_only_rise_and_name_the_one_before(enroll: Enroll, finance: ComputerGroup, acme: Application) -> None:
    endpoint = enroll()
    for name in ("one", "two", "three"):
        permit(acme, finance, name=name)
        press(finance)
        assert endpoint.sync()
    assert [version for version, _ in endpoint.applied] == [1, 2, 3]
    assert endpoint.manifest is not None and endpoint.manifest.previous == endpoint.applied[1][1]


def test_a_lost_acknowledgement_is_made_good_by_the_next_heartbeat(enroll: Enroll, finance: ComputerGroup) -> None:
    endpoint = enroll()
    endpoint.drops_acks = True
    deployment = press(finance)
    endpoint.sync()
    assert states(deployment) == ["offered"]
    endpoint.check_in()
    assert states(deployment) == ["applied"]


def test_a_computer_that_runs_what_nobody_signed_is_drifting(enroll: Enroll, finance: ComputerGroup) -> None:
    endpoint = enroll()
    deployment = press(finance)
    for _ in range(3):
        endpoint.check_in(bundle_epoch=1, bundle_version=1, bundle_sha256="f" * 64)
    assert Delivery.rows.get().drift and states(deployment) == ["offered"]
    assert Entry.rows.filter(verb="bundle.drifted").count() == 1


def test_who_is_behind_is_counted_until_the_acknowledgement(
    enroll: Enroll, finance: ComputerGroup, acme: Application
) -> None:
    def behind() -> int:
        return shown.behind_computers(factories.SYSTEM, finance.organization).number

    endpoint, seen = enroll(), []
    for change in (lambda: press(finance), endpoint.sync, lambda: permit(acme, finance), lambda: press(finance)):
        change()
        seen.append(behind())
    endpoint.sync()
    assert [*seen, behind()] == [1, 0, 0, 1, 0]


def test_a_refusal_keeps_its_reason_and_fails_the_deployment(enroll: Enroll, finance: ComputerGroup) -> None:
    endpoint = enroll()
    deployment = press(finance)
    endpoint.check_in()
    assert endpoint.checkpoint is not None
    for _ in range(3):
        endpoint.acknowledge("refused", 1, endpoint.checkpoint.sha256, reason="self_test_failed")
    assert states(deployment) == ["refused"] and state(deployment) == "failed"
    assert DeploymentTarget.rows.get().reason == "self_test_failed"
    assert Entry.rows.filter(verb="bundle.refused").count() == 1


def test_a_newer_deployment_supersedes_what_is_unfinished(
    enroll: Enroll, finance: ComputerGroup, acme: Application
) -> None:
    done, late = enroll("fin-01"), enroll("fin-02")
    first = press(finance)
    done.sync()
    permit(acme, finance)
    second = press(finance)
    assert states(first) == ["applied", "superseded"] and state(first) == "superseded"
    assert Deployment.rows.get(pk=first.pk).superseded_by == second
    for endpoint in (done, late):
        endpoint.sync()
    assert states(second) == ["applied", "applied"] and state(second) == "succeeded"
    assert late.applied[-1][0] == 2


def test_the_silent_are_unreachable_at_the_deadline_and_live_when_they_return(
    enroll: Enroll, finance: ComputerGroup
) -> None:
    here, gone = enroll("fin-01"), enroll("fin-02")
    deployment = press(finance)
    here.sync()
    with time_machine.travel(clock.now() + deploy.DEADLINE + timedelta(seconds=1)):
        sweep.sweep()
    assert states(deployment) == ["applied", "unreachable"] and state(deployment) == "partly_failed"
    gone.sync()
    assert states(deployment) == ["applied", "applied"] and state(deployment) == "succeeded"


def test_cancel_stops_what_is_not_sent(enroll: Enroll, finance: ComputerGroup) -> None:
    enroll("fin-01")
    enroll("fin-02")
    deployment = deploy.start_deployment(factories.SYSTEM, level="group", target_id=finance.id)
    deploy.cancel_deployment(factories.SYSTEM, deployment.id)
    assert states(deployment) == ["cancelled", "cancelled"] and state(deployment) == "cancelled"
    assert rollout.run_deployment(deployment.id) == 0
    with pytest.raises(Conflict):
        deploy.cancel_deployment(factories.SYSTEM, deployment.id)


def test_a_rollback_is_a_new_version_with_the_old_content(
    enroll: Enroll, finance: ComputerGroup, acme: Application
) -> None:
    endpoint = enroll()
    press(finance)
    endpoint.sync()
    before = endpoint.manifest
    permit(acme, finance)
    bad = press(finance)
    endpoint.sync()
    back = deploy.roll_back_deployment(factories.SYSTEM, bad.id)
    rollout.run_deployment(back.id)
    assert endpoint.sync() and endpoint.manifest is not None and before is not None
    assert (endpoint.manifest.version, endpoint.manifest.layers) == (3, before.layers)
    assert state(back) == "succeeded"
    assert Change.rows.filter(deployment_id=None, level="group").exists()


def test_a_first_bundle_has_nothing_to_go_back_to(enroll: Enroll, finance: ComputerGroup) -> None:
    enroll()
    with pytest.raises(Refused, match="nothing to go back to"):
        deploy.roll_back_deployment(factories.SYSTEM, press(finance).id)


def test_nobody_enrolled_is_said_and_the_changes_stay_pending(finance: ComputerGroup, acme: Application) -> None:
    permit(acme, finance)
    with pytest.raises(Refused, match="No computer of Finance"):
        deploy.start_deployment(factories.SYSTEM, level="group", target_id=finance.id)


def test_another_mode_makes_a_new_version_with_the_same_policies(
    enroll: Enroll, finance: ComputerGroup, acme: Application
) -> None:
    endpoint = enroll()
    press(finance)
    endpoint.sync()
    before = endpoint.manifest
    permit(acme, finance)
    Computer.rows.update(mode="learning", mode_ends_at=clock.now() + timedelta(hours=1))
    sweep.sweep()
    rollout.build_owed_bundles(finance.organization_id)
    assert endpoint.sync() and endpoint.manifest is not None and before is not None
    assert (endpoint.manifest.mode.mode, endpoint.manifest.layers) == ("learning", before.layers)


def test_a_new_computer_gets_what_was_deployed_not_what_is_saved(
    enroll: Enroll, finance: ComputerGroup, acme: Application
) -> None:
    neighbor = enroll("fin-01")
    permit(acme, finance)
    press(finance)
    neighbor.sync()
    permit(acme, finance, name="only saved")
    late = enroll("fin-02")
    rollout.build_owed_bundles(finance.organization_id)
    assert late.sync() and late.manifest is not None and neighbor.manifest is not None
    assert late.manifest.layers == neighbor.manifest.layers
    press(finance)
    assert late.sync() and late.manifest.layers != neighbor.manifest.layers


def test_a_moved_computer_gets_what_was_deployed_to_its_new_group(
    enroll: Enroll, able_moose: Organization, finance: ComputerGroup, acme: Application
) -> None:
    sales = factories.group(able_moose, "Sales", initial_learning_days=0)
    mover, there = enroll("fin-01"), enroll("sal-01", group=sales)
    permit(acme, sales)
    for group in (finance, sales):
        press(group)
    for endpoint in (mover, there):
        endpoint.sync()
    administration.move_computer(factories.SYSTEM, UUID(mover.known.computer), group_id=sales.id)
    rollout.build_owed_bundles(able_moose.id)
    assert mover.sync() and mover.manifest is not None and there.manifest is not None
    assert (mover.manifest.layers, mover.manifest.place.group) == (there.manifest.layers, str(sales.id))


def test_two_workers_do_not_build_the_same_owed_bundle(enroll: Enroll, finance: ComputerGroup) -> None:
    enroll("fin-01")
    held = rollout._claim_owed(finance.organization_id)
    assert len(held) == 1 and rollout.build_owed_bundles(finance.organization_id) == 0
    with time_machine.travel(clock.now() + rollout.LEASE + timedelta(seconds=1)):
        assert rollout.build_owed_bundles(finance.organization_id) == 1


def test_a_mode_that_ended_by_itself_needs_no_new_version(enroll: Enroll, finance: ComputerGroup) -> None:
    ends_at = clock.now() + timedelta(minutes=30)
    enroll()
    Computer.rows.update(mode="learning", mode_ends_at=ends_at)
    press(finance)
    with time_machine.travel(ends_at + timedelta(minutes=1)):
        sweep.sweep()
    assert Delivery.rows.get().rebuild_due_at is None


def test_a_restored_portal_counts_on_from_what_computers_run(enroll: Enroll, finance: ComputerGroup) -> None:
    endpoint = enroll()
    endpoint.check_in(bundle_epoch=1, bundle_version=50, bundle_sha256="a" * 64)
    press(finance)
    assert Manifest.rows.get().version == 51


def test_the_sweep_finds_a_deployment_whose_message_was_lost(
    enroll: Enroll, finance: ComputerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    enroll()
    deployment = deploy.start_deployment(factories.SYSTEM, level="group", target_id=finance.id)
    sent: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr("portal.common.queue.publish", lambda name, **ids: sent.append((name, ids)))
    sweep.sweep()
    assert ("agents.run_deployment", {"deployment_id": str(deployment.id)}) in sent


def test_a_sweep_in_the_same_slot_does_nothing(world: None) -> None:
    assert (sweep.sweep().ran, sweep.sweep().ran) == (True, False)


def test_a_silent_scheduler_is_told(world: None) -> None:
    sweep.sweep()
    assert sweep.silent_seconds() == 0
    with time_machine.travel(clock.now() + timedelta(seconds=75)):
        assert 74 <= sweep.silent_seconds() <= 76


def test_a_technician_deploys_only_where_granted(
    enroll: Enroll, finance: ComputerGroup, technician: User, reader: User, stranger: User, northwind: Organization
) -> None:
    enroll()
    mine = factories.reach(technician)
    assert deploy.start_deployment(mine, level="group", target_id=finance.id).number
    with pytest.raises(Forbidden):
        deploy.start_deployment(factories.reach(reader), level="group", target_id=finance.id)
    with pytest.raises(NotFound):
        deploy.start_deployment(factories.reach(stranger), level="group", target_id=finance.id)


def test_a_global_deployment_reaches_every_organization_and_needs_its_capability(
    enroll: Enroll, finance: ComputerGroup, brisk_otter: Organization, northwind: Organization, owner: User
) -> None:
    enroll("fin-01")
    enroll("front-01", group=factories.group(brisk_otter, "Front desk", initial_learning_days=0))
    from portal.accounts.models import Role

    plain = factories.person("Theo Technician", Role.TECHNICIAN, northwind)
    with pytest.raises(Forbidden):
        deploy.start_deployment(factories.reach(plain), level="global", target_id=northwind.id)
    deployment = deploy.start_deployment(factories.reach(owner), level="global", target_id=northwind.id)
    assert deployment.targets.count() == 2
    assert {t.organization_id for t in deployment.targets.all()} == {finance.organization_id, brisk_otter.id}


def test_the_journal_tells_of_each_press(enroll: Enroll, finance: ComputerGroup) -> None:
    enroll()
    press(finance)
    entry = Entry.rows.get(verb="deployment.started")
    assert entry.details["computers"] == 1 and entry.target_name.startswith("D-")
    assert journal.verify(factories.SYSTEM, finance.organization_id).first_bad is None


def test_an_install_keys_group_decides_not_the_computer(install_key: str, finance: ComputerGroup) -> None:
    key = install_keys.install_keys(factories.SYSTEM, group_id=finance.id).get()
    assert isinstance(key.id, UUID) and key.group == finance
