"""PostgreSQL and Valkey alone: around one command (tests, benchmarks), or kept for a developer's shell."""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from portal.supervisor.children import Children
from portal.supervisor.console import Console
from portal.supervisor.layout import Layout
from portal.supervisor.mounts import unmount_below
from portal.supervisor.programs import ends_with_parent
from portal.supervisor.run_lock import run_lock
from portal.supervisor.servers import start_servers
from portal.supervisor.stop_signals import stop_signals

EXPORTED = ("DATA_DIR", "SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
ROUND_SECONDS = 0.5
LEAVE_SECONDS = 5.0


def run_with_servers(
    layout: Layout, environment: Mapping[str, str], command: Sequence[str], *, durable: bool, console: Console
) -> int:
    """Run the command with the servers' addresses in its environment; its exit code."""
    with governed(layout, console) as children:
        passed = start_servers(children, layout, environment, throwaway=not durable)
        return _follow(children, command, passed)


def keep_servers(layout: Layout, environment: Mapping[str, str], *, durable: bool, console: Console) -> int:
    """Keep the servers until Ctrl-C or TERM; `env.sh` in the data directory tells where they are."""
    with governed(layout, console) as children:
        passed = start_servers(children, layout, environment, throwaway=not durable)
        write_environment_script(layout.environment_script, passed)
        console.say(f"PostgreSQL and Valkey are ready; in another shell: . {layout.environment_script}")
        while not children.stopping.wait(ROUND_SECONDS):
            children.look_after()
        layout.environment_script.unlink(missing_ok=True)
        return 0


@contextmanager
def governed(layout: Layout, console: Console) -> Iterator[Children]:
    """The children of one run: alone on this data directory, ended in order whatever happens."""
    layout.make_directories()
    with run_lock(layout.lock) as lock, stop_signals() as stopping, ExitStack() as ending:
        ending.callback(unmount_below, layout.computers)  # when the agents that guard them have ended
        yield ending.enter_context(Children(layout.logs, console, stopping, lock))


def write_environment_script(path: Path, environment: Mapping[str, str]) -> None:
    """For `.` in a shell; it holds passwords, so only its owner may read it."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text("".join(f"export {name}={shlex.quote(environment[name])}\n" for name in EXPORTED))


def _follow(children: Children, command: Sequence[str], environment: Mapping[str, str]) -> int:
    process = subprocess.Popen(command, env=dict(environment), preexec_fn=ends_with_parent(signal.SIGTERM))
    while process.poll() is None:
        if children.stopping.wait(0.1):
            return _leave(process)
        children.look_after()
    return process.returncode


def _leave(process: subprocess.Popen[bytes]) -> int:
    """The command shares our terminal and has heard Ctrl-C as well: first it may end by itself."""
    for ask in (process.terminate, process.kill):
        try:
            return process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            ask()
    return process.wait()
