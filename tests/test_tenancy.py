"""Every address × a stranger: what another customer's people get is "there is no such thing", everywhere.

The addresses are walked from the URLconf, so a new one is asked by itself; a parameter it brings is named in
`tests/tenancy_cast.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from portal.accounts.models import Role, User
from portal.tenants.models import Organization
from tests import factories
from tests.agents.conftest import signing_keys  # noqa: F401 (a fixture)
from tests.audit.sending import event
from tests.audit.sending import send as send_event
from tests.portal.api.caller import Caller
from tests.tenancy_cast import ELSEWHERE, MARKER, Cast, Route, gather, routes, under

pytestmark = pytest.mark.usefixtures("signing_keys", "unhurried")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Writes that a customer's reader may do: tokens with no more than they have, previews that keep nothing.
READERS_WRITES = {
    "accounts:token-create", "accounts:token-revoke", "accounts-all:token-create", "accounts-all:token-revoke",
    "api:token-list", "api:token-detail", "api:evaluate",
    "api:rules-preview",
}  # fmt: skip
# Addresses that read the body before they look for the object: what to send, so that they get that far.
_PERMIT = {
    "application": {"create": {"name": "Taken"}},
    "scope": {"level": "organization", "target": "brisk-otter-dental"},
}
_MODE = {"mode": "monitor_only"}
BODIES: dict[str, Any] = {
    "api:person-roles": {"organization": "brisk-otter-dental", "role": "owner"},
    "api:computer-mode": _MODE, "api:group-mode": _MODE,
    "api:request-approve": _PERMIT, "api:event-permit": _PERMIT,
}  # fmt: skip
# A plain GET without a question is refused: these ask for a path or a hash.
ASKED_FOR_MORE = {
    "api:setting-effective", "policies-all:catalogue-files",
    "audit:file-history", "audit-all:file-history", "api:file-history", "agents:lockouts", "agents-all:lockouts"
}  # fmt: skip
PUBLIC = {"api:schema", "api:docs"}  # tell what the source tells; their examples name an Able Moose of their own
# Tables that note who looked, and nothing of any tenant's state.
WITNESSES = {"django_session", "usersessions_usersession", "accounts_apitoken", "accounts_user"}
EXPORTS = {
    "tenants:entry-export", "audit:event-export", "tenants-all:entry-export", "audit-all:event-export",
    "policies:application-export", "policies-all:application-export", "api:application-export",
    "policies:policy-export", "policies-all:policy-export", "policies:lint-export", "policies-all:lint-export",
    "policies:baseline-export",
}  # fmt: skip

AsUser = Callable[[User], Client]


@pytest.fixture
def unhurried(settings: Any) -> None:
    """The walk asks more in a minute than any script may."""
    settings.API_RATE_PER_MINUTE = settings.API_BURST = 100_000


@pytest.fixture
def cast(able_moose: Organization, northwind: Organization) -> Cast:
    return gather(able_moose, northwind)


@pytest.fixture
def rival(brisk_otter: Organization) -> User:
    """Everything may be done by this person, at Brisk Otter."""
    return factories.person("Oscar Otter", Role.OWNER, brisk_otter)


def ask(client: Client, method: str, path: str) -> HttpResponse:
    return client.generic(method, path, "", content_type="application/x-www-form-urlencoded")  # type: ignore[return-value]


def answers(send: Callable[[str, str], Any], path: str) -> dict[str, int]:
    return {method: send(method, path).status_code for method in METHODS}


def through_api(caller: Caller, route: Route) -> Callable[[str, str], Any]:
    body = BODIES.get(route.name, {})
    return lambda method, path: caller.call(method, path, None if method == "GET" else body)


def faults_of_walk(asked: Iterable[tuple[Callable[[str, str], Any], str]]) -> list[str]:
    """Paths that do not answer 404 to every method they allow, or allow none."""
    found = []
    for send, path in asked:
        got = answers(send, path)
        if not set(got.values()) <= {404, 405} or 404 not in got.values():
            found.append(f"{path} {got}")
    return found


def state_of_everything() -> dict[str, Any]:
    """A fingerprint of each table, as the system sees it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1"
        )
        tables = [name for (name,) in cursor.fetchall() if name not in WITNESSES]
        found = {}
        for table in tables:
            cursor.execute(f'SELECT count(*), sum(hashtextextended(t::text, 0)) FROM "{table}" t')  # noqa: S608
            found[table] = cursor.fetchone()
    return found


