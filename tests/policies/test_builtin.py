"""The catalogue that is shipped, and how loading treats what is in the database already."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from django.core.management import call_command

from policies import catalogue, changes
from policies.builtin import loader
from policies.builtin.loader import load_catalogue
from policies.builtin.schema import CatalogueError, Entry, RuleEntry, SourceEntry, read_catalogue
from policies.catalogue import RuleDraft
from policies.engine.facts import FileFacts
from policies.models import Application, Category, FileRule
from policies.trying import try_application
from portal.common.errors import Refused
from portal.tenants.models import ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, at_group

SYSTEM = factories.SYSTEM
MICROSOFT = "O=Microsoft Corporation, L=Redmond, S=Washington, C=US"


def entry(**fields: object) -> Entry:
    base = {
        "key": "acme", "version": 1, "name": "Acme", "publisher": "Acme", "os": "windows", "description": "Tools.",
        "category": Category.UTILITY, "source": [SourceEntry(says="Acme's own page.")],
        "rules": [RuleEntry(path=r"c:\acme\*")],
    }  # fmt: skip
    return Entry(**{**base, **fields})  # type: ignore[arg-type]


def test_the_shipped_catalogue_holds_and_every_fact_has_its_source() -> None:
    entries = read_catalogue()
    assert len(entries) >= 10
    assert {entry.os for entry in entries} == {"windows", "linux", "macos"}
    assert all(entry.source for entry in entries)


@pytest.mark.parametrize(
    ("path", "certificate", "key"),
    [
        (r"C:\Windows\System32\notepad.exe", f"CN=Microsoft Windows, {MICROSOFT}", "windows-core"),
        (
            r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
            f"CN=Microsoft Corporation, {MICROSOFT}",
            "microsoft-edge",
        ),
        (
            r"C:\Program Files\WindowsApps\MSTeams_24243.1309.3132.617_x64__8wekyb3d8bbwe\ms-teams.exe",
            "",
            "microsoft-teams",
        ),
        (r"C:\Windows\LTSvc\LTSVC.exe", "", "connectwise-automate-agent"),
        (r"C:\Program Files (x86)\Moose-Main-5.3\NinjaRMMAgent.exe", "", "ninjaone-agent"),
    ],
)  # fmt: skip
def test_the_shipped_rules_match_what_they_are_for(world: None, path: str, certificate: str, key: str) -> None:
    load_catalogue(SYSTEM)
    row = Application.objects.within(SYSTEM).get(catalogue_key=key)
    facts = FileFacts(path=path, certificates=(certificate,) if certificate else ())
    assert any(trial.matched for trial in try_application(SYSTEM, row.id, facts))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (r"C:\Windows\LTSvc\scripts\patch.ps1", "connectwise-automate-agent"),
        (r"C:\Windows\Temp\evil.exe", "windows-core"),
        (r"C:\Users\bob\AppData\Roaming\Zoom\bin\Zoom.exe", "zoom-workplace"),
        (r"C:\Program Files\WindowsApps\MSTeams_1_x64__evil\ms-teams.exe", "microsoft-teams"),
    ],
)
def test_the_shipped_rules_leave_out_scripts_and_folders_of_users(world: None, path: str, key: str) -> None:
    load_catalogue(SYSTEM)
    row = Application.objects.within(SYSTEM).get(catalogue_key=key)
    assert not any(trial.matched for trial in try_application(SYSTEM, row.id, FileFacts(path=path)))


def test_the_command_may_be_repeated(world: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_catalogue")
    call_command("load_catalogue")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{len(read_catalogue())} created")
    assert second.startswith("0 created, 0 updated, 0 retired")


def test_an_update_keeps_the_rules_that_stay_and_waits_where_it_changes_bundles(
    world: None, able_moose: Organization, brisk_otter: Organization
) -> None:
    finance = factories.group(able_moose, "Finance")
    first = entry(rules=[RuleEntry(path=r"c:\acme\*"), RuleEntry(path=r"c:\old\*")])
    load_catalogue(SYSTEM, [first])
    acme = Application.objects.within(SYSTEM).get(catalogue_key="acme")
    kept = FileRule.objects.within(SYSTEM).get(application=acme, path=r"c:\acme\*")
    a_policy(SYSTEM, at_group(finance), acme)
    before = changes.pending(SYSTEM).count()
    load_catalogue(SYSTEM, [entry(version=2, rules=[RuleEntry(path=r"c:\new\*"), RuleEntry(path=r"c:\acme\*")])])
    rules = FileRule.objects.within(SYSTEM).filter(application=acme).order_by("position")
    assert [rule.path for rule in rules] == [r"c:\new\*", r"c:\acme\*"]
    assert rules[1].id == kept.id
    waiting = changes.pending(SYSTEM)[0]
    assert changes.pending(SYSTEM).count() == before + 1
    assert (waiting.verb, waiting.organization_id, waiting.target) == ("catalogue.updated", able_moose.id, finance.id)


def test_an_application_whose_file_is_gone_is_hidden_and_comes_back_with_it(world: None) -> None:
    load_catalogue(SYSTEM, [entry()])
    assert load_catalogue(SYSTEM, []).retired == ("acme",)
    assert Application.objects.within(SYSTEM).get(catalogue_key="acme").hidden is True
    assert load_catalogue(SYSTEM, [entry()]).updated == ("acme",)
    assert Application.objects.within(SYSTEM).get(catalogue_key="acme").hidden is False


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rules": [{"path": "*"}]}, "rule 1"),
        ({"rules": []}, "rules"),
        ({"os": "beos"}, "os"),
        ({"category": "nice"}, "category"),
        ({"ringfence": {"magic": {"mode": "off"}}}, "ringfence/magic"),
        ({"source": [{"says": "Read it.", "url": "http://plain.example"}]}, "url"),
        ({"more": 1}, "more"),
        ({"key": "other"}, "file's name"),
        ({"rules": [{"path": "c:\\a\\*"}, {"path": "c:\\a\\*"}]}, "say the same"),
    ],
)
def test_a_faulty_file_is_refused_by_name(tmp_path: Path, change: dict[str, object], says: str) -> None:
    whole = {**msgspec.to_builtins(entry()), **change}
    (tmp_path / "acme.json").write_bytes(msgspec.json.encode(whole))
    with pytest.raises(CatalogueError, match=rf"acme.json.*{says}"):
        read_catalogue(tmp_path)


def test_nobody_changes_a_built_in_application_by_hand(reach: Reach, finance: ComputerGroup) -> None:
    with reaching(SYSTEM):
        loader.load_catalogue(SYSTEM, [entry()])
        acme = Application.objects.within(SYSTEM).get(catalogue_key="acme")
    for attempt in (
        lambda: catalogue.update_application(reach, acme.id, name="Mine"),
        lambda: catalogue.add_file_rule(reach, acme.id, rule=RuleDraft(path=r"c:\evil\*")),
        lambda: catalogue.delete_application(reach, acme.id),
    ):
        with pytest.raises(Refused, match="built in"):
            attempt()
    assert FileRule.rows.filter(application=acme).update(path=r"c:\evil\*") == 0  # the second wall
