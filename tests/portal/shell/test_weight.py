"""What a browser loads for the heaviest screen stays small: measured as it is sent, compressed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from portal.accounts.models import User

STATIC = settings.BASE_DIR / "static"
ELSEWHERE = {"passkeys.js"}  # loaded where people sign in, never on the heaviest screen, the list of policies
OURS = [STATIC / "css/portcullis.css", *(p for p in sorted((STATIC / "js").glob("*.js")) if p.name not in ELSEWHERE)]


def weight(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


def test_our_style_and_scripts_weigh_at_most_27_kb() -> None:
    assert sum(weight(path) for path in OURS) <= 27_000


def test_everything_together_weighs_at_most_150_kb() -> None:
    htmx = finders.find("django_htmx/htmx-2.min.js")
    assert htmx
    everything = [*OURS, STATIC / "icons.svg", Path(htmx)]
    assert sum(weight(path) for path in everything) <= 150_000


def test_scripts_weigh_at_most_60_kb() -> None:
    htmx = finders.find("django_htmx/htmx-2.min.js")
    assert htmx
    assert sum(weight(path) for path in [*(STATIC / "js").glob("*.js"), Path(htmx)]) <= 60_000


@pytest.mark.parametrize("path", ["/all/", "/help/", "/palette/"])
def test_a_page_of_the_frame_is_small(as_user: Callable[[User], Client], owner: User, path: str) -> None:
    assert len(as_user(owner).get(path).content) < 40_000


def test_no_file_names_another_host() -> None:
    for path in [*OURS, STATIC / "icons.svg", STATIC / "icon.svg"]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert "@import" not in text, path
        assert "sourceMappingURL" not in text, path
