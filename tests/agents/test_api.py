"""REST: install keys and deployments, under the names that scripts rely on."""

from __future__ import annotations

import pytest

from agents import rollout
from agents.models import Deployment, InstallKey
from portal.accounts.models import User
from portal.tenants.models import ComputerGroup, Organization
from tests.agents.conftest import Enroll
from tests.endpoint_double import Endpoint
from tests.portal.api.caller import Caller


def deployed(caller: Caller, group: ComputerGroup) -> str:
    answer = caller.post("deployments/", {"scope": {"level": "group", "target": group.slug}, "note": "month end"})
    assert answer.status_code == 201, answer.json()
    rollout.run_deployment(Deployment.rows.latest("number").id)
    return str(answer.json()["id"])


def test_an_install_key_is_made_once_and_revoked(technician: User, finance: ComputerGroup) -> None:
    caller = Caller(technician)
    made = caller.post("install-keys/", {"group": finance.slug, "max_uses": 2})
    body = made.json()
    assert made.status_code == 201 and body["secret"].startswith(body["reference"]) and body["state"] == "open"
    assert Endpoint(name="fin-01").enroll(body["secret"]).status == 200
    listed = caller.get("install-keys/").json()["results"]
    assert [(row["id"], row["uses"]) for row in listed] == [(body["id"], 1)] and "secret" not in listed[0]
    assert caller.delete(f"install-keys/{body['id']}/").status_code == 204
    assert caller.get(f"install-keys/{body['id']}/").json()["state"] == "revoked"
    assert Endpoint(name="fin-02").enroll(body["secret"]).status == 403


def test_a_dry_run_makes_no_key(technician: User, finance: ComputerGroup) -> None:
    assert Caller(technician).post("install-keys/?dry_run=true", {"group": finance.slug}).status_code in (200, 201)
    assert not InstallKey.rows.exists()


def test_a_deployment_is_counted_under_the_names_of_the_contract(
    technician: User, finance: ComputerGroup, enroll: Enroll
) -> None:
    live, refusing = enroll("fin-01"), enroll("fin-02")
    caller = Caller(technician)
    deployment = deployed(caller, finance)

    def computers() -> dict[str, int]:
        counted: dict[str, int] = caller.get(f"deployments/{deployment}/").json()["computers"]
        return {name: count for name, count in counted.items() if count}

    seen = [computers()]
    live.check_in()
    seen.append(computers())
    live.fetch()
    refusing.check_in()
    assert refusing.checkpoint is not None
    refusing.acknowledge("refused", 1, refusing.checkpoint.sha256, reason="bad_signature")
    seen.append(computers())
    assert seen == [
        {"total": 2, "pending": 2},
        {"total": 2, "pending": 1, "delivered": 1},
        {"total": 2, "running": 1, "failed": 1},
    ]


def test_each_computer_tells_hash_time_and_error(technician: User, finance: ComputerGroup, enroll: Enroll) -> None:
    live, silent = enroll("fin-01"), enroll("fin-02")
    caller = Caller(technician)
    deployment = deployed(caller, finance)
    live.sync()
    rows = {r["computer_name"]: r for r in caller.get(f"deployments/{deployment}/computers/").json()["results"]}
    assert rows["fin-01"]["state"] == "applied" and rows["fin-01"]["bundle_sha256"] == live.applied[0][1]
    assert rows["fin-01"]["acknowledged_at"] and rows["fin-02"]["acknowledged_at"] is None
    assert silent.applied == []
    shown = caller.get(f"deployments/{deployment}/computers/?show=live").json()["results"]
    assert [row["computer_name"] for row in shown] == ["fin-01"]


def test_the_computers_page_through_the_pages(technician: User, finance: ComputerGroup, enroll: Enroll) -> None:
    for n in range(5):
        enroll(f"fin-0{n}")
    caller = Caller(technician)
    path = f"deployments/{deployed(caller, finance)}/computers/?page_size=2"
    names = []
    while path:
        page = caller.get(path).json()
        names += [row["computer_name"] for row in page["results"]]
        path = page["next"].removeprefix("http://testserver") if page["next"] else ""
    assert names == [f"fin-0{n}" for n in range(5)]


def test_cancel_and_rollback(technician: User, finance: ComputerGroup, enroll: Enroll) -> None:
    enroll("fin-01")
    caller = Caller(technician)
    made = caller.post("deployments/", {"scope": {"level": "group", "target": finance.slug}}).json()
    assert caller.post(f"deployments/{made['id']}/cancel/").json()["cancelled_at"]
    again = caller.post(f"deployments/{made['id']}/cancel/")
    assert again.status_code == 409
    refused = caller.post(f"deployments/{made['id']}/rollback/", {"note": "back"})
    assert refused.status_code == 422 and "nothing to go back to" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"level": "group", "target": "no-such-group"}, 404),
        ({"level": "galaxy", "target": "x"}, 422),
        ({"level": "organization", "target": "brisk-otter-dental"}, 404),
        ({"level": "group"}, 422),
    ],
)
def test_a_wrong_scope_is_refused(
    technician: User, brisk_otter: Organization, finance: ComputerGroup, scope: dict[str, str], status: int
) -> None:
    assert Caller(technician).post("deployments/", {"scope": scope}).status_code == status


def test_readers_read_and_strangers_find_nothing(
    technician: User, reader: User, stranger: User, finance: ComputerGroup, enroll: Enroll
) -> None:
    enroll("fin-01")
    deployment = deployed(Caller(technician), finance)
    assert Caller(reader).get(f"deployments/{deployment}/").status_code == 200
    assert Caller(reader).post(f"deployments/{deployment}/cancel/").status_code == 403
    assert Caller(reader).get("install-keys/").status_code == 403
    other = Caller(stranger)
    for path in (f"deployments/{deployment}/", f"deployments/{deployment}/computers/"):
        assert other.get(path).status_code == 404
    assert other.post(f"deployments/{deployment}/cancel/").status_code == 404
    assert other.get("deployments/").json()["results"] == []


def test_the_same_press_with_the_same_key_is_one_deployment(
    technician: User, finance: ComputerGroup, enroll: Enroll
) -> None:
    enroll("fin-01")
    caller = Caller(technician)
    body = {"scope": {"level": "group", "target": finance.slug}}
    first, second = (caller.post("deployments/", body, **{"Idempotency-Key": "press-1"}) for _ in range(2))
    assert first.json()["id"] == second.json()["id"] and Deployment.rows.count() == 1
