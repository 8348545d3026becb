"""Every component renders, with every state once (`templates/gallery.html`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.template import engines
from django.test import RequestFactory

from portal.accounts.models import User
from portal.common.templatetags import meanings
from portal.common.templatetags import portcullis as library
from portal.tenants.reach import NOTHING
from tests.portal.shell import gallery

HERE = Path(__file__).parent
SPRITE = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (settings.BASE_DIR / "static/icons.svg").read_text()))
CSS = (settings.BASE_DIR / "static/css/portcullis.css").read_text()


@pytest.fixture
def request_of_tom() -> HttpRequest:
    request = RequestFactory().get("/all/", {"q": "x"})
    request.user = User(name="Tom Berg", email="tom@northwind.example", time_zone="Europe/Berlin")
    request.reach = NOTHING  # type: ignore[attr-defined]
    request.organization = None  # type: ignore[attr-defined]
    return request


@pytest.fixture
def page(request_of_tom: HttpRequest) -> str:
    source = (HERE / "templates/gallery.html").read_text()
    template = engines["django"].from_string(source)
    return template.render({**gallery.context(), "drawer": True}, request_of_tom)


def test_the_gallery_shows_every_component() -> None:
    source = (HERE / "templates/gallery.html").read_text()
    shown = set(re.findall(r'"components/([a-z_]+)\.html"', source))
    made = {path.stem for path in (settings.BASE_DIR / "templates/components").glob("*.html")}
    assert made == shown


def test_a_hostile_name_is_drawn_everywhere_with_its_hidden_character(page: str) -> None:
    assert "\u202e" not in page
    assert '<span class="hidden-char">⟨U+202E⟩</span>' in page
    assert "hidden characters" in page


def test_the_gallery_keeps_the_content_security_policy(page: str) -> None:
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)


def test_ids_are_unique(page: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert sorted(i for i in set(ids) if ids.count(i) > 1) == []


def test_an_error_is_tied_to_its_field(page: str) -> None:
    assert 'aria-invalid="true"' in page
    described = set(re.findall(r'aria-describedby="([^"]+)"', page))
    for wanted in {one for several in described for one in several.split()}:
        assert f'id="{wanted}"' in page, wanted


@pytest.mark.parametrize("table", [meanings.DECISIONS, meanings.DELIVERIES, meanings.MODES, meanings.SCOPES])
def test_every_meaning_has_its_icon_its_word_and_its_colour(table: dict[str, meanings.Meaning]) -> None:
    for meaning in table.values():
        assert meaning.icon in SPRITE
        assert meaning.word
        assert meaning.tone == "plain" or f".is-{meaning.tone}" in CSS


def test_a_deny_is_told_apart_from_what_only_would_be_denied() -> None:
    assert "Deny, may ask" in library.decision("deny", may_ask=True)
    assert "is-would" in library.decision("denied", simulated=True)
    assert "is-deny" in library.decision("deny")


def test_live_says_its_version_and_time() -> None:
    assert "Live v812 · 14:02:07" in library.delivery("live", "v812 · 14:02:07")
