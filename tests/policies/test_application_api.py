"""Applications over REST: filters and fields of the list, copy, preview, many rules, files."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policies.catalogue import RuleDraft
from policies.models import Application, FileRule, MatchCount
from portal.accounts.models import User
from portal.common import clock
from portal.common.uuid7 import uuid7
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.audit.sending import DENY, PERMIT, event, send
from tests.policies.conftest import a_policy, an_application, at_group
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
HASH = "ab" * 32


@pytest.fixture
def tom(technician: User, fin_01: Computer) -> Caller:
    return Caller(technician)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    rules = [RuleDraft(hash=HASH), RuleDraft(path=r"c:\acme\*.ps1")]
    return an_application(SYSTEM, able_moose, "Acme Tools", rules=rules, category="rmm")


def test_the_list_has_the_screens_filters_order_and_numbers(
    tom: Caller, tools: Application, able_moose: Organization, finance: ComputerGroup, northwind: Organization
) -> None:
    an_application(SYSTEM, northwind, "Miners")
    a_policy(SYSTEM, at_group(finance), tools)
    at = clock.now() - timedelta(days=2)
    MatchCount.rows.create(
        organization=able_moose, day=at.date(), policy=uuid7(), application=tools.id, count=7, last_at=at
    )
    found = tom.get(f"applications/?organization={able_moose.slug}&sort=-matches&count=true").json()
    assert (found["count"], [one["name"] for one in found["results"]]) == (2, ["Acme Tools", "Miners"])
    acme, miners = found["results"]
    assert acme["rule_counts"] == {"hash": 1, "signer": 0, "path": 1, "program": 0}
    assert (acme["rule_count"], acme["policy_count"], acme["policies_by_scope"]) == (2, 1, {"group": 1})
    assert (acme["matches_30d"], acme["last_matched_at"][:10]) == (7, at.date().isoformat())
    assert (acme["strength"]["score"], acme["category"]) == (1, "rmm")
    assert (miners["shown_name"], miners["matches_30d"], miners["last_matched_at"]) == (
        f"{northwind.name}\\Miners", 0, None,
    )  # fmt: skip
    for query, names in (
        ("origin=own", ["Acme Tools"]), ("origin=above", ["Miners"]), ("category=rmm", ["Acme Tools"]),
        ("no_policy=true", ["Miners"]), ("hash_only=true", []), (f"q={HASH[:10]}", ["Acme Tools"]),
    ):  # fmt: skip
        rows = tom.get(f"applications/?organization={able_moose.slug}&{query}").json()["results"]
        assert [one["name"] for one in rows] == names, query
    assert tom.get("applications/?sort=colour").status_code == 422


def test_a_copy_is_made_and_can_be_tried_without_making_it(
    tom: Caller, tools: Application, able_moose: Organization
) -> None:
    body = {"organization": able_moose.slug, "name": "Acme of ours"}
    tried = tom.post(f"applications/{tools.id}/duplicate/?dry_run=true", body)
    assert (tried.status_code, tried["Dry-Run"]) == (201, "true")
    assert Application.objects.within(SYSTEM).filter(name="Acme of ours").count() == 0
    made = tom.post(f"applications/{tools.id}/duplicate/", body)
    assert [rule["strength"] for rule in made.json()["rules"]] == [5, 1]
    assert tom.get(made["Location"]).json()["name"] == "Acme of ours"
    assert tom.post(f"applications/{tools.id}/duplicate/", body).status_code == 409


def test_rules_are_tried_on_what_was_seen_before_and_after_they_are_saved(
    tom: Caller, tools: Application, fin_01: Computer, able_moose: Organization
) -> None:
    send(fin_01, event(1, path=r"C:\acme\a.ps1", decision=PERMIT), event(2, path=r"C:\acme\b.ps1", decision=DENY))
    body = {"os": "windows", "rules": [{"path": r"c:\acme\b*"}]}
    seen = tom.post("applications/preview/", body).json()
    assert (seen["files"], seen["computers"], seen["only_denied"], seen["truncated"]) == (1, 1, 1, False)
    assert seen["examples"][0]["path"] == r"C:\acme\b.ps1"
    assert seen["strengths"][0]["score"] == 1
    assert FileRule.objects.within(SYSTEM).count() == 2
    saved = tom.get(f"applications/{tools.id}/preview/?organization={able_moose.slug}").json()
    assert (saved["files"], saved["denied_files"], saved["events"]) == (2, 1, 2)
    wrong = tom.post("applications/preview/", {"os": "windows", "rules": [{"path": "regex:("}]})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/rules/0/path"


def test_many_rules_come_in_all_or_none(tom: Caller, tools: Application) -> None:
    where = f"applications/{tools.id}/rules/bulk/"
    body = {"rules": [{"hash": "cd" * 32, "note": "setup"}, {"hash": HASH}]}
    assert tom.post(f"{where}?dry_run=true", body).json() == {"added": 1, "known": 1}
    assert FileRule.objects.within(SYSTEM).filter(application=tools).count() == 2
    assert tom.post(where, body).json() == {"added": 1, "known": 1}
    wrong = tom.post(where, {"rules": [{"hash": "ef" * 32}, {"hash": "short"}]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/rules/1/hash")
    assert FileRule.objects.within(SYSTEM).filter(application=tools).count() == 3
    assert tom.post(where, {"rules": []}).status_code == 422


def test_a_file_is_handed_out_looked_at_and_taken_in(tom: Caller, tools: Application, able_moose: Organization) -> None:
    file = tom.get(f"applications/{tools.id}/export/").json()
    file["applications"][0]["name"] = "From afar"
    file["applications"].append({"name": "Acme Tools", "os": "windows", "rules": []})
    body = {"organization": able_moose.slug, "file": file}
    tried = tom.post("applications/import/?dry_run=true", body)
    assert tried.status_code == 201
    assert [(one["name"], one["rules"], one["comes_in"]) for one in tried.json()["applications"]] == [
        ("From afar", 2, True),
        ("Acme Tools", 0, False),
    ]
    assert not Application.objects.within(SYSTEM).filter(name="From afar").exists()
    made = tom.post("applications/import/", body).json()
    assert tom.get(f"applications/{made['created'][0]}/").json()["category"] == "rmm"
    assert tom.post("applications/import/", body).status_code == 422


def test_who_may_only_read_previews_and_changes_nothing(reader: User, fin_01: Computer, tools: Application) -> None:
    rita = Caller(reader)
    body = {"os": "windows", "rules": [{"path": r"c:\acme\*"}]}
    assert rita.post("applications/preview/", body).status_code == 200
    for path in (f"{tools.id}/duplicate/", f"{tools.id}/rules/bulk/", "import/"):
        assert rita.post(f"applications/{path}", {}).status_code == 403, path
