"""The screens of tidying: what they show, that they do it, and that strangers find nothing there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from audit import dictionaries
from policies.catalogue import RuleDraft
from policies.models import Application, FileRule, UndoStep
from portal.accounts.models import User
from portal.tenants.models import Computer, Organization
from tests.factories import SYSTEM
from tests.policies.conftest import a_policy, an_application, at_organization
from tests.policies.test_upkeep_collapse import CONTOSO, learned, ran, tell

MOOSE = "/o/able-moose-accounting"


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    dictionaries.forget_all()
    yield
    dictionaries.forget_all()


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    rules = [RuleDraft(path=rf"c:\tools\{name}\*") for name in ("a", "b", "c")]
    return an_application(SYSTEM, able_moose, "Acme Tools", rules=rules)


@pytest.fixture
def twin(able_moose: Organization) -> Application:
    rules = [RuleDraft(path=r"c:\tools\a\*"), RuleDraft(path=r"c:\twin\*")]
    return an_application(SYSTEM, able_moose, "Acme Twin", rules=rules)


def seen_in(html: str) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]+)"', html)
    assert found is not None
    return found[1]


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_merging_is_previewed_done_and_taken_back(
    tom: Client, able_moose: Organization, tools: Application, twin: Application
) -> None:
    a_policy(SYSTEM, at_organization(able_moose), twin, name="org-twin-permit")
    ids = f"ids={tools.id}&ids={twin.id}&survivor={tools.id}"
    html = tom.get(f"{MOOSE}/applications/merge/?{ids}").content.decode()
    assert "org-twin-permit newly matches 2 rules of Acme Tools" in text_of(html)
    sent: dict[str, Any] = {"ids": [tools.id, twin.id], "survivor": tools.id, "seen": seen_in(html), "verb": "merge"}
    by_a_tick = {"HX-Request": "true", "HX-Target": "merge-plan"}
    assert tom.post(f"{MOOSE}/applications/merge/", sent, headers=by_a_tick).status_code == 200
    assert Application.rows.filter(id=twin.id).exists(), "a changed tick never applies, whichever button has the focus"
    done = tom.post(f"{MOOSE}/applications/merge/", sent)
    assert done.status_code == 302
    assert not Application.rows.filter(id=twin.id).exists()
    page = tom.get(done["Location"]).content.decode()
    assert "Acme Twin merged into Acme Tools" in page
    step = UndoStep.rows.get()
    assert f"{MOOSE}/undo/{step.id}/" in page
    undone = tom.post(f"{MOOSE}/undo/{step.id}/")
    assert "undone by Tom" in text_of(tom.get(undone["Location"]).content.decode())
    assert "Undone: everything is as it was before." in tom.get(done["Location"]).content.decode()
    assert Application.rows.filter(id=twin.id).exists()
    again = tom.post(f"{MOOSE}/undo/{step.id}/")
    assert again.status_code == 409
    assert "was undone by" in again.content.decode()


def test_what_changed_since_the_preview_is_not_merged(
    tom: Client, able_moose: Organization, tools: Application, twin: Application
) -> None:
    html = tom.get(f"{MOOSE}/applications/merge/?ids={tools.id},{twin.id}").content.decode()
    FileRule.rows.filter(application=twin, position=2).update(path=r"c:\other\*")
    sent: dict[str, Any] = {"ids": [tools.id, twin.id], "survivor": tools.id, "seen": seen_in(html), "verb": "merge"}
    answer = tom.post(f"{MOOSE}/applications/merge/", sent)
    assert answer.status_code == 409
    assert "Look at the preview again" in answer.content.decode()
    assert Application.rows.filter(id=twin.id).exists()


def test_one_application_is_not_enough_and_more_can_be_chosen(
    tom: Client, tools: Application, twin: Application
) -> None:
    html = tom.get(f"{MOOSE}/applications/merge/?ids={tools.id}").content.decode()
    assert "Tick two or more" in html
    assert re.search(rf'value="{tools.id}" checked', html)
    assert "Acme Twin" in html


def test_splitting_shows_that_nothing_changes_and_splits(
    tom: Client, able_moose: Organization, tools: Application
) -> None:
    policy = a_policy(SYSTEM, at_organization(able_moose), tools, name="org-tools-permit")
    leaving = FileRule.rows.get(application=tools, position=2)
    address = f"{MOOSE}/applications/{tools.id}/split/"
    part = tom.post(address, {"rule": leaving.id}, headers={"HX-Request": "true", "HX-Target": "split-plan"})
    html = part.content.decode()
    assert "<html" not in html
    assert "Nothing that runs changes." in html
    sent = {"rule": leaving.id, "name": "Acme B", "policies-shown": "1", "policy": policy.id, "seen": seen_in(html)}
    assert tom.post(address, {**sent, "verb": "split"}).status_code == 302
    made = Application.rows.get(name="Acme B")
    assert FileRule.rows.get(id=leaving.id).application_id == made.id
    assert set(policy.applications.values_list("id", flat=True)) == {tools.id, made.id}


def test_a_policy_that_is_left_out_of_a_split_is_told_to_lose(
    tom: Client, able_moose: Organization, tools: Application, fin_01: Computer
) -> None:
    a_policy(SYSTEM, at_organization(able_moose), tools, name="org-tools-permit")
    tell(fin_01, ran(1, r"c:\tools\b\tool.exe"))
    leaving = FileRule.rows.get(application=tools, position=2)
    sent = {"rule": leaving.id, "policies-shown": "1"}
    html = tom.post(f"{MOOSE}/applications/{tools.id}/split/", sent).content.decode()
    assert "Some policies stop matching these rules." in html
    assert "1 file on 1 computer at 1 organization" in text_of(html)


def test_hashes_are_collapsed_on_the_screen_after_an_edit(
    tom: Client, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2, 3)]
    tell(fin_01, *rows)
    application = learned(able_moose, rows)
    address = f"{MOOSE}/applications/{application.id}/collapse/"
    html = tom.get(address).content.decode()
    assert "Replace 3 hashes by 1 rule" in text_of(html)
    edited = {"rule": "0", "tick-0": "on", "path-0": r"c:\program files\contoso\part?.dll", "certificate-0": CONTOSO}
    bad = tom.post(address, {**edited, "path-0": r"%NOPE%\x.dll", "verb": "preview"}).content.decode()
    assert "is not a variable that computers know" in bad
    assert "Nothing would be replaced." in bad
    html = tom.post(address, {**edited, "verb": "preview"}).content.decode()
    assert tom.post(address, {**edited, "seen": seen_in(html), "verb": "collapse"}).status_code == 302
    assert list(FileRule.rows.filter(application=application).values_list("path", flat=True)) == [
        r"c:\program files\contoso\part?.dll"
    ]


def test_a_certificate_is_added_beside_the_old_one(tom: Client, able_moose: Organization, fin_01: Computer) -> None:
    new = CONTOSO.replace("Ltd", "Inc")
    rule = RuleDraft(path=r"c:\contoso\*", certificate=CONTOSO)
    application = an_application(SYSTEM, able_moose, "Contoso", rules=[rule])
    tell(fin_01, ran(1, r"c:\contoso\new.exe", certificate=new))
    address = f"{MOOSE}/applications/certificate/"
    html = tom.get(f"{address}?old={CONTOSO}").content.decode()
    assert f"{new} · 1 file, 0 denied" in text_of(html)
    html = tom.post(address, {"old": CONTOSO, "new": "CN=x", "use": new, "how": "beside"}).content.decode()
    assert r"c:\contoso\new.exe" in html
    sent = {"old": CONTOSO, "new": new, "how": "beside", "seen": seen_in(html), "verb": "replace"}
    assert tom.post(address, sent).status_code == 302
    rules = FileRule.rows.filter(application=application).values_list("certificate", flat=True)
    assert list(rules) == [CONTOSO, new]


def test_other_tenants_find_nothing_under_their_own_address(
    as_user: Callable[[User], Client],
    stranger: User,
    fin_01: Computer,
    tools: Application,
    twin: Application,
    tom: Client,
) -> None:
    client, otter = as_user(stranger), "/o/brisk-otter-dental"
    assert client.get(f"{otter}/applications/merge/?ids={tools.id}&ids={twin.id}").status_code == 404
    sent = {"ids": [tools.id, twin.id], "survivor": tools.id, "verb": "merge"}
    assert client.post(f"{otter}/applications/merge/", sent).status_code == 404
    for what in ("split", "collapse"):
        assert client.get(f"{otter}/applications/{tools.id}/{what}/").status_code == 404
    tom.post(f"{MOOSE}/applications/merge/", sent)
    step = UndoStep.rows.get()
    assert client.get(f"{otter}/applications/tidied/?step={step.id}").status_code == 404
    assert client.post(f"{otter}/undo/{step.id}/").status_code == 404
    assert UndoStep.rows.get().undone_at is None
