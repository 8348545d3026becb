"""Screens of this app through HTTP: the pending bar, the review sheet, deployments, install keys, a computer's keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from agents import deploy, rollout
from agents.models import ComputerKey, Deployment, InstallKey
from policies.models import Application
from portal.accounts.models import User
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.agents.conftest import Enroll, permit
from tests.endpoint_double import Endpoint

AsUser = Callable[[User], Client]


@pytest.fixture
def o(able_moose: Organization) -> str:
    return f"/o/{able_moose.slug}"


def press(at: ComputerGroup) -> Deployment:
    deployment = deploy.start_deployment(factories.SYSTEM, level="group", target_id=at.id)
    rollout.run_deployment(deployment.id)
    return deployment


def fragment(client: Client, path: str, target: str) -> tuple[int, str]:
    response = client.get(path, headers={"HX-Request": "true", "HX-Target": target})
    return response.status_code, response.content.decode()


def test_the_pending_bar_is_absent_when_nothing_waits(
    as_user: AsUser, reader: User, o: str, able_moose: object
) -> None:
    assert as_user(reader).get(f"{o}/pending-bar/").content.strip() == b""


def test_the_pending_bar_counts_and_names_people(
    as_user: AsUser, technician: User, reader: User, o: str, acme: Application, finance: ComputerGroup
) -> None:
    permit(acme, finance)
    page = as_user(technician).get(f"{o}/pending-bar/").content.decode()
    assert re.search(r"\d+ changes? waits?,? at Able Moose Accounting|\d+ changes wait at Able Moose", page)
    assert "Deploy Policies" in page
    assert "Deploy Policies" not in as_user(reader).get(f"{o}/pending-bar/").content.decode()


def test_every_page_loads_the_pending_bar(as_user: AsUser, technician: User, o: str) -> None:
    assert f'hx-get="{o}/pending-bar/"' in as_user(technician).get(f"{o}/deployments/").content.decode()


def test_the_review_sheet_names_scope_and_number(
    as_user: AsUser, technician: User, o: str, acme: Application, finance: ComputerGroup, enroll: Enroll
) -> None:
    enroll("fin-01")
    enroll("fin-02")
    permit(acme, finance)
    page = as_user(technician).get(f"{o}/pending/").content.decode()
    assert "Deploy to 2 computers at Able Moose Accounting" in page
    assert "Deploy to 2 computers in Finance" in page


def test_pressing_deploy_leads_to_the_deployments_page(
    as_user: AsUser, technician: User, o: str, able_moose: Organization, acme: Application, enroll: Enroll
) -> None:
    enroll()
    form = {"scope_value": f"organization:{able_moose.id}", "organization": able_moose.slug, "note": "month end"}
    response = as_user(technician).post(f"{o}/pending/deploy/", form)
    made = Deployment.rows.get()
    assert (response.status_code, response["Location"]) == (302, f"{o}/deployments/{made.id}/")
    assert (made.note, made.actor_name) == ("month end", "Tom Technician")


def test_a_form_of_another_organization_is_refused(
    as_user: AsUser, technician: User, o: str, able_moose: Organization, enroll: Enroll
) -> None:
    enroll()
    form = {"scope_value": f"organization:{able_moose.id}", "organization": "brisk-otter-dental"}
    assert as_user(technician).post(f"{o}/pending/deploy/", form).status_code == 409
    assert not Deployment.rows.exists()


def test_nobody_to_send_to_is_told_on_the_sheet(
    as_user: AsUser, technician: User, o: str, able_moose: Organization
) -> None:
    form = {"scope_value": f"organization:{able_moose.id}"}
    response = as_user(technician).post(f"{o}/pending/deploy/", form)
    assert response.status_code == 422 and b"No computer of Able Moose" in response.content


def test_who_may_not_deploy_gets_403_and_a_stranger_404(
    as_user: AsUser, reader: User, stranger: User, o: str, able_moose: Organization
) -> None:
    form = {"scope_value": f"organization:{able_moose.id}"}
    assert as_user(reader).post(f"{o}/pending/deploy/", form).status_code == 403
    assert as_user(stranger).post(f"{o}/pending/deploy/", form).status_code == 404


def test_deploying_to_everybody_asks_for_the_number(
    as_user: AsUser, owner: User, northwind: Organization, enroll: Enroll
) -> None:
    enroll()
    client = as_user(owner)
    assert "Type the number of computers: 1" in client.get("/all/pending/").content.decode()
    form = {"scope_value": f"global:{northwind.id}"}
    assert client.post("/all/pending/deploy/", form).status_code == 422
    assert client.post("/all/pending/deploy/", {**form, "typed": "1"}).status_code == 302
    assert Deployment.rows.get().level == "global"


def test_the_deployment_page_says_live_only_after_the_acknowledgement(
    as_user: AsUser, reader: User, o: str, finance: ComputerGroup, enroll: Enroll
) -> None:
    endpoint = enroll("fin-01")
    deployment = press(finance)
    client = as_user(reader)
    path = f"{o}/deployments/{deployment.id}/"
    before = client.get(path).content.decode()
    assert "Live on 0 of 1." in before and "Live v1" not in before and 'hx-trigger="every 2s"' in before
    endpoint.sync()
    after = client.get(path).content.decode()
    assert "Live on the computer." in after and re.search(r"Live v1 · \d\d:\d\d:\d\d", after)
    assert endpoint.applied[0][1][:8] in after


def test_polling_is_quiet_while_nothing_changes_and_stops_at_the_end(
    as_user: AsUser, reader: User, o: str, finance: ComputerGroup, enroll: Enroll
) -> None:
    endpoint = enroll("fin-01")
    deployment = press(finance)
    client = as_user(reader)
    path = f"{o}/deployments/{deployment.id}/"
    seen = re.search(r"seen=(\w+)", client.get(path).content.decode())
    assert seen is not None
    assert fragment(client, f"{path}?seen={seen.group(1)}", "progress")[0] == 204
    endpoint.check_in()
    status, body = fragment(client, f"{path}?seen={seen.group(1)}", "progress")
    assert status == 200 and "Sent v1" in body and "<h1>" not in body
    endpoint.fetch()
    rollout.close_deployment(deployment.id)
    status, body = fragment(client, f"{path}?seen={seen.group(1)}", "progress")
    assert status == 286 and "every 2s" not in body


def test_refusals_show_their_reason(
    as_user: AsUser, reader: User, o: str, finance: ComputerGroup, enroll: Enroll
) -> None:
    endpoint = enroll("fin-01")
    deployment = press(finance)
    endpoint.check_in()
    assert endpoint.checkpoint is not None
    endpoint.acknowledge("refused", 1, endpoint.checkpoint.sha256, reason="self_test_failed")
    page = as_user(reader).get(f"{o}/deployments/{deployment.id}/?show=refused").content.decode()
    assert "self_test_failed" in page and "1 refused" in page


def test_cancel_and_roll_back_from_the_page(
    as_user: AsUser, technician: User, reader: User, o: str, finance: ComputerGroup, acme: Application, enroll: Enroll
) -> None:
    endpoint = enroll("fin-01")
    press(finance)
    endpoint.sync()
    permit(acme, finance)
    second = press(finance)
    path = f"{o}/deployments/{second.id}"
    assert as_user(reader).post(f"{path}/cancel/").status_code == 403
    client = as_user(technician)
    assert client.post(f"{path}/cancel/").status_code == 302
    endpoint.sync()
    rollout.close_deployment(second.id)
    assert client.post(f"{path}/rollback/").status_code == 302
    assert Deployment.rows.get(restores=second)


def test_a_deployment_of_another_customer_is_not_found(
    as_user: AsUser, stranger: User, brisk_otter: Organization, finance: ComputerGroup, enroll: Enroll
) -> None:
    enroll("fin-01")
    deployment = press(finance)
    client = as_user(stranger)
    for start in (f"/o/{brisk_otter.slug}", "/all"):
        assert client.get(f"{start}/deployments/{deployment.id}/").status_code == 404
        assert str(deployment) not in client.get(f"{start}/deployments/").content.decode()


def test_the_list_tells_progress(as_user: AsUser, reader: User, o: str, finance: ComputerGroup, enroll: Enroll) -> None:
    enroll("fin-01").sync()
    deployment = press(finance)
    page = as_user(reader).get(f"{o}/deployments/").content.decode()
    assert str(deployment) in page and "0 of 1" in page


def test_an_install_key_is_shown_once_with_its_command(
    as_user: AsUser, technician: User, o: str, finance: ComputerGroup
) -> None:
    client = as_user(technician)
    ComputerGroup.rows.filter(pk=finance.id).update(os="linux")
    path = f"{o}/groups/{finance.id}/install-keys/"
    made = client.post(path, {"days": "7", "max_uses": "3"}).content.decode()
    secret = re.search(r"PORTCULLIS_INSTALL_KEY=([\w.-]+)", made)
    assert secret is not None
    assert InstallKey.rows.get().max_uses == 3
    assert secret.group(1) not in client.get(path).content.decode()
    assert Endpoint(Client(), os="linux").enroll(secret.group(1)).status == 200
    client.post(f"{o}/install-keys/{InstallKey.rows.get().id}/revoke/")
    assert Endpoint(Client(), name="late", os="linux").enroll(secret.group(1)).status == 403


@pytest.mark.parametrize("form", [{"days": "91"}, {"days": "7", "max_uses": "0"}, {}])
def test_an_impossible_install_key_is_refused_in_place(
    as_user: AsUser, technician: User, o: str, finance: ComputerGroup, form: dict[str, str]
) -> None:
    assert as_user(technician).post(f"{o}/groups/{finance.id}/install-keys/", form).status_code == 422
    assert not InstallKey.rows.exists()


def test_install_keys_are_for_technicians(
    as_user: AsUser, customer_admin: User, stranger: User, o: str, finance: ComputerGroup
) -> None:
    path = f"{o}/groups/{finance.id}/install-keys/"
    assert as_user(customer_admin).get(path).status_code == 403
    assert as_user(stranger).get(path).status_code == 404


def test_a_computers_page_tells_bundle_and_key_and_can_ban(
    as_user: AsUser, technician: User, o: str, finance: ComputerGroup, enroll: Enroll
) -> None:
    endpoint = enroll("fin-01")
    press(finance)
    endpoint.sync()
    computer, key = Computer.rows.get(), ComputerKey.rows.get()
    client = as_user(technician)
    page = client.get(f"{o}/computers/{computer.id}/").content.decode()
    assert "Live v1" in page and key.key_id[:16] in page and endpoint.applied[0][1] in page
    assert client.post(f"{o}/computers/{computer.id}/keys/{key.id}/ban/", {"reason": "lost"}).status_code == 302
    assert endpoint.check_in().code == "banned"


def test_a_machine_that_enrolled_again_is_on_the_dashboard_and_let_in_from_its_page(
    as_user: AsUser, technician: User, o: str, install_key: str
) -> None:
    old, new = Endpoint(Client(), name="fin-01"), Endpoint(Client(), name="fin-01")
    for endpoint in (old, new):
        endpoint.enroll(install_key)
    client = as_user(technician)
    computer, key = Computer.rows.get(), ComputerKey.rows.get(state="pending")
    assert f'href="{o}/computers/{computer.id}/"' in client.get(f"{o}/card/enrolled-again/").content.decode()
    assert "enrolled again" in client.get(f"{o}/computers/{computer.id}/").content.decode()
    client.post(f"{o}/computers/{computer.id}/keys/{key.id}/approve/")
    assert (new.check_in().status, old.check_in().code) == (200, "banned")


def test_the_list_of_computers_shows_what_each_acknowledged(
    as_user: AsUser, reader: User, o: str, finance: ComputerGroup, enroll: Enroll
) -> None:
    live = enroll("fin-01")
    enroll("fin-02")
    press(finance)
    live.sync()
    page = as_user(reader).get(f"{o}/computers/").content.decode()
    assert page.count("Live v1") == 1
