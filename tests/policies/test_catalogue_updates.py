"""Updates of the built-in catalogue: signed, only newer, looked at before they are applied, and policies follow."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from policies import changes
from policies.builtin import updates
from policies.builtin.differences import differences
from policies.builtin.feed import Feed, open_feed, sign_feed, trusted_keys
from policies.builtin.impact import impact
from policies.builtin.loader import Loaded, load_catalogue
from policies.builtin.schema import CatalogueError, RuleEntry
from policies.models import Application, CatalogueUpdate, FileRule, UpdateState
from portal.accounts.models import User
from portal.common import clock
from portal.common.errors import Conflict, Forbidden, NotFound, Refused
from portal.tenants.models import ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, at_group
from tests.policies.test_builtin import entry
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
NOW = 1_800_000_000


def feed(serial: int = 1, **fields: Any) -> Feed:
    seconds = int(clock.now().timestamp())
    base = {"issued_at": seconds - 60, "expires_at": seconds + 86_400, "entries": [entry(version=2)]}
    return Feed(serial=serial, **{**base, **fields})


def signed(serial: int = 1, key: Ed25519PrivateKey = KEY, **fields: Any) -> bytes:
    return sign_feed(feed(serial, **fields), [key])


@pytest.fixture(autouse=True)
def trusting(settings: Any) -> None:
    settings.CATALOGUE_KEYS = [PUBLIC]


@pytest.fixture
def in_force(owner_reach: Reach) -> Iterator[Application]:
    """Version 1 of Acme is in force."""
    with reaching(SYSTEM):
        load_catalogue(SYSTEM, [entry()])
        yield Application.objects.within(SYSTEM).get(catalogue_key="acme")


def test_a_feed_opens_for_who_trusts_its_key() -> None:
    opened, signer = open_feed(signed(7), trusted_keys([PUBLIC]), now=int(clock.now().timestamp()))
    assert (opened.serial, [e.key for e in opened.entries]) == (7, ["acme"])
    assert signer in trusted_keys([PUBLIC])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: signed(key=Ed25519PrivateKey.generate()), "No key that is trusted"),
        (lambda: signed().replace(b'"payload_type"', b'"payload_kind"'), "no signed feed"),
        (lambda: b"{}", "no signed feed"),
        (lambda: b"\xff\xfe", "no signed feed"),
        (lambda: signed(expires_at=1), "expired"),
        (lambda: signed(issued_at=2**40), "future"),
        (lambda: signed(entries=[entry(), entry()]), "Two entries"),
        (lambda: signed(entries=[entry(rules=[RuleEntry(path="*")])]), "rule 1"),
    ],
)
def test_what_does_not_hold_is_refused_with_the_reason(data: Any, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        open_feed(data(), trusted_keys([PUBLIC]), now=int(clock.now().timestamp()))


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_changed_bit_of_the_payload_is_noticed(position: int, bit: int) -> None:
    whole = json.loads(sign_feed(Feed(serial=1, issued_at=NOW, expires_at=NOW * 2, entries=[entry()]), [KEY]))
    payload = bytearray(base64.b64decode(whole["payload"]))
    payload[position % len(payload)] ^= 1 << bit
    whole["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(CatalogueError, match="does not hold"):
        open_feed(json.dumps(whole).encode(), trusted_keys([PUBLIC]), now=NOW)


def test_a_feed_waits_and_changes_nothing_until_it_is_applied(owner_reach: Reach, in_force: Application) -> None:
    rules = [RuleEntry(path=r"c:\acme\*"), RuleEntry(path=r"c:\new\*")]
    kept = FileRule.objects.within(SYSTEM).get(application=in_force)
    with reaching(owner_reach):
        row = updates.take_feed(owner_reach, signed(entries=[entry(version=2, rules=rules)]))
        assert (row.state, row.new, row.changed, row.retired) == (UpdateState.WAITING, 0, 1, 0)
        assert Application.objects.within(owner_reach).get(id=in_force.id).catalogue_version == 1
        updates.apply_update(owner_reach, row.id)
        assert Application.objects.within(owner_reach).get(id=in_force.id).catalogue_version == 2
        after = FileRule.objects.within(owner_reach).filter(application=in_force).order_by("position")
        assert [(r.path, r.id == kept.id) for r in after] == [(r"c:\acme\*", True), (r"c:\new\*", False)]
        with pytest.raises(Conflict, match="applied already"):
            updates.apply_update(owner_reach, row.id)


def test_an_older_feed_is_never_taken_and_a_newer_one_supersedes(owner_reach: Reach, in_force: Application) -> None:
    with reaching(owner_reach):
        first = updates.take_feed(owner_reach, signed(5))
        for old in (5, 4):
            with pytest.raises(Refused, match="never taken"):
                updates.take_feed(owner_reach, signed(old))
        second = updates.take_feed(owner_reach, signed(6))
        first.refresh_from_db()
        assert (first.state, second.state) == (UpdateState.SUPERSEDED, UpdateState.WAITING)
        with pytest.raises(Conflict):
            updates.apply_update(owner_reach, first.id)


def test_what_says_nothing_new_does_not_wait(owner_reach: Reach, in_force: Application) -> None:
    with reaching(owner_reach), pytest.raises(Refused, match="in force already"):
        updates.take_feed(owner_reach, signed(entries=[entry()]))


def test_the_impact_names_policies_and_computers_of_each_organization(
    owner_reach: Reach, in_force: Application, finance: ComputerGroup, able_moose: Organization
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), in_force)
    before = changes.pending(SYSTEM).count()
    with reaching(owner_reach):
        row = updates.take_feed(owner_reach, signed(entries=[entry(version=2, rules=[RuleEntry(path=r"c:\other\*")])]))
        found = differences(owner_reach, updates.entries(owner_reach, row.id))
        (one,) = impact(owner_reach, found)
        assert (one.organization, one.computers) == (able_moose, 1)
        assert [(p.id, names) for p, names in one.policies] == [(policy.id, ["Acme"])]
        updates.apply_update(owner_reach, row.id)
    assert changes.pending(SYSTEM).count() == before + 1


def test_a_new_description_touches_nobody(owner_reach: Reach, in_force: Application, finance: ComputerGroup) -> None:
    a_policy(SYSTEM, at_group(finance), in_force)
    with reaching(owner_reach):
        assert impact(owner_reach, differences(owner_reach, [entry(version=2, description="Other words.")])) == []


def test_only_who_may_act_globally_decides(technician: User, stranger: User, in_force: Application) -> None:
    with reaching(SYSTEM):
        row = updates.take_feed(SYSTEM, signed())
    for person, error in ((technician, (Forbidden, NotFound)), (stranger, NotFound)):
        reach = factories.reach(person)
        with reaching(reach):
            for attempt in (updates.apply_update, updates.discard_update):
                with pytest.raises(error):
                    attempt(reach, row.id)


def test_the_first_catalogue_is_in_force_at_once_and_later_ones_wait(
    world: None, northwind: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "read_catalogue", lambda: [entry()])
    assert isinstance(updates.take_shipped(SYSTEM), Loaded)
    assert updates.take_shipped(SYSTEM) is None
    monkeypatch.setattr(updates, "read_catalogue", lambda: [entry(version=2)])
    waiting = updates.take_shipped(SYSTEM)
    assert isinstance(waiting, CatalogueUpdate)
    assert updates.take_shipped(SYSTEM) == waiting
    updates.discard_update(SYSTEM, waiting.id)
    assert updates.take_shipped(SYSTEM) is None
    assert isinstance(updates.take_shipped(SYSTEM, at_once=True), Loaded)
    verbs = Entry.rows.filter(organization_id=northwind.id, verb__startswith="catalogue.")
    assert {"catalogue.loaded", "catalogue.staged", "catalogue.discarded"} <= set(verbs.values_list("verb", flat=True))


def test_the_command_signs_what_a_portal_takes_in(tmp_path: Any, in_force: Application, capsys: Any) -> None:
    from cryptography.hazmat.primitives import serialization as forms

    pem = KEY.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "acme.json").write_bytes(msgspec.json.encode(entry(version=3)))
    arguments = ["--key", str(tmp_path / "key.pem"), "--serial", "9", "--folder", str(tmp_path / "in")]
    call_command("sign_catalogue", str(tmp_path / "feed.json"), *arguments)
    assert PUBLIC in capsys.readouterr().out
    assert updates.take_feed(SYSTEM, (tmp_path / "feed.json").read_bytes()).serial == 9


def test_the_screen_shows_the_difference_and_applies(
    as_user: Any, owner: User, in_force: Application, finance: ComputerGroup
) -> None:
    a_policy(SYSTEM, at_group(finance), in_force)
    browser = as_user(owner)
    file = SimpleUploadedFile("feed.json", signed(entries=[entry(version=2, rules=[RuleEntry(path=r"c:\other\*")])]))
    answer = browser.post("/all/catalogue/feed/", {"feed": file})
    assert answer.status_code == 302
    page = browser.get(answer["Location"]).content.decode()
    assert r"c:\other\*" in page
    assert "1 computer" in page
    assert browser.get(answer["Location"] + "files/?key=acme").status_code == 200
    assert browser.post(answer["Location"] + "decide/", {"decision": "apply"}).status_code == 302
    assert "Applied" in browser.get("/all/catalogue/").content.decode()
    again = browser.post("/all/catalogue/feed/", {"feed": SimpleUploadedFile("feed.json", b"nothing")})
    assert again.status_code == 422
    assert "no signed feed" in again.content.decode()


def test_the_api_can_do_what_the_screen_can(owner: User, in_force: Application) -> None:
    caller = Caller(owner)
    text = signed(entries=[entry(version=2, rules=[RuleEntry(path=r"c:\other\*")])]).decode()
    assert caller.post("catalogue-updates/?dry_run=true", {"feed": text}).status_code in (200, 201)
    assert caller.get("catalogue-updates/").json()["results"] == []
    made = caller.post("catalogue-updates/", {"feed": text}).json()
    detail = caller.get(f"catalogue-updates/{made['id']}/").json()
    assert [(d["key"], d["kind"], d["added"][0]["path"]) for d in detail["differences"]] == [
        ("acme", "changed", r"c:\other\*")
    ]
    assert caller.post(f"catalogue-updates/{made['id']}/apply/", {}).json()["state"] == "applied"
    assert caller.post(f"catalogue-updates/{made['id']}/discard/", {}).status_code == 409
