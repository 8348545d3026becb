"""Collapse hashes: what is proposed for what was seen, what stays, and that nothing seen stops matching."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from audit import dictionaries
from policies import queries, undoing
from policies.catalogue import RuleDraft
from policies.models import Application, Change, FileRule
from policies.upkeep import collapse, pictures
from policies.upkeep.reviewing import Review, Wanted
from portal.common.errors import Conflict, Refused
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach
from tests.audit.sending import DENY, PERMIT, event, send
from tests.factories import SYSTEM
from tests.policies.conftest import a_policy, an_application, at_organization

CONTOSO = "CN=Contoso Ltd, O=Contoso Ltd, C=US"
UPDATER = r"c:\program files\acme ledger\updater.exe"
CHROME = r"c:\program files\google\chrome\application\chrome.exe"
RMM = r"c:\program files\acmerrm\agent.exe"
EXPLICIT = type(DENY)(action="deny", effect="denied", reason_code="deny")


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    dictionaries.forget_all()
    yield
    dictionaries.forget_all()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ran(number: int, path: str, **fields: object) -> dict[str, object]:
    """A file that was permitted; its hash comes of its path and `version`."""
    version = fields.pop("version", "")
    base = {"certificate": "", "created_by": "", "process": r"c:\windows\explorer.exe", "decision": PERMIT}
    return {"sequence": number, **base, "path": path, "sha256": digest(f"{path}{version}"), **fields}


def tell(computer: Computer, *rows: dict[str, object], batch: int = 1) -> None:
    send(computer, *(event(**row) for row in rows), batch=batch, boot_id=f"boot-{computer.name}")


def learned(of: Organization, rows: list[dict[str, object]], name: str = "Learned") -> Application:
    hashes = dict.fromkeys(str(row["sha256"]) for row in rows)
    return an_application(SYSTEM, of, name, rules=[RuleDraft(hash=one, note="learned") for one in hashes])


def rules_of(review: Review) -> list[dict[str, str]]:
    names = ("path", "process", "created_by", "certificate")
    return [{name: getattr(one.rule, name) for name in names if getattr(one.rule, name)} for one in review.proposals]


def test_signed_versions_become_certificate_and_path_with_the_version_general(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    folder = r"C:\Users\{}\AppData\Local\Contoso\app-{}\{}"
    rows = [
        ran(n, folder.format(user, version, name), certificate=CONTOSO)
        for n, (user, version, name) in enumerate(
            [("jdoe", "1.2.3", "contoso.exe"), ("akim", "1.3.0", "contoso.exe"), ("akim", "1.3.0", "helper.dll")], 1
        )
    ]
    tell(fin_01, *rows)
    application = learned(able_moose, rows)
    found = collapse.propose(reach, able_moose.id, application.id)
    assert rules_of(found) == [{"path": r"%LOCALAPPDATA%\contoso\app-*\*", "certificate": CONTOSO}]
    assert (found.proposals[0].hashes, found.rules_after, found.proposals[0].ticked) == (3, 1, True)
    assert found.proposals[0].strength is not None
    assert found.proposals[0].strength.score == 4


def test_unsigned_files_of_one_updater_become_created_by_and_path(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\acme ledger\part{n}.dll", created_by=UPDATER) for n in range(1, 5)]
    tell(fin_01, *rows)
    found = collapse.propose(reach, able_moose.id, learned(able_moose, rows).id)
    assert rules_of(found)[0]["created_by"] == UPDATER
    assert rules_of(found)[0]["path"].startswith(r"c:\program files\acme ledger")
    assert found.rules_after == 1


def test_scripts_become_an_anchored_pattern_with_their_writer_and_launcher(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [
        ran(n, rf"c:\programdata\acmerrm\scripts\custom_{n}f2c41d7.ps1", action_type="script", process=RMM, created_by=RMM)
        for n in range(1, 5)
    ]
    tell(fin_01, *rows)
    found = collapse.propose(reach, able_moose.id, learned(able_moose, rows).id)
    assert rules_of(found) == [
        {
            "path": r"regex:c:\\programdata\\acmerrm\\scripts\\custom_[0-9a-f]{8}\.ps1",
            "process": RMM,
            "created_by": RMM,
        }
    ]
