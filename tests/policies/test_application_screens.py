"""The screens of applications as people use them: editor with match preview, copy, paste, delete, files, bulk."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape, unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit import search
from audit.search_terms import EventTerms
from policies import queries
from policies.catalogue import RuleDraft
from policies.models import Application, FileRule
from portal.accounts.models import User
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from tests import factories
from tests.audit.sending import DENY, PERMIT, event, send
from tests.policies.conftest import a_policy, an_application, at_group

SYSTEM = factories.SYSTEM
MOOSE = "/o/able-moose-accounting"
HASH = "ab" * 32
HTMX = {"HX-Request": "true"}


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    return an_application(SYSTEM, able_moose, "Acme Tools")


@pytest.fixture
def seen(fin_01: Computer, brisk_otter: Organization) -> None:
    """Two scripts, one of them never permitted; and one at another customer."""
    send(
        fin_01,
        event(1, path=r"C:\acme\old.ps1", decision=PERMIT),
        event(2, path=r"C:\acme\new.ps1", decision=DENY),
    )
    other = factories.computer(factories.group(brisk_otter, "Front desk"), "otter-01")
    send(other, event(1, path=r"C:\acme\otter.ps1", decision=PERMIT))


def page(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def numbers(html: str) -> dict[str, str]:
    """The lines of the preview's table."""
    rows = html.split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:]
    return {row.split("<td>")[1].split("<")[0]: row.split('">')[1].split("<")[0] for row in rows}


def test_what_a_rule_would_match_is_told_before_it_is_saved(tom: Client, seen: None) -> None:
    typed = {"os": "windows", "path": r"c:\acme\*.ps1"}
    html = tom.post(f"{MOOSE}/applications/preview/", typed, headers=HTMX).content.decode()
    assert numbers(html) == {
        "Files": "2", "Computers": "1", "Events": "2", "Files that were denied": "1",
        "Denied, and never permitted": "1",
    }  # fmt: skip
    assert html.index("new.ps1") < html.index("old.ps1")
    assert "otter.ps1" not in html
    assert "users can mostly write" in html
    assert FileRule.rows.count() == 0
    nothing = tom.post(f"{MOOSE}/applications/preview/", {**typed, "path": r"c:\nobody\*"}, headers=HTMX)
    assert "Nothing that was seen here" in nothing.content.decode()


def test_a_fault_stands_at_its_box_while_typing(tom: Client) -> None:
    typed = {"os": "windows", "created_by": r"regex:c:\\acme\\(?=b).*"}
    html = tom.post(f"{MOOSE}/applications/preview/", typed, headers=HTMX).content.decode()
    box = html.split('id="fault-created_by"')[1].split("</span></span>")[0]
    assert f"Position {typed['created_by'].index('(?=') + 1}:" in box
    assert "hidden" in html.split('id="fault-path"')[1].split(">")[0]
    assert "This rule cannot be saved." in html


def test_an_application_shows_what_all_of_its_rules_meet_here_and_everywhere(
    owner: User, as_user: Callable[[User], Client], seen: None, able_moose: Organization, northwind: Organization
) -> None:
    olive = as_user(owner)
    scripts = an_application(
        SYSTEM, northwind, "Scripts", rules=[RuleDraft(path=r"c:\acme\old.ps1"), RuleDraft(path=r"c:\acme\otter.ps1")]
    )
    here = page(olive, f"{MOOSE}/applications/{scripts.id}/preview/", **HTMX)
    assert numbers(here)["Files"] == "1"
    everywhere = numbers(page(olive, f"/all/applications/{scripts.id}/preview/", **HTMX))
    assert (everywhere["Files"], everywhere["Organizations"]) == ("2", "2")
    assert "<!doctype html>" in page(olive, f"{MOOSE}/applications/{scripts.id}/preview/")
    html = page(olive, f"{MOOSE}/applications/{scripts.id}/")
    assert f"<h1>{northwind.name}\\Scripts</h1>" in html.replace("<bdi>", "").replace("</bdi>", "")
    assert "it is changed there" in html
    assert "Make own copy" in html


