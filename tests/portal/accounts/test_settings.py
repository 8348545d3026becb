"""What a real install gets: cookies that no other site and no plain connection can have, proxies that cannot lie."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.test import RequestFactory

from portal.tenants.middleware import client_address

ROOT = Path(__file__).resolve().parents[3]
SHOWN = """
from django.conf import settings as s
print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_NAME, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS,
      s.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN, s.MFA_REQUIRED_ROLES)
"""


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "MFA_REQUIRED_ROLES"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_behind_tls_the_deployment_check_is_clean() -> None:
    checked = manage(
        "check", "--deploy", "--fail-level", "WARNING",
        PORTAL_URL="https://portal.example", ALLOWED_HOSTS="portal.example",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_behind_tls_cookies_are_bound_to_the_host() -> None:
    environment = {"PORTAL_URL": "https://portal.example", "ALLOWED_HOSTS": "portal.example"}
    shown = manage("shell", "--no-imports", "-c", SHOWN, **environment).stdout
    assert shown.split()[:6] == ["__Host-session", "True", "__Host-csrf", "True", "31536000", "False"]
    assert "['owner', 'technician', 'approver']" in shown


def test_a_forwarded_address_is_believed_only_behind_our_proxy_and_only_its_own_part(settings: Any) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.7"})
    assert client_address(request) == "192.0.2.1"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert client_address(request) == "198.51.100.7"
    broken = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": "<script>"})
    assert client_address(broken) == "192.0.2.1"
