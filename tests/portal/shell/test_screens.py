"""Dashboard, palette, switching, health: each shows what its reader reaches, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.common.registry import (
    CardValue,
    DashboardCard,
    NavigationEntry,
    OrganizationColumn,
    Registry,
    SearchHit,
    dashboard_cards,
    navigation,
    organization_columns,
    search_providers,
)
from portal.tenants import journal
from portal.tenants.models import Organization
from portal.tenants.reach import Reach
from tests import factories

SignIn = Callable[[User], Client]


@pytest.fixture
def only_own_entries() -> Iterator[None]:
    """The registries hold nothing but what a test puts in."""
    registries: list[Registry[object]] = [dashboard_cards, organization_columns, search_providers, navigation]  # type: ignore[list-item]
    kept = [dict(registry._entries) for registry in registries]
    for registry in registries:
        registry._entries.clear()
    yield
    for registry, entries in zip(registries, kept, strict=True):
        registry._entries.clear()
        registry._entries.update(entries)


def text(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_somebody_of_one_organization_starts_there(as_user: SignIn, customer_admin: User, owner: User) -> None:
    assert as_user(customer_admin).get("/").headers["Location"] == "/o/able-moose-accounting/"
    assert as_user(owner).get("/").headers["Location"] == "/all/"


def test_the_dashboard_lists_only_organizations_in_reach(
    as_user: SignIn, owner: User, stranger: User, able_moose: Organization
) -> None:
    assert "Able Moose Accounting" in text(as_user(owner), "/all/")
    assert "Able Moose Accounting" not in text(as_user(stranger), "/all/")
    assert as_user(stranger).get("/o/able-moose-accounting/").status_code == 404


@pytest.mark.usefixtures("only_own_entries")
def test_a_card_is_read_alone_and_only_with_its_capability(
    as_user: SignIn, owner: User, customer_admin: User, able_moose: Organization
) -> None:
    asked: list[Organization | None] = []

    def read(reach: Reach, organization: Organization | None) -> CardValue:
        asked.append(organization)
        return CardValue(1284, "2 over 15 min", "/all/approvals/", "deny")

    dashboard_cards.register("keys", DashboardCard("Expiring keys", "signing-key:write", read))
    page = text(as_user(owner), "/all/")
    assert 'hx-get="/all/card/expiring-keys/"' in page
    assert asked == []
    card = text(as_user(owner), "/all/card/expiring-keys/", **{"HX-Request": "true"})
    assert "<b>1,284</b>" in card
    assert "<html" not in card
    assert asked == [None]
    assert as_user(customer_admin).get("/o/able-moose-accounting/card/expiring-keys/").status_code == 404
    assert "Expiring keys" not in text(as_user(customer_admin), "/o/able-moose-accounting/")


@pytest.mark.usefixtures("only_own_entries")
def test_the_organization_that_needs_most_comes_first(
    as_user: SignIn, owner: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    def approvals(reach: Reach) -> dict[object, CardValue]:
        return {brisk_otter.id: CardValue(3, "Approval 22 min old", "/o/brisk-otter-dental/", "deny")}

    organization_columns.register("approvals", OrganizationColumn("Approvals", "request:read", approvals))
    page = text(as_user(owner), "/all/")
    assert page.index("Brisk Otter Dental") < page.index("Able Moose Accounting")
    assert "Approval 22 min old" in page


def test_the_journal_shows_what_was_done_where_it_may_be_read(
    as_user: SignIn, owner: User, reader: User, able_moose: Organization
) -> None:
    reach = factories.reach(owner)
    journal.record(reach, "organization.renamed", able_moose, organization_id=able_moose.id)
    assert "renamed organization" in text(as_user(owner), "/all/")
    assert "renamed organization" not in text(as_user(reader), "/o/able-moose-accounting/")


@pytest.mark.usefixtures("only_own_entries")
def test_the_palette_finds_places_organizations_and_what_the_apps_know(
    as_user: SignIn, owner: User, able_moose: Organization
) -> None:
    hostile = "<b>x\u202e</b>"
    search_providers.register("x", lambda reach, organization, words: [SearchHit(hostile, "computer", "/o/x/")])
    found = text(as_user(owner), "/palette/?q=moose")
    assert "/o/able-moose-accounting/" in found
    assert "&lt;b&gt;x" in found
    assert hostile not in found
    assert "\u202e" not in found


def test_the_palette_knows_the_places_of_the_rail(as_user: SignIn, owner: User) -> None:
    fragment = {"HX-Request": "true", "HX-Target": "palette-hits"}
    assert "Dashboard" in text(as_user(owner), "/palette/?q=dash", **fragment)
    assert "Dashboard" not in text(as_user(owner), "/palette/?q=zzz", **fragment)


def test_the_palette_and_the_switcher_stay_within_reach(
    as_user: SignIn, stranger: User, able_moose: Organization
) -> None:
    client = as_user(stranger)
    for path in ("/palette/?q=moose", "/switcher/?from=/all/", "/all/"):
        assert "Able Moose" not in text(client, path), path
    assert client.get("/palette/?q=x&organization=able-moose-accounting").status_code == 404


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("/o/able-moose-accounting/card/approvals/?q=1&after=abc", "/o/brisk-otter-dental/card/approvals/?q=1"),
        ("/o/able-moose-accounting/", "/o/brisk-otter-dental/"),
        ("/o/able-moose-accounting/0193a4b0-0000-7000-8000-000000000000/?tab=x", "/o/brisk-otter-dental/"),
        ("/nowhere/", "/o/brisk-otter-dental/"),
        ("https://evil.example/o/x/", "/o/brisk-otter-dental/"),
        ("//evil.example/", "/o/brisk-otter-dental/"),
        ('/all/"><script>', "/o/brisk-otter-dental/"),
    ],
)
def test_switching_keeps_the_screen_and_its_filter_but_no_foreign_id(
    as_user: SignIn, owner: User, able_moose: Organization, brisk_otter: Organization, at: str, expected: str
) -> None:
    page = as_user(owner).get("/switcher/", {"from": at}).content.decode()
    assert f'href="{expected.replace("&", "&amp;")}"' in page
    assert 'href="https://evil' not in page
    assert 'href="//evil' not in page
    assert "<script>" not in page


def test_health_says_it_in_words(as_user: SignIn, owner: User) -> None:
    assert "Database" in text(as_user(owner), "/health/")
    dot = text(as_user(owner), "/health/", **{"HX-Request": "true", "HX-Target": "health-dot"})
    assert 'id="health-dot"' in dot
    assert "<html" not in dot


def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(
    as_user: SignIn, owner: User, client: Client
) -> None:
    answer = as_user(owner).get("/nowhere/")
    assert answer.status_code == 404
    assert "Nothing here." in answer.content.decode()
    machine = client.get("/agent/v1/nowhere")
    assert machine.status_code == 404
    assert machine.headers["Content-Type"] == "application/problem+json"


def test_a_missing_capability_is_named(as_user: SignIn, northwind: Organization) -> None:
    nobody = User.objects.create_user("nobody@northwind.example", factories.PASSWORD, name="No Body")
    answer = as_user(nobody).get("/all/")
    assert answer.status_code == 403
    assert "organization:read" in answer.content.decode()


@pytest.mark.urls("tests.portal.shell.refusing_urls")
def test_a_refusal_names_who_can_grant_it(as_user: SignIn, customer_admin: User, owner: User) -> None:
    answer = as_user(customer_admin).get("/o/able-moose-accounting/refused/")
    assert answer.status_code == 403
    assert "Olive Owner can grant" in answer.content.decode()
    assert "signing-key:write" in answer.content.decode()


def test_a_form_without_its_token_says_what_to_do(owner: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    answer = strict.post("/palette/", {"q": "x"})
    assert answer.status_code == 403
    assert "Load it again" in answer.content.decode()
    assert strict.post("/palette/", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_nobody_is_signed_in(client: Client, world: None) -> None:
    for path in ("/", "/all/", "/palette/", "/switcher/", "/health/", "/help/"):
        assert client.get(path).status_code == 302, path
    answer = client.get("/health/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/sign-in/")


@pytest.mark.usefixtures("only_own_entries")
def test_the_rail_shows_only_what_may_be_opened(as_user: SignIn, reader: User, owner: User) -> None:
    navigation.register("keys", NavigationEntry("Keys", "key", "shell:dashboard", "signing-key:write"))
    navigation.register("home", NavigationEntry("Home", "home", "shell:dashboard", "organization:read"))
    navigation.register("lost", NavigationEntry("Lost", "key", "shell:no-such-screen", "organization:read"))

    def rail(person: User) -> str:
        return text(as_user(person), "/o/able-moose-accounting/").split('id="rail"')[1].split("</nav>")[0]

    assert "Home" in rail(reader)
    assert "Keys" not in rail(reader)
    assert "Keys" in rail(owner)
    assert "Lost" not in rail(owner)