def test_a_sighting_becomes_an_application_with_its_first_rule(tom: Client) -> None:
    html = page(tom, f"{MOOSE}/applications/new/?name=Acme&path=c%3A%5Cacme%5C*&created_by=c%3A%5Crmm.exe")
    assert r'value="c:\acme\*"' in html
    assert r'value="c:\rmm.exe"' in html
    made = tom.post(f"{MOOSE}/applications/new/", {"name": "Acme", "os": "windows", "path": r"c:\acme\*", "note": "n"})
    acme = Application.objects.within(SYSTEM).get(name="Acme")
    assert made["Location"] == f"{MOOSE}/applications/{acme.id}/"
    assert queries.rules_of(SYSTEM, acme.id).get().note == "n"
    wrong = tom.post(f"{MOOSE}/applications/new/", {"name": "Other", "os": "windows", "path": "regex:("})
    assert wrong.status_code == 422
    assert 'value="regex:("' in wrong.content.decode()
    assert not Application.objects.within(SYSTEM).filter(name="Other").exists()


def test_the_audit_leads_to_a_new_application_with_the_rule_prefilled(tom: Client, fin_01: Computer) -> None:
    send(fin_01, event(1, path=r"C:\acme tools\a&b.ps1", certificate="CN=Acme, O=Acme & Co", decision=DENY))
    (row,) = search.events(SYSTEM, EventTerms()).rows
    html = page(tom, f"{MOOSE}/audit/{row.id}/")
    there = unescape(html.split(f'href="{MOOSE}/applications/new/')[1].split('"')[0])
    form = page(tom, f"{MOOSE}/applications/new/{there}")
    assert escape(r'value="C:\acme tools\a&b.ps1"', quote=False) in form
    assert escape('value="CN=Acme, O=Acme & Co"', quote=False) in form


def test_a_built_in_application_is_copied_from_its_page(tom: Client, able_moose: Organization) -> None:
    edge = Application.rows.create(kind="builtin", name="Edge", catalogue_key="edge", os="windows")
    FileRule.rows.create(application=edge, position=1, certificate="CN=Microsoft", path=r"c:\edge\*")
    base = f"{MOOSE}/applications/{edge.id}"
    assert "Make own copy" in page(tom, f"{base}/")
    assert tom.post(f"{base}/rules/", {"hash": HASH}).status_code == 404
    asked = page(tom, f"{base}/duplicate/", **HTMX, **{"HX-Target": "dialog"})
    assert 'value="Edge copy"' in asked
    done = tom.post(f"{base}/duplicate/", {"name": "Edge of ours"}, headers={**HTMX, "HX-Target": "dialog"})
    copy = Application.objects.within(SYSTEM).get(name="Edge of ours")
    assert done["HX-Redirect"] == f"{MOOSE}/applications/{copy.id}/"
    assert (copy.organization_id, queries.rules_of(SYSTEM, copy.id).count()) == (able_moose.id, 1)
    assert tom.post(f"{base}/duplicate/", {"name": "edge OF ours"}).status_code == 422


def test_pasted_lines_come_in_together_or_stay_in_the_box(tom: Client, tools: Application) -> None:
    where = f"{MOOSE}/applications/{tools.id}/rules/paste/"
    text = f"{HASH} setup\nnonsense\n" + r"c:\acme\*"
    refused = tom.post(where, {"lines": text})
    assert refused.status_code == 422
    html = refused.content.decode()
    assert "Line 2:" in html
    assert text in html
    assert queries.rules_of(SYSTEM, tools.id).count() == 1
    done = tom.post(where, {"lines": text.replace("nonsense\n", "")}, follow=True)
    assert "2 rules added." in done.content.decode()
    assert queries.rules_of(SYSTEM, tools.id).count() == 3
    assert tom.post(where, {"lines": "# nothing\n"}).status_code == 422


def test_before_deleting_it_is_told_what_hangs_on_it_and_what_to_do_instead(
    tom: Client, finance: ComputerGroup, able_moose: Organization, seen: None
) -> None:
    scripts = an_application(SYSTEM, able_moose, "Scripts", rules=[RuleDraft(path=r"c:\acme\*.ps1")])
    policy = a_policy(SYSTEM, at_group(finance), scripts, name="grp-scripts")
    where = f"{MOOSE}/applications/{scripts.id}/delete/"
    html = page(tom, where, **HTMX, **{"HX-Target": "dialog"})
    assert "Policies name it (1 group)" in html
    assert "grp-scripts" in html
    assert "new.ps1" in html
    assert "Delete application" not in html
    assert "hide it" in html
    policy.delete()
    html = page(tom, where)
    assert "No policy names it" in html
    assert "Delete application" in html
    done = tom.post(where, headers={**HTMX, "HX-Target": "dialog"})
    assert done["HX-Redirect"] == f"{MOOSE}/applications/"