def changed(before: dict[str, Any]) -> list[str]:
    after = state_of_everything()
    return [table for table in after if after[table] != before[table]]


def test_every_address_is_known_to_this_table() -> None:
    unknown = [r for r in routes() if not r.pattern.startswith(("o/", "all/", "api/v1/"))]
    stray = [
        r.pattern for r in unknown if not any(r.pattern == p or (p and r.pattern.startswith(p)) for p in ELSEWHERE)
    ]
    assert stray == [], "Say in ELSEWHERE of tests/tenancy_cast.py why a stranger may ask these, or move them under /o/"
    missing = {f"{r.name}: {p}" for r in under("o/", "all/", "api/v1/") for p in r.missing_parameters()}
    assert missing == set(), "Add to PARAMETERS of tests/tenancy_cast.py which of Able Moose's objects fills these"
    assert len(under("o/")) > 50
    assert len(under("api/v1/")) > 40


@pytest.mark.parametrize("who", ["stranger", "rival"])
def test_a_stranger_finds_nothing_under_another_customers_address(
    request: pytest.FixtureRequest, who: str, as_user: AsUser, cast: Cast
) -> None:
    client = as_user(request.getfixturevalue(who))
    before = state_of_everything()
    found = faults_of_walk((lambda m, p: ask(client, m, p), route.path(cast)) for route in under("o/"))
    assert not found, "\n".join(found)
    assert changed(before) == []


@pytest.mark.parametrize("who", ["stranger", "rival"])
def test_a_strangers_own_address_does_not_lead_to_another_customers_objects(
    request: pytest.FixtureRequest, who: str, as_user: AsUser, cast: Cast, brisk_otter: Organization
) -> None:
    """As if there were no such object: the answer is that of an id nobody has."""
    client = as_user(request.getfixturevalue(who))
    before = state_of_everything()
    found = []
    for route in under("o/", "all/"):
        if not route.objects:
            continue
        own = {"organization": brisk_otter.slug} if "organization" in route.parameters else {}
        foreign = answers(lambda m, p: ask(client, m, p), route.path(cast, **own))
        nobody = answers(lambda m, p: ask(client, m, p), route.nowhere(cast, **own))
        if foreign != nobody or any(status < 300 for status in foreign.values()):
            found.append(f"{route.path(cast, **own)} {foreign}, but an unknown one {nobody}")
    assert not found, "\n".join(found)
    assert changed(before) == []


def test_a_strangers_token_finds_no_object_of_another_customer(rival: User, cast: Cast) -> None:
    caller = Caller(rival)
    before = state_of_everything()
    objects = [route for route in under("api/v1/") if route.parameters]
    assert len(objects) > 25
    found = faults_of_walk((through_api(caller, route), route.path(cast)) for route in objects)
    assert not found, "\n".join(found)
    assert changed(before) == ["api_keptanswer"] or changed(before) == []


def test_a_technicians_token_cannot_tell_a_foreign_object_from_a_missing_one(stranger: User, cast: Cast) -> None:
    caller = Caller(stranger)
    found = []
    for route in under("api/v1/"):
        if route.parameters:
            send = through_api(caller, route)
            foreign, nobody = answers(send, route.path(cast)), answers(send, route.nowhere(cast))
            if foreign != nobody or any(status < 300 for status in foreign.values()):
                found.append(f"{route.path(cast)} {foreign}, but an unknown one {nobody}")
    assert not found, "\n".join(found)


def test_nothing_that_a_stranger_can_list_search_or_export_names_another_customer(
    as_user: AsUser, rival: User, cast: Cast, brisk_otter: Organization
) -> None:
    client, caller = as_user(rival), Caller(rival)
    paths = [r.path(cast) for r in under("all/") if not r.objects]
    paths += [r.path(cast, organization=brisk_otter.slug) for r in under("o/") if not r.objects]
    paths += [f"/palette/?q={MARKER[:5]}", f"/switcher/?q={MARKER[:5]}", "/palette/", "/switcher/"]
    paths += [f"{p}?q={MARKER[:5]}&since=30d&search={MARKER[:5]}" for p in paths if "?" not in p]
    paths += _shared_pages(cast, brisk_otter)
    leaks = {path for path in paths if _names_able_moose(ask(client, "GET", path), cast)}
    lists = [r.path(cast) for r in under("api/v1/") if not r.parameters and r.name not in PUBLIC]
    lists += [f"{path}?page_size=500" for path in lists]
    leaks |= {path for path in lists if _names_able_moose(caller.call("GET", path), cast)}
    assert leaks == set()
    csv = caller.get("events/?from=30d", Accept="text/csv")
    assert csv.status_code == 200
    assert not _names_able_moose(csv, cast)


def _shared_pages(cast: Cast, brisk_otter: Organization) -> list[str]:
    """What the MSP shares with both customers, seen from Brisk Otter."""
    shared = {"application": str(cast.shared_application.id), "group": cast.shared_group.slug}
    o = f"/o/{brisk_otter.slug}"
    return [
        f"{o}/applications/{shared['application']}/", f"/all/applications/{shared['application']}/",
        f"{o}/groups/{shared['group']}/", f"{o}/policies/{cast.shared_policy.id}/edit/",
        f"{o}/policies/?effective=1", f"{o}/computers/?group={shared['group']}",
    ]  # fmt: skip


def _names_able_moose(response: Any, cast: Cast) -> list[str]:
    """What of Able Moose stands in an answer. The marker's first letters were asked for: its end is looked for."""
    raw = b"".join(response.streaming_content) if response.streaming else response.content
    text = raw.decode() + json.dumps(dict(response.items()))
    asked = str(response.request.get("PATH_INFO", "")) if hasattr(response, "request") else ""
    words = {MARKER[5:], cast.organization.slug, *cast.ids()}
    return [word for word in words if word in text and word not in asked]


def test_a_permit_for_everybody_does_not_tell_whose_event_it_came_from(
    as_user: AsUser, owner: User, rival: User, cast: Cast, northwind: Organization, brisk_otter: Organization
) -> None:
    send_event(cast.computer, event(2, path=r"C:\tools\b.ps1", user=MARKER, command_line=MARKER), batch=2)
    found = Caller(owner).get(r"events/?path=C:\tools\b.ps1").json()["results"][0]
    body = {"application": {"create": {"name": "B Tool"}}, "scope": {"level": "global", "target": str(northwind.id)}}
    made = Caller(owner).post(f"events/{found['id']}/permit/", {**body, "rule": {"path": True}})
    assert made.status_code == 201, made.json()
    client, caller = as_user(rival), Caller(rival)
    o, application = f"/o/{brisk_otter.slug}", made.json()["application"]
    screens = [f"{o}/policies/", f"{o}/applications/", f"{o}/applications/{application}/", "/all/policies/"]
    assert b"B Tool" in client.get(screens[2]).content
    assert [path for path in screens if _names_able_moose(client.get(path), cast)] == []
    objects = [f"applications/{application}/", f"applications/{application}/rules/", "policies/", "pending-changes/"]
    objects.append(f"policies/{made.json()['policy']}/")
    assert [path for path in objects if _names_able_moose(caller.get(path), cast)] == []


def test_the_walk_would_see_the_marker(as_user: AsUser, owner: User, cast: Cast) -> None:
    """The owner of the MSP, asking the same lists, is shown it."""
    client = as_user(owner)
    for path in ("/all/policies/", "/all/computers/", "/all/audit/", "/all/deployments/", f"/palette/?q={MARKER[:5]}"):
        assert _names_able_moose(ask(client, "GET", path), cast), path


def test_nobody_gets_in_without_signing_in(client: Client, cast: Cast) -> None:
    found = []
    for route in under("o/", "all/"):
        for method in METHODS:
            answer = ask(client, method, route.path(cast))
            sent_away = answer.status_code == 302 and answer["Location"].startswith("/sign-in/")
            if not sent_away and answer.status_code not in (401, 405):
                found.append(f"{method} {route.path(cast)} {answer.status_code}")
    for route in under("api/v1/"):
        if route.name not in PUBLIC:
            statuses = {m: client.generic(m, route.path(cast)).status_code for m in METHODS}
            if not set(statuses.values()) <= {401, 405} or 401 not in statuses.values():
                found.append(f"{route.path(cast)} {statuses}")
    assert not found, "\n".join(found)


def test_a_reader_is_refused_every_write_and_told_so(as_user: AsUser, reader: User, cast: Cast) -> None:
    client, caller = as_user(reader), Caller(reader)
    before = state_of_everything()
    found = []
    for route in under("o/", "all/"):
        statuses = answers(lambda m, p: ask(client, m, p), route.path(cast))
        found += _readers_faults(route, cast, statuses)
    for route in under("api/v1/"):
        statuses = answers(through_api(caller, route), route.path(cast))
        found += _readers_faults(route, cast, statuses)
    assert not found, "\n".join(found)
    assert set(changed(before)) <= {"api_keptanswer", "tenants_entry", "tenants_head"}


def _readers_faults(route: Route, cast: Cast, statuses: dict[str, int]) -> list[str]:
    faults = [f"{method} {route.path(cast)} {s}" for method, s in statuses.items() if s >= 500]
    if statuses["GET"] not in (200, 302, 403, 405) and route.name not in ASKED_FOR_MORE:
        faults.append(f"GET {route.path(cast)} {statuses['GET']}")
    if route.name not in READERS_WRITES:
        writes = {m: s for m, s in statuses.items() if m != "GET"}
        faults += [f"{m} {route.path(cast)} {s}" for m, s in writes.items() if s not in (403, 405)]
    return faults


def test_a_post_without_the_token_of_the_page_is_refused(technician: User, cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(technician)
    before = state_of_everything()
    paths = [route.path(cast) for route in under("o/", "all/", "api/v1/") if route.name not in PUBLIC]
    statuses = {path: ask(client, "POST", path).status_code for path in paths}
    assert {path: status for path, status in statuses.items() if status not in (403, 405)} == {}
    screens = {path: status for path, status in statuses.items() if not path.startswith("/api/")}
    assert set(screens.values()) == {403}
    assert list(statuses.values()).count(403) > len(screens) + 15, "a session calls the API under the same rule"
    assert changed(before) == []


def test_looking_changes_nothing(as_user: AsUser, owner: User, cast: Cast) -> None:
    client, caller = as_user(owner), Caller(owner)
    before = state_of_everything()
    found = []
    for route in under("o/", "all/", "api/v1/"):
        if route.name in EXPORTS:
            continue  # who took what out is told in the journal
        send = caller.get if route.pattern.startswith("api/") else client.get
        answer = send(route.path(cast))
        if answer.status_code >= 500:
            found.append(f"{route.path(cast)} {answer.status_code}")
        if tables := changed(before):
            found.append(f"{route.path(cast)} changed {tables}")
            before = state_of_everything()
    assert not found, "\n".join(found)
