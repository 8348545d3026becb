"""Where the portal answers, and plain words when it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from portal.supervisor.announcement import announcement
from portal.supervisor.demo_file import Person
from portal.supervisor.errors import StartRefused
from portal.supervisor.run_settings import RunSettings


@pytest.mark.parametrize("text", ["eighty", "0", "-1", "65535", "80 80"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(StartRefused, match="PORT is"):
        RunSettings.from_environment({"PORT": text})


@pytest.mark.parametrize("offset", [0, 1])
def test_a_port_in_use_is_told_plainly_for_the_portal_and_for_its_gateway(offset: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        settings = RunSettings.from_environment({"PORT": str(taken - offset)})
        with pytest.raises(StartRefused, match=f"Port {taken} on 127.0.0.1 is in use"):
            settings.check_ports()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StartRefused, match="HOST must be an address of this machine"):
        RunSettings.from_environment({"HOST": "192.0.2.1", "PORT": "18000"}).check_ports()


def test_by_default_it_answers_this_machine_only_under_the_name_that_passkeys_need() -> None:
    settings = RunSettings.from_environment({})
    assert (settings.host, settings.port, settings.gateway_port) == ("127.0.0.1", 8000, 8001)
    assert settings.variables({})["PORTAL_URL"] == "http://localhost:8000"
    assert settings.variables({})["STREAM_URL"] == "http://localhost:8001"
    assert settings.variables({})["DEMO"] == "true"


def test_what_the_person_has_set_wins() -> None:
    environment = {"PORTAL_URL": "https://portal.example", "ALLOWED_HOSTS": "portal.example", "DEMO": "0"}
    variables = RunSettings.from_environment(environment).variables(environment)
    assert variables["PORTAL_URL"] == "https://portal.example"
    assert variables["ALLOWED_HOSTS"] == "portal.example"
    assert variables["DEMO"] == "false"


def test_listening_everywhere_is_asked_by_loopback() -> None:
    settings = RunSettings.from_environment({"HOST": "::", "PORT": "8080"})
    assert settings.probe_host == "127.0.0.1"
    assert settings.url == "http://localhost:8080"


def test_the_announcement_names_the_address_and_who_can_sign_in() -> None:
    owner = Person("Ann", "ann@northwind.example", "secret words", "owner", "Northwind IT")
    text = announcement("http://localhost:8000", [owner], "", [Path.cwd() / "x/hello.sh"], 1.25)
    assert "    x/hello.sh\n" in text
    assert "http://localhost:8000/" in text
    assert "ann@northwind.example  secret words  owner, Northwind IT" in text


def test_the_announcement_of_an_empty_portal_tells_how_it_is_set_up() -> None:
    text = announcement("http://localhost:8000", [], "Open   http://localhost:8000/set-up/\nToken  abcd\n", [], 1.0)
    assert "    Token  abcd\n" in text