def test_ticked_applications_are_hidden_together_and_others_are_told(
    tom: Client, tools: Application, able_moose: Organization, northwind: Organization
) -> None:
    more = an_application(SYSTEM, able_moose, "More")
    parents = an_application(SYSTEM, northwind, "Miners")
    ids = [str(one.id) for one in (tools, more, parents)]
    done = tom.post(f"{MOOSE}/applications/bulk/", {"verb": "hide", "ids": ids, "query": "os=windows"}, follow=True)
    html = done.content.decode()
    assert done.redirect_chain[-1][0] == f"{MOOSE}/applications/?os=windows"
    assert "2 applications hidden." in html
    assert "Miners is not of this organization." in html
    assert "Acme Tools" not in html
    assert "Acme Tools" in page(tom, f"{MOOSE}/applications/?include_hidden=true")
    assert tom.post(f"{MOOSE}/applications/{tools.id}/hide/", {"hidden": "off"}).status_code == 302
    assert "Acme Tools" in page(tom, f"{MOOSE}/applications/")


def test_the_list_goes_out_as_csv_without_formulas_and_the_journal_tells(tom: Client, able_moose: Organization) -> None:
    an_application(SYSTEM, able_moose, "=cmd|' /C calc'!A1")
    an_application(SYSTEM, able_moose, "Other")
    answer = tom.get(f"{MOOSE}/applications/export/?q=calc")
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert lines[0].startswith('"id","name"')
    assert "\"'=cmd" in lines[1]
    entry = Entry.objects.within(SYSTEM).get(verb="application.list_exported")
    assert entry.details["asked"] == {"q": "calc", "sort": "name"}


def test_a_file_goes_out_and_is_looked_at_before_it_comes_in(tom: Client, tools: Application) -> None:
    answer = tom.get(f"{MOOSE}/applications/file/?ids={tools.id}&ids=nonsense")
    document = json.loads(answer.content)
    assert [one["name"] for one in document["applications"]] == ["Acme Tools"]
    document["applications"][0]["name"] = "From afar"
    text = json.dumps(document)
    where = f"{MOOSE}/applications/import/"
    shown = tom.post(where, {"file": SimpleUploadedFile("a.json", text.encode())}).content.decode()
    assert "Nothing is saved yet" in shown
    assert not Application.objects.within(SYSTEM).filter(name="From afar").exists()
    assert tom.post(where, {"text": text, "confirmed": "true"}).status_code == 302
    assert Application.objects.within(SYSTEM).get(name="From afar").kind == "custom"
    assert tom.post(where, {"text": text, "confirmed": "true"}).status_code == 422
    for fields in ({"text": "{}"}, {}, {"file": SimpleUploadedFile("a.json", b"\xff\xfe")}):
        assert tom.post(where, fields).status_code == 422, fields


def test_thousands_of_hashes_are_paged_and_what_they_would_be_replaced_by_is_offered(
    tom: Client, able_moose: Organization, django_assert_max_num_queries: Any
) -> None:
    rules = [RuleDraft(hash=f"{n:064x}") for n in range(250)] + [RuleDraft(path=r"c:\acme\*")]
    full = an_application(SYSTEM, able_moose, "Full", rules=rules)
    with django_assert_max_num_queries(35):
        html = page(tom, f"{MOOSE}/applications/{full.id}/")
    assert html.count(f"{MOOSE}/applications/{full.id}/rules/") > 100
    assert "250 hashes" in html
    assert f"{0:064x}" in html
    assert f"{150:064x}" not in html
    after = html.split("after=")[1].split('"')[0].split("&")[0]
    more = page(tom, f"{MOOSE}/applications/{full.id}/?after={after}", **HTMX, **{"HX-Target": "hash-rows"})
    assert f"{150:064x}" in more
    assert f"{0:064x}" not in more


def test_a_reader_sees_and_changes_nothing(
    reader: User, as_user: Callable[[User], Client], tools: Application, fin_01: Computer
) -> None:
    rita = as_user(reader)
    assert "Acme Tools" in page(rita, f"{MOOSE}/applications/")
    html = page(rita, f"{MOOSE}/applications/{tools.id}/")
    assert "New rule" not in html
    for path in (
        "bulk/",
        "import/",
        "preview/",
        f"{tools.id}/duplicate/",
        f"{tools.id}/hide/",
        f"{tools.id}/rules/paste/",
    ):
        assert rita.post(f"{MOOSE}/applications/{path}").status_code == 403, path
