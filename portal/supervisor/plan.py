"""Which programs make up Portcullis, in the order they are started."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable, Mapping

from portal.supervisor.layout import Layout
from portal.supervisor.programs import Program
from portal.supervisor.run_settings import RunSettings

WEB_WORKERS = 2
WEB_THREADS = 4
WEB_BACKPRESSURE = 256  # connections a worker holds, idle ones included; above a proxy's pool of them
GATEWAY_CONNECTIONS = 20_000
QUEUES = "work,deploy,audit"
ANSWER_WITHIN_SECONDS = 2.0


def python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def manage(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "manage.py", *arguments)


def preparation(settings: RunSettings, environment: Mapping[str, str]) -> Program:
    """Migrations, built-in applications, served files and, in the demo, its customers; runs to its end."""
    steps = ("--demo",) if settings.demo else ()
    return Program("prepare", python("deploy.prepare", *steps), environment)


def portal_programs(settings: RunSettings, layout: Layout, environment: Mapping[str, str]) -> list[Program]:
    return [
        web(settings, environment),
        gateway(settings, environment),
        worker(environment),
        beat(layout, environment),
    ]


def web(settings: RunSettings, environment: Mapping[str, str]) -> Program:
    arguments = (
        *("portal.wsgi:application", "--interface", "wsgi"),
        *("--host", settings.host, "--port", str(settings.port)),
        *("--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS)),
        *("--backpressure", str(WEB_BACKPRESSURE), "--respawn-failed-workers"),
        *("--workers-kill-timeout", "8", "--no-access-log", "--log-level", "warning"),
    )
    answers = http_answers(settings.probe_host, settings.port, "/healthz")
    return Program("web", python("granian", *arguments), environment, grace_seconds=12.0, ready=answers)


def gateway(settings: RunSettings, environment: Mapping[str, str]) -> Program:
    arguments = (
        *("agents.gateway:app", "--host", settings.host, "--port", str(settings.gateway_port)),
        *("--limit-concurrency", str(GATEWAY_CONNECTIONS), "--timeout-graceful-shutdown", "3"),
        *("--no-access-log", "--log-level", "warning"),
    )
    answers = http_answers(settings.probe_host, settings.gateway_port, "/healthz")
    return Program("gateway", python("uvicorn", *arguments), environment, ready=answers)


def worker(environment: Mapping[str, str]) -> Program:
    arguments = (
        *("-A", "portal.celery", "worker", "--concurrency", "2", "--queues", QUEUES, "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle"),
    )
    # Celery warns about root; embedded servers and demo run as whoever typed `make run`.
    quiet = {**environment, "C_FORCE_ROOT": "1"}
    return Program("worker", python("celery", *arguments), quiet, grace_seconds=20.0)


def beat(layout: Layout, environment: Mapping[str, str]) -> Program:
    schedule = str(layout.data / "beat")
    arguments = ("-A", "portal.celery", "beat", "--loglevel", "WARNING", "--schedule", schedule, "--pidfile=")
    return Program("beat", python("celery", *arguments), environment)


def http_answers(host: str, port: int, path: str) -> Callable[[], bool]:
    """A question for `Program.ready`: does this address answer without an error of the server's?"""

    def ask() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_WITHIN_SECONDS)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask
