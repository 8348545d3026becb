"""The screens of the Unified Audit over HTTP: who sees what, what a query says back, what Permit Application keeps."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from django.test import Client

from audit import search
from audit.event_rows import EventRow
from audit.search_terms import EventTerms
from policies.models import Application, Policy
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import Computer, Entry, Organization
from tests import factories
from tests.audit.sending import DENY, PERMIT, event, send

SignIn = Callable[[User], Client]
LIST = "/o/able-moose-accounting/audit/"


@pytest.fixture
def fin_01(able_moose: Organization) -> Computer:
    return factories.computer(factories.group(able_moose, "Finance"), "FIN-LT-01")


@pytest.fixture
def denied(fin_01: Computer) -> EventRow:
    default = Policy.objects.within(factories.SYSTEM).get(target_group=fin_01.group, is_default=True)
    decision = msgspec.structs.replace(DENY, policy=str(default.id))
    for number, name in enumerate(("8f2c41d7a9", "03be77a1c0", "c91d00e47b")):
        path = rf"C:\Windows\Temp\acmermm\{name}.ps1"
        send(
            fin_01, event(1, path=path, decision=decision, bundle_version=811), batch=number,
            received_at=clock.now() - timedelta(minutes=10 - number),
        )  # fmt: skip
    return search.events(factories.SYSTEM, EventTerms.parse("any:deny")).rows[0]


def sheet_of(page: str) -> dict[str, str]:
    """What the browser would send from the sheet as shown."""
    body = page[page.index('id="permit"') :]
    sent = {}
    for tag in re.findall(r"<input\b[^>]*>", body):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        name, kind = found.get("name", ""), found.get("type", "text")
        if not name or (kind in ("radio", "checkbox") and " checked" not in tag):
            continue
        sent[name] = found.get("value", "on").replace("&#x27;", "'").replace("&quot;", '"').replace("&amp;", "&")
    return sent


def test_the_list_shows_the_last_days_denials_and_says_so(as_user: SignIn, reader: User, denied: EventRow) -> None:
    page = as_user(reader).get(LIST).content.decode()
    assert "c91d00e47b.ps1" in page
    assert "any:deny since:24h" in page
    assert "3 events" in page
    assert "Default - (Finance)" in page


def test_a_stranger_gets_404_for_list_event_permit_and_history(
    as_user: SignIn, stranger: User, denied: EventRow
) -> None:
    client = as_user(stranger)
    for path in ("", f"{denied.id}/", f"{denied.id}/permit/", f"file-history/?path={denied.path}", "export.csv"):
        assert client.get(LIST + path).status_code == 404, path
    assert client.post(f"{LIST}{denied.id}/permit/").status_code == 404
    own = f"/o/brisk-otter-dental/audit/{denied.id}/"
    assert client.get(own).status_code == client.get(f"{own}permit/").status_code == 404
    assert client.get(f"/all/audit/{denied.id}/").status_code == 404
    assert "c91d00e47b" not in client.get("/all/audit/?q=").content.decode()


def test_a_reader_may_look_but_not_permit(as_user: SignIn, reader: User, denied: EventRow) -> None:
    client = as_user(reader)
    assert f"{denied.id}/permit/" not in client.get(f"{LIST}{denied.id}/").content.decode()
    assert client.get(f"{LIST}{denied.id}/permit/").status_code == 403


def test_events_beneath_lead_to_their_own_organization(
    as_user: SignIn, owner: User, northwind: Organization, denied: EventRow
) -> None:
    client = as_user(owner)
    assert "c91d00e47b" not in client.get("/o/northwind-it/audit/", {"q": ""}).content.decode()
    page = client.get("/o/northwind-it/audit/", {"q": "with:children"}).content.decode()
    assert f"{LIST}{denied.id}/" in page
    assert f"/o/northwind-it/audit/{denied.id}/" not in page


def test_new_events_are_offered_without_moving_the_list(
    as_user: SignIn, reader: User, stranger: User, denied: EventRow, fin_01: Computer
) -> None:
    client = as_user(reader)
    page = client.get(LIST).content.decode()
    assert f"newest={denied.id}" in page
    asked = {"q": "any:deny", "newest": denied.id}
    assert " hidden" in client.get(f"{LIST}fresh/", asked).content.decode()
    send(fin_01, event(1), event(2), event(3, decision=PERMIT), batch=77)
    fresh = client.get(f"{LIST}fresh/", asked).content.decode()
    assert "2 new, show" in fresh and " hidden" not in fresh
    assert " hidden" in client.get(f"{LIST}fresh/", {"newest": "nonsense!"}).content.decode()
    assert as_user(stranger).get(f"{LIST}fresh/", asked).status_code == 404


def test_a_wrong_query_names_the_token_and_the_nearest_key(as_user: SignIn, reader: User, denied: EventRow) -> None:
    client = as_user(reader)
    answer = client.get(LIST, {"q": "pth:x any:deny"})
    assert answer.status_code == 422
    assert "pth:" in answer.content.decode() and "path:" in answer.content.decode()
    typed = client.get(LIST, {"q": "pth:x"}, headers={"HX-Request": "true", "HX-Target": "audit-results"})
    assert (typed.status_code, typed["HX-Retarget"]) == (422, "#query-fault")
    assert "<html" not in typed.content.decode()


def test_more_rows_are_appended_as_rows_alone(as_user: SignIn, reader: User, fin_01: Computer) -> None:
    send(fin_01, *(event(n, path=rf"C:\run\{n}.exe") for n in range(1, 61)))
    client = as_user(reader)
    page = client.get(LIST).content.decode()
    after = re.search(r"after=([^\"&]+)", page)
    assert after
    more = client.get(
        LIST, {"q": "any:deny", "after": after[1]}, headers={"HX-Request": "true", "HX-Target": "rows"}
    ).content.decode()
    assert more.count("<tr>") == 10
    assert "<html" not in more and 'id="facets"' not in more


def test_the_drawer_tells_verdict_facts_and_explanation(as_user: SignIn, reader: User, denied: EventRow) -> None:
    drawer = as_user(reader).get(f"{LIST}{denied.id}/", headers={"HX-Request": "true", "HX-Target": "drawer"})
    text = drawer.content.decode()
    assert "Denied because no policy permits it." in text
    assert "Unsigned, first seen today, on 1 computer." in text
    assert r"C:\Program Files\AcmeRMM\acme_agent.exe" in text
    assert "v811" in text
    assert "Default - (Finance)" in text
    assert "<html" not in text


def test_hostile_text_stays_text(as_user: SignIn, reader: User, fin_01: Computer) -> None:
    nasty = "C:\\<img src=x onerror=alert(1)>\u202efdp.exe"
    send(fin_01, event(1, path=nasty, user="<script>", command_line="{{ 7*7 }}", certificate="CN=<b>"))
    row = search.events(factories.SYSTEM, EventTerms.parse("")).rows[0]
    client = as_user(reader)
    for path in (LIST, f"{LIST}{row.id}/", f"{LIST}file-history/?path={nasty}"):
        page = client.get(path).content.decode()
        assert "<img src=x" not in page and "<script>" not in page and "CN=<b>" not in page, path
        assert "⟨U+202E⟩" in page, path
        assert "49" not in re.findall(r"Command</dt><dd[^>]*>(.*?)</dd>", page)


def test_the_sheet_comes_answered_and_three_steps_permit(
    as_user: SignIn, technician: User, denied: EventRow, fin_01: Computer
) -> None:
    client = as_user(technician)
    page = client.get(f"{LIST}{denied.id}/permit/").content.decode()
    sent = sheet_of(page)
    assert sent["value_path"] == r"regex:c:\\windows\\temp\\acmermm\\[0-9a-f]{10}\.ps1"
    assert sent["use_created_by"] == "on" and "use_hash" not in sent
    assert sent["scope"] == f"computer:{fin_01.id}"
    assert "Ends 3 of 3 denials, on 1 computer." in page
    answer = client.post(f"{LIST}{denied.id}/permit/", sent)
    assert answer.status_code == 302
    policy = Policy.objects.within(factories.SYSTEM).get(is_default=False)
    assert (policy.level, policy.action, policy.target_computer) == ("computer", "permit", fin_01)
    told = client.get(answer["Location"]).content.decode()
    assert policy.name in told
    assert "as saved now" in told.lower()


def test_what_was_typed_survives_a_refusal(as_user: SignIn, technician: User, denied: EventRow) -> None:
    client = as_user(technician)
    address = f"{LIST}{denied.id}/permit/"
    sent = sheet_of(client.get(address).content.decode())
    wrong = {
        **sent, "rule": "manual", "value_path": r"regex:c:\\(a", "name": "Nightly <b>", "reason": "reviewed",
        "ticket": "PSA-1", "length": "8h",
    }  # fmt: skip
    answer = client.post(address, wrong)
    assert answer.status_code == 422
    kept = sheet_of(answer.content.decode())
    assert {k: kept[k] for k in ("value_path", "reason", "ticket", "length")} == {
        k: wrong[k] for k in ("value_path", "reason", "ticket", "length")
    }
    assert "Nightly &lt;b&gt;" in answer.content.decode()
    assert "field-error" in answer.content.decode()
    assert not Application.objects.within(factories.SYSTEM).filter(name__startswith="Nightly").exists()


def test_the_preview_follows_the_rule_and_saves_nothing(as_user: SignIn, technician: User, denied: EventRow) -> None:
    client = as_user(technician)
    sent = sheet_of(client.get(f"{LIST}{denied.id}/permit/").content.decode())
    sent |= {"rule": "manual", "value_path": denied.path}
    answer = client.post(
        f"{LIST}{denied.id}/permit/impact/", sent, headers={"HX-Request": "true", "HX-Target": "match-preview"}
    )
    assert "Ends 1 of 3 denials" in answer.content.decode()
    assert "<html" not in answer.content.decode()
    assert not Policy.objects.within(factories.SYSTEM).filter(is_default=False).exists()


def test_file_history_says_whether_a_hash_rule_would_hold(as_user: SignIn, reader: User, fin_01: Computer) -> None:
    path = r"C:\Program Files\AcmeRMM\update.exe"
    for day in range(5):
        send(
            fin_01, event(1, path=path, sha256=f"{day:064x}", decision=PERMIT), batch=day,
            received_at=clock.now() - timedelta(days=5 - day),
        )  # fmt: skip
    page = as_user(reader).get(f"{LIST}file-history/", {"path": path.upper()}).content.decode()
    assert "Hash changed 4 times in 30 days: do not use a hash rule." in page
    assert page.count("hash:0000") == 5


def test_names_that_change_can_be_taken_together(as_user: SignIn, reader: User, denied: EventRow) -> None:
    client = as_user(reader)
    exact = client.get(f"{LIST}file-history/", {"path": denied.path}).content.decode()
    assert "Treat digits and GUIDs in the name as equal" in exact
    assert "One hash so far" in exact
    alike = client.get(f"{LIST}file-history/", {"path": denied.path, "alike": "1"}).content.decode()
    assert "3 names of this shape with 3 hashes: do not use a hash rule" in alike
    assert "Grouped by the folder and the shape of the name" in alike
    assert all(name in alike for name in ("8f2c41d7a9.ps1", "03be77a1c0.ps1", "c91d00e47b.ps1"))


def test_the_export_is_safe_for_spreadsheets_and_told(as_user: SignIn, reader: User, fin_01: Computer) -> None:
    send(fin_01, event(1, path="=cmd|' /C calc'!A0", command_line="@SUM(1)", user="+x", process="-2\tx"))
    answer = as_user(reader).get(f"{LIST}export.csv", {"q": ""})
    text = b"".join(answer.streaming_content).decode()
    assert answer["Content-Type"].startswith("text/csv")
    for cell in ("=cmd", "@SUM", "+x", "-2\t"):
        assert f"\"'{cell}" in text and f'"{cell}' not in text
    assert text.count("\n") == 2
    assert Entry.rows.filter(verb="audit.exported", organization_id=fin_01.organization_id).count() == 1


def test_an_event_of_a_computer_that_is_gone_does_not_offer_what_cannot_be_done(
    as_user: SignIn, technician: User, fin_01: Computer, denied: EventRow
) -> None:
    client = as_user(technician)
    assert "/permit/" in client.get(f"{LIST}{denied.id}/").content.decode()
    fin_01.delete()
    page = client.get(f"{LIST}{denied.id}/").content.decode()
    assert "/permit/" not in page
    assert "Its computer is gone" in page
