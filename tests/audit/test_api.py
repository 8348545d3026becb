"""The Unified Audit by REST: the names of api.md, the same rows and rules as the screens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from audit.history import file_history
from audit.models import ApprovalRequest
from policies.models import Application, Policy
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, Entry, Organization
from tests import factories
from tests.audit.sending import PERMIT, RINGFENCED, WOULD_DENY, event, send
from tests.audit.test_permit import ask
from tests.portal.api.caller import Caller


@pytest.fixture
def fin_01(able_moose: Organization) -> Computer:
    return factories.computer(factories.group(able_moose, "Finance", initial_learning_days=0), "FIN-LT-01")


@pytest.fixture
def sent(fin_01: Computer) -> None:
    send(
        fin_01,
        event(1, path=r"C:\Temp\a_1.exe", user="jdoe", created_by="", action_type="install"),
        event(2, path=r"C:\Temp\aX1.exe", decision=PERMIT, certificate="CN=Acme Ltd"),
        event(3, path=r"C:\Program Files\b.dll", decision=WOULD_DENY, process=r"C:\Windows\explorer.exe"),
        event(4, path=r"C:\Windows\c.ps1", decision=RINGFENCED, sha256="ab" * 32),
    )


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["path"].rpartition("\\")[2] for row in answer.json()["results"]]


ALL = ["c.ps1", "b.dll", "aX1.exe", "a_1.exe"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        ("any_deny=true", ["b.dll", "a_1.exe"]),
        ("effect=denied", ["a_1.exe"]),
        ("effect=simulated", ["b.dll"]),
        ("effect=!denied|permitted", ["c.ps1", "b.dll"]),
        ("action_type=install", ["a_1.exe"]),
        ("path=temp", ["aX1.exe", "a_1.exe"]),
        ("path=*.exe", ["aX1.exe", "a_1.exe"]),
        ("path=a_1", ["a_1.exe"]),
        ("path=!temp", ["c.ps1", "b.dll"]),
        ("path=b.dll|c.ps1", ["c.ps1", "b.dll"]),
        ("process=explorer", ["b.dll"]),
        ("created_by=!acme", ["a_1.exe"]),
        ("certificate=acme", ["aX1.exe"]),
        ("sha256=abab", ["c.ps1"]),
        ("user=jdoe", ALL),
        ("user=ABLE%5Cjdoe", ["c.ps1", "b.dll", "aX1.exe"]),
        ("computer=fin-lt-01", ALL),
        ("computer=FIN-*", ALL),
        ("computer=FIN", []),
        ("group=Finance", ALL),
        ("organization=able-moose-accounting", ALL),
        ("organization=northwind-it", []),
        ("organization=northwind-it&include_children=true", ALL),
        ("from=1h", ALL),
        ("to=1h", []),
        ("q=any:deny+path:temp", ["a_1.exe"]),
        ("policy=nothing", []),
    ],
)
def test_filters(sent: None, owner: User, query: str, found: list[str]) -> None:
    assert names(Caller(owner).get(f"events/?{query}")) == found


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("efect=denied", "/efect"), ("effect=nope", "/q"), ("from=whenever", "/q"), ("any_deny=maybe", "/any_deny"),
     ("page_size=0", "/page_size"), ("after=x", "/after"), ("q=pth:x", "/q")],
)  # fmt: skip
def test_a_wrong_filter_is_422(sent: None, reader: User, query: str, pointer: str) -> None:
    answer = Caller(reader).get(f"events/?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_an_event_carries_references_and_names(sent: None, reader: User, fin_01: Computer) -> None:
    caller = Caller(reader)
    row = caller.get("events/?effect=simulated").json()["results"][0]
    assert row["computer"] == str(fin_01.id) and row["computer_name"] == "FIN-LT-01"
    assert row["organization"] == str(fin_01.organization_id) and row["group_name"] == "Finance"
    assert (row["action"], row["effect"], row["simulated"], row["outcome"]) == ("deny", "permitted", True, "would_deny")
    assert row["received_at"].endswith("Z")
    assert caller.get(f"events/{row['id']}/").json() == row


def test_pages_and_capped_count(sent: None, reader: User) -> None:
    caller = Caller(reader)
    first = caller.get("events/?page_size=3&count=true").json()
    assert (len(first["results"]), first["count"]) == (3, 4)
    second = caller.get(first["next"].partition("/api/v1/")[2]).json()
    assert [r["path"] for r in second["results"]] == [r"C:\Temp\a_1.exe"]
    assert second["next"] is None


def test_csv_by_accept_is_the_whole_list_and_is_told(sent: None, reader: User) -> None:
    answer = Caller(reader).get("events/?any_deny=true", Accept="text/csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith('"id","received_at"')
    assert Entry.rows.filter(verb="audit.exported").count() == 1


def test_events_are_counted_by_one_or_two_fields(sent: None, reader: User, stranger: User) -> None:
    caller = Caller(reader)

    def groups(query: str) -> list[tuple[Any, ...]]:
        answer = caller.get(f"events/?{query}")
        assert answer.status_code == 200, answer.content
        return sorted((*group["values"].values(), group["count"]) for group in answer.json()["results"])

    assert groups("group_by=effect") == [("denied", 1), ("permitted", 1), ("ringfenced", 1), ("would_deny", 1)]
    assert groups("group_by=computer,action_type") == [("FIN-LT-01", "execute", 3), ("FIN-LT-01", "install", 1)]
    assert groups("group_by=user&any_deny=true") == [("ABLE\\jdoe", 1), ("jdoe", 1)]
    assert groups("group_by=group&path=temp") == [("Finance", 2)]
    for wrong in ("nothing", "user,user", "user,path,process", "user;DROP"):
        assert caller.get(f"events/?group_by={wrong}").status_code == 422
    assert Caller(stranger).get("events/?group_by=path").json()["results"] == []


def test_strangers_get_404_and_an_empty_list(sent: None, owner: User, stranger: User) -> None:
    event_id = Caller(owner).get("events/").json()["results"][0]["id"]
    caller = Caller(stranger)
    assert names(caller.get("events/")) == []
    assert caller.get(f"events/{event_id}/").status_code == 404
    assert caller.get(f"events/{event_id}/explain/").status_code == 404
    assert caller.post(f"events/{event_id}/permit/", permit_body()).status_code == 404


def test_without_the_capability_it_is_403(sent: None, reader: User, technician: User) -> None:
    assert Caller(technician, [Capability.POLICY_READ]).get("events/").status_code == 403
    row = Caller(reader).get("events/").json()["results"][0]
    assert Caller(reader).post(f"events/{row['id']}/permit/", permit_body()).status_code == 403


def permit_body(**fields: Any) -> dict[str, Any]:
    return {
        "application": {"create": {"name": "Acme"}},
        "rule": {"choose": "automatic"},
        "scope": {"level": "organization", "target": "able-moose-accounting"},
        **fields,
    }


def test_permit_answers_what_was_made_and_explain_shows_it(sent: None, technician: User) -> None:
    caller = Caller(technician)
    row = caller.get("events/?effect=denied").json()["results"][0]
    before = caller.get(f"events/{row['id']}/explain/").json()
    assert (before["then"]["effect"], before["now"]["effect"], before["changed"]) == ("denied", "denied", False)
    answer = caller.post(f"events/{row['id']}/permit/", permit_body(ticket="T-1"))
    assert answer.status_code == 201, answer.content
    made = answer.json()
    policy = Policy.objects.within(factories.SYSTEM).get(id=made["policy"])
    assert (policy.name, policy.ticket, made["order"]) == (made["policy_name"], "T-1", policy.order)
    assert made["deployment"] is None
    after = caller.get(f"events/{row['id']}/explain/").json()
    assert (after["now"]["effect"], after["now"]["policy"], after["changed"]) == ("permitted", made["policy"], True)


def test_true_means_the_events_own_value(sent: None, technician: User) -> None:
    caller = Caller(technician)
    row = caller.get("events/?path=b.dll").json()["results"][0]
    body = permit_body(rule={"path": r"C:\Program Files\*.dll", "process": True, "hash": False})
    made = caller.post(f"events/{row['id']}/permit/", body).json()
    rule = caller.get(f"applications/{made['application']}/rules/").json()["results"][0]
    assert (rule["path"], rule["process"], rule["hash"]) == (r"C:\Program Files\*.dll", row["process"], "")


def test_dry_run_and_repetition(sent: None, technician: User) -> None:
    caller = Caller(technician)
    row = caller.get("events/?effect=denied").json()["results"][0]
    address = f"events/{row['id']}/permit/"
    assert caller.post(f"{address}?dry_run=true", permit_body()).status_code == 201
    assert not Application.objects.within(factories.SYSTEM).filter(name="Acme").exists()
    key = {"Idempotency-Key": "a-key-of-mine-1"}
    first, again = caller.post(address, permit_body(), **key), caller.post(address, permit_body(), **key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"application": {}}, "/application"),
        ({"application": {"existing": "x"}}, "/application/existing"),
        ({"application": {"create": {"name": "x" * 121}}}, "/application/create/name"),
        ({"rule": {"choose": "automatic", "hash": True}}, "/rule"),
        ({"rule": {"path": 7}}, "/rule/path"),
        ({"rule": {}}, "/rule"),
        ({"rule": {"path": False}}, "/rule"),
        ({"rule": {"path": "regex:("}}, "/rule/path"),
        ({"scope": {"level": "galaxy", "target": "x"}}, "/scope/level"),
        ({"deploy": "everywhere"}, "/deploy"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_a_wrong_permit_is_422(sent: None, technician: User, fields: dict[str, Any], pointer: str) -> None:
    caller = Caller(technician)
    row = caller.get("events/?effect=denied").json()["results"][0]
    answer = caller.post(f"events/{row['id']}/permit/", permit_body(**fields))
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_file_history_by_path_and_by_hash(fin_01: Computer, reader: User) -> None:
    path = r"C:\Tools\run.exe"
    for day in (3, 2, 1):
        at = clock.now() - timedelta(days=day)
        send(fin_01, event(1, path=path, sha256=f"{day:064x}", decision=PERMIT), batch=day, received_at=at)
    caller = Caller(reader)
    seen = caller.get("file-history/?path=c:%5Ctools%5Crun.exe").json()
    assert (seen["hash_changes"], seen["hash_is_stable"], len(seen["versions"])) == (2, False, 3)
    assert "do not use a hash rule" in seen["verdict"]
    by_hash = caller.get(f"file-history/?sha256={2:064x}").json()
    assert [(v["path"], v["computers"]) for v in by_hash["versions"]] == [(path, 1)]
    assert caller.get("file-history/").status_code == 422
    assert caller.get("file-history/?sha256=zz").status_code == 422
    assert file_history(factories.SYSTEM, path=path).versions


def test_requests_are_listed_approved_and_denied(
    fin_01: Computer, customer_admin: User, reader: User, stranger: User
) -> None:
    first, second = ask(fin_01), ask(fin_01, path=r"C:\b.exe", sha256="b" * 64)
    caller = Caller(customer_admin)
    listed = caller.get("approval-requests/?state=pending").json()["results"]
    assert {row["id"] for row in listed} == {str(first.id), str(second.id)}
    address = f"approval-requests/{first.id}/"
    assert Caller(reader).post(f"{address}approve/", permit_body()).status_code == 403
    assert Caller(stranger).get(address).status_code == 404
    body = permit_body(scope={"level": "computer", "target": str(fin_01.id)}, tell_user="Go ahead.")
    assert caller.post(f"{address}approve/", body).status_code == 201
    assert caller.post(f"{address}approve/", body).status_code == 409
    denied = caller.post(f"approval-requests/{second.id}/deny/", {"reason": "no", "tell_user": "Sorry."})
    assert (denied.status_code, denied.json()["state"]) == (200, "denied")
    assert {r.id: r.answer for r in ApprovalRequest.rows.all()} == {first.id: "Go ahead.", second.id: "Sorry."}
