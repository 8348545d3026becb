"""The policy form, page by page: every field there and back, nothing lost on an error, buttons without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from policies.models import Application, Policy
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group

SYSTEM = factories.SYSTEM
MOOSE = "/o/able-moose-accounting"
NEW = f"{MOOSE}/policies/new/"


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    return an_application(SYSTEM, able_moose, "Acme Tools")


def deny(finance: ComputerGroup, tools: Application, **fields: Any) -> dict[str, Any]:
    return {
        "scope": f"group:{finance.id}", "applications": [str(tools.id)], "action": "deny", "enabled": "on",
        "allow_request": "on", "log": "on", "ends": "never", **fields,
    }  # fmt: skip


WEEK = {
    "schedule-0-day": ["0", "1"], "schedule-0-from": "08:00", "schedule-0-to": "18:00",
    "schedule-4-day": ["5"], "schedule-4-from": "22:00", "schedule-4-to": "00:00",
}  # fmt: skip
STORED = [
    {"day": 0, "start": "08:00", "end": "18:00"},
    {"day": 1, "start": "08:00", "end": "18:00"},
    {"day": 5, "start": "22:00", "end": "24:00"},
]


def made() -> Policy:
    return Policy.objects.within(SYSTEM).get(is_default=False)


def inputs(html: str) -> dict[str, Any]:
    """What a browser would send of the page's policy form: everything that is filled in, ticked or chosen."""
    form = html[html.index("data-guard") : html.rindex("</form>")]
    sent: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        at = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        ticked = at.get("type") not in ("checkbox", "radio") or re.search(r"\schecked", tag)
        if "name" in at and ticked and at["name"] != "csrfmiddlewaretoken":
            sent.setdefault(at["name"], []).append(at.get("value", "on" if at.get("type") == "checkbox" else ""))
    for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>\n?(.*?)</textarea>', form, re.S):
        sent[name] = [unescape(text)]
    for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        sent[name] = [unescape(value) for value in re.findall(r'<option value="([^"]*)"\s+selected', options)]
    return {name: values if len(values) > 1 else values[0] for name, values in sent.items() if values}


def test_every_field_of_a_deny_is_kept(
    tom: Client, technician: User, finance: ComputerGroup, tools: Application
) -> None:
    body = deny(
        finance, tools, kill_running="on", notify=[technician.email], users="ABLE\\ada\nABLE\\bo", owner="Ana",
        reason="miners", ticket="T-1", description="No miners here.", name="grp-finance-miners-deny",
        starts_at="2026-12-01T08:00", ends="until", expires_at="2027-03-01T18:00", **WEEK,
    )  # fmt: skip
    answer = tom.post(NEW, body)
    assert answer.status_code == 302, answer.context["form"].errors
    policy = made()
    assert (policy.status, policy.kill_running, policy.allow_request) == ("secured", True, True)
    assert (policy.notify, policy.users) == ([technician.email], ["ABLE\\ada", "ABLE\\bo"])
    assert policy.schedule == STORED
    assert policy.expires_at == datetime.fromisoformat("2027-03-01T18:00").replace(tzinfo=policy.expires_at.tzinfo)
    assert (policy.owner, policy.reason, policy.ticket) == ("Ana", "miners", "T-1")


def test_saving_a_form_as_it_is_shown_changes_nothing(
    tom: Client, technician: User, able_moose: Organization, finance: ComputerGroup, tools: Application
) -> None:
    """Also where the screen cannot say everything: seconds, the second 01:30 of the day when clocks go back."""
    able_moose.time_zone = "Europe/London"
    able_moose.save()
    fields: dict[str, Any] = {
        "action": "deny", "status": "secured", "kill_running": True, "notify": (technician.email,),
        "schedule": tuple(STORED), "users": ("ABLE\\ada",),
        "expires_at": datetime.fromisoformat("2027-10-31T01:30:25Z"),
    }  # fmt: skip
    policy = a_policy(SYSTEM, at_group(finance), tools, **fields)
    Application.rows.filter(id=tools.id).update(hidden=True)
    page = tom.get(f"{MOOSE}/policies/{policy.id}/edit/").content.decode()
    before = Policy.rows.filter(id=policy.id).values().get()
    answer = tom.post(f"{MOOSE}/policies/{policy.id}/edit/", inputs(page))
    assert answer.status_code == 302, answer.context["form"].errors
    assert Policy.rows.filter(id=policy.id).values().get() == before


