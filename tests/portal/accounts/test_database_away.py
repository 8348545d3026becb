"""Without its database the portal says so and when to come back: never a fault, never a trace of its inside."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client


def test_pages_and_the_api_answer_503_and_say_when_to_come_back(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(raise_request_exception=False, headers={"Authorization": "Bearer pc_abcdefghijkl_" + "x" * 43})
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "HOST", "/nonexistent")
        page, answer = client.get("/sign-in/"), client.get("/api/v1/organizations/")
    for each in (page, answer):
        assert (each.status_code, each["Retry-After"]) == (503, "5")
        assert b"nonexistent" not in each.content and b"Traceback" not in each.content
    assert b"The database does not answer" in page.content
    assert answer.json()["title"] == "Busy"
    assert client.get("/sign-in/").status_code == 302
