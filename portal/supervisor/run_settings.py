"""What the environment says about one run: where the portal answers, and whether it is the demo."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from portal.supervisor.errors import StartRefused

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognized, never chosen
HIGHEST_PORT = 65534  # the gateway takes the next one
NO = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class RunSettings:
    host: str
    port: int
    demo: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> RunSettings:
        """Raises StartRefused when PORT is no port."""
        text = environment.get("PORT") or "8000"
        if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
            raise StartRefused(f"PORT is {text!r}; a number from 1 to {HIGHEST_PORT} is needed.")
        demo = environment.get("DEMO", "1").strip().lower() not in NO
        return cls(environment.get("HOST") or "127.0.0.1", int(text), demo)

    @property
    def gateway_port(self) -> int:
        return self.port + 1

    @property
    def probe_host(self) -> str:
        """Where we ask our own children."""
        return "127.0.0.1" if self.host in (*EVERYWHERE, "localhost") else self.host

    @property
    def shown_host(self) -> str:
        """What a browser on this machine is told; passkeys need the name and not the number."""
        return "localhost" if self.host in (*LOOPBACK, *EVERYWHERE) else self.host

    @property
    def url(self) -> str:
        return f"http://{self.shown_host}:{self.port}"

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What the portal's settings need to know; what the person has set wins."""
        hosts = ["localhost", "127.0.0.1", "[::1]", self.shown_host]
        if self.host in EVERYWHERE:
            hosts.append(socket.gethostname())
        chosen = {
            "PORTAL_URL": self.url,
            "STREAM_URL": f"http://{self.shown_host}:{self.gateway_port}",
            "ALLOWED_HOSTS": ",".join(dict.fromkeys(hosts)),
        }
        if self.demo:  # its people sign in without a second factor
            chosen["MFA_REQUIRED_ROLES"] = ""
        given = {name: environment[name] for name in chosen if name in environment}
        return {**chosen, **given, "DEMO": "true" if self.demo else "false"}

    def check_ports(self) -> None:
        """Raises StartRefused when somebody listens there already."""
        for port in (self.port, self.gateway_port):
            _check_port(self.host, port)


def _check_port(host: str, port: int) -> None:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as reason:
            raise StartRefused(_port_message(host, port, reason)) from None


def _port_message(host: str, port: int, reason: OSError) -> str:
    if reason.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use. The portal takes PORT and the agent gateway the one after it: "
            f"try PORT={port + 1000 if port < HIGHEST_PORT - 1000 else 8000} make run"
        )
    if reason.errno == errno.EACCES:
        return f"Port {port} is for root only; choose one above 1023: PORT=8000 make run"
    return f"Cannot listen on {host} port {port}: {reason.strerror}. HOST must be an address of this machine."