def test_an_error_loses_nothing_that_was_typed(
    tom: Client, technician: User, finance: ComputerGroup, tools: Application
) -> None:
    body = deny(
        finance, tools, notify=[technician.email], users="ABLE\\ada", reason="miners", name="grp-x",
        ends="until", expires_at="2020-01-01T08:00", kill_running="on", fence_files_entries="c:\\secret\\*", **WEEK,
    )  # fmt: skip
    body["schedule-7-from"] = "9:61"
    answer = tom.post(NEW, body)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "Row 3: choose at least one day." in html
    kept = inputs(html)
    for name in ("scope", "action", "name", "reason", "users", "expires_at", "ends", "kill_running", "notify"):
        assert kept[name] == (body[name][0] if isinstance(body[name], list) else body[name]), name
    assert kept["fence_files_entries"] == "c:\\secret\\*"
    assert kept["schedule-0-day"] == ["0", "1"]
    assert (kept["schedule-1-from"], kept["schedule-1-to"], kept["schedule-2-from"]) == ("22:00", "00:00", "9:61")
    assert not Policy.objects.within(SYSTEM).filter(is_default=False).exists()
    del body["schedule-7-from"]
    past = tom.post(NEW, body)
    assert "This is past. To stop a policy now, disable it." in past.content.decode()


@pytest.mark.parametrize(("choice", "ahead"), [("1h", 1), ("1d", 24), ("1w", 168)])
def test_an_end_can_be_chosen_without_a_calendar(
    tom: Client, finance: ComputerGroup, tools: Application, choice: str, ahead: int
) -> None:
    before = clock.now().replace(second=0, microsecond=0)
    tom.post(NEW, deny(finance, tools, ends=choice, expires_at="2020-01-01T08:00"))
    assert timedelta(0) <= made().expires_at - before - timedelta(hours=ahead) <= timedelta(minutes=1)


def test_never_means_never_and_until_needs_a_moment(tom: Client, finance: ComputerGroup, tools: Application) -> None:
    answer = tom.post(NEW, deny(finance, tools, ends="until"))
    assert "Say until when, or choose never." in answer.content.decode()
    tom.post(NEW, deny(finance, tools, ends="never", expires_at="2030-01-01T08:00"))
    assert made().expires_at is None


@pytest.mark.parametrize(
    ("button", "rows"),
    [("add", ["08:00", "22:00", ""]), ("remove:0", ["22:00"]), ("preset:nights", ["08:00", "22:00", "20:00"])],
)
def test_the_buttons_of_the_week_work_without_scripts_and_save_nothing(
    tom: Client, finance: ComputerGroup, tools: Application, button: str, rows: list[str]
) -> None:
    answer = tom.post(NEW, {**deny(finance, tools, reason="kept", name=""), **WEEK, "schedule-do": button})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert re.findall(r'name="schedule-\d-from" value="([^"]*)"', html) == rows
    assert inputs(html)["reason"] == "kept"
    assert "field-error" not in html, "nothing is wrong before it is saved"
    assert not Policy.objects.within(SYSTEM).filter(is_default=False).exists()


def test_the_editor_answers_with_what_its_rows_mean(tom: Client, able_moose: Organization) -> None:
    able_moose.time_zone = "Europe/London"
    able_moose.save()
    words = {"HX-Request": "true", "HX-Target": "week-words"}
    html = tom.get(f"{MOOSE}/policies/schedule/", WEEK, headers=words).content.decode()
    assert "<fieldset" not in html
    assert re.search(r"(Opens next on|Open now, until) .*\(Europe/London\)", html)
    assert len(re.findall(r"On Sunday \d+ (March|October) \d{4} clocks go (forward|back)", html)) == 2


def test_a_name_that_contradicts_the_scope_is_warned_about_and_saved_all_the_same(
    tom: Client, finance: ComputerGroup, tools: Application
) -> None:
    query = {"scope": f"group:{finance.id}", "applications": str(tools.id), "action": "deny", "name": "org-acme-deny"}
    assert "its name should begin with grp-" in tom.get(f"{MOOSE}/policies/name/", query).content.decode()
    assert tom.post(NEW, deny(finance, tools, name="org-acme-deny")).status_code == 302
    assert made().name == "org-acme-deny"


def test_what_belongs_to_a_deny_is_dropped_with_it(
    tom: Client, technician: User, finance: ComputerGroup, tools: Application
) -> None:
    body = deny(finance, tools, action="permit", kill_running="on", notify=[technician.email])
    assert tom.post(NEW, body).status_code == 302
    assert (made().kill_running, made().notify, made().status) == (False, [], "inherit")


def test_only_people_of_the_organization_can_be_told(
    tom: Client, stranger: User, finance: ComputerGroup, tools: Application
) -> None:
    answer = tom.post(NEW, deny(finance, tools, notify=[stranger.email]))
    assert answer.status_code == 422
    assert stranger.email not in tom.get(NEW).content.decode()
