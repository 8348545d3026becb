"""The real agent on the real kernel: what is not permitted does not run, and what happened is told once."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agents.endpoint.files import XATTR_CREATED_BY
from policies.engine.rules import FileRule
from tests.agents.endpoint.conftest import Computer, deny, permit, runs, sha256
from tests.agents.endpoint.portal_double import wait_until

pytestmark = pytest.mark.kernel


def test_a_script_runs_once_it_is_permitted_by_hash_and_not_before(computer: Computer) -> None:
    script = computer.script("patch.sh")
    with pytest.raises(PermissionError):
        subprocess.run([str(script)], check=True)
    computer.deploy(permit("patch", FileRule("r1", hash=sha256(script))))
    assert subprocess.run([str(script)], capture_output=True, check=True).stdout == b"ran\n"


def test_a_changed_script_is_another_script(computer: Computer) -> None:
    script = computer.script("patch.sh")
    computer.deploy(permit("patch", FileRule("r1", hash=sha256(script))))
    assert runs(script)
    script.write_text("#!/bin/sh\necho other\n")
    assert not runs(script)


def test_one_run_is_one_event_with_all_its_facts(computer: Computer) -> None:
    script = computer.script("patch.sh")
    assert not runs(script, "an argument")
    computer.deploy(permit("patch", FileRule("r1", path=str(script))))
    assert runs(script, "two words", "three")
    wait_until(lambda: len(computer.portal.events(path=str(script))) >= 2)
    denied, permitted = computer.portal.events(path=str(script))
    assert (denied.action_type, denied.sha256, denied.size) == ("script", sha256(script), 19)
    assert denied.command_line == f"{script} an argument"
    assert denied.process == os.path.realpath(sys.executable)
    assert denied.user == "root"
    assert denied.decision is not None
    assert (denied.decision.effect, denied.decision.reason_code, denied.decision.policy) == (
        "denied",
        "default_deny",
        "default",
    )
    assert permitted.decision is not None
    assert (permitted.decision.effect, permitted.decision.rule) == ("permitted", "r1")
    assert permitted.bundle_version == denied.bundle_version + 1


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "{script}"],
        ["bash", "{script}"],
        ["sh", "-c", ". {script}"],
        ["sh", "-e", "-u", "{script}"],
        ["bash", "-o", "pipefail", "{script}"],
    ],
)
def test_a_script_given_to_its_interpreter_is_stopped_all_the_same(computer: Computer, command: list[str]) -> None:
    script = computer.script("patch.sh", "echo ran\n")
    filled = [word.format(script=script) for word in command]
    assert not runs(*filled)
    computer.deploy(permit("patch", FileRule("r1", hash=sha256(script))))
    assert runs(*filled)
    wait_until(lambda: len(computer.portal.events(path=str(script))) >= 2)
    assert [event.action_type for event in computer.portal.events(path=str(script))] == ["script", "script"]


def test_python_scripts_and_what_they_import(computer: Computer) -> None:
    main = computer.script("main.py", "import part\n")
    part = computer.script("part.py", "x = 1\n")
    computer.deploy(permit("main", FileRule("r1", path=str(main))))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    failed = subprocess.run([sys.executable, str(main)], capture_output=True, env=environment)
    assert failed.returncode == 1
    assert b"PermissionError" in failed.stderr
    computer.deploy(permit("all", FileRule("r1", path=f"{computer.directory}/*.py")))
    for _ in range(3):
        assert subprocess.run([sys.executable, str(main)], env=environment).returncode == 0
    permitted = functools.partial(computer.portal.events, effect="permitted")
    wait_until(lambda: len(permitted(path=str(main))) == 4)
    assert len(permitted(path=str(part))) == 1, "what is loaded again and again is told once"


def test_data_is_not_a_script_for_anybody(computer: Computer) -> None:
    data = computer.directory / "numbers.csv"
    data.write_text("1,2\n")
    assert runs("cat", data)
    assert runs("sh", "-c", f"read line < {data} && echo $line >> {data}")
    assert runs(sys.executable, "-c", f"open({str(data)!r}).read()")
    assert not computer.portal.events(path=str(data))


def test_a_renamed_interpreter_is_still_one(computer: Computer, tmp_path: Path) -> None:
    script = computer.script("patch.sh", "echo ran\n")
    outside = tmp_path / "innocent"
    shutil.copy("/bin/sh", outside)
    assert not runs(outside, script)
    inside = computer.directory / "innocent"
    shutil.copy("/bin/sh", inside)
    computer.deploy(permit("shell", FileRule("r1", path=str(inside))))
    assert runs(inside, "-c", "true")
    assert not runs(inside, script)


def test_programs_are_stopped_also_through_the_dynamic_loader(computer: Computer) -> None:
    program = computer.directory / "true"
    shutil.copy("/bin/true", program)
    assert not runs(program)
    loader = next(Path("/lib64").glob("ld-linux*"), None)
    if loader is not None:
        assert not runs(loader, program)
    computer.deploy(permit("true", FileRule("r1", hash=sha256(program))))
    assert runs(program)


def test_created_by_is_recorded_travels_and_decides(computer: Computer) -> None:
    program = computer.directory / "true"
    subprocess.run(["cp", "/bin/true", str(program)], check=True)
    copier = os.path.realpath(shutil.which("cp") or "")
    wait_until(lambda: _creator(program) == copier)
    computer.deploy(permit("copied", FileRule("r1", created_by=copier, path=f"{computer.directory}/*")))
    assert runs(program)
    renamed = program.rename(computer.directory / "renamed")
    assert runs(renamed)
    renamed.write_bytes(renamed.read_bytes())
    assert not runs(renamed)
    wait_until(lambda: computer.portal.events(path=str(renamed), effect="denied"))
    denied = computer.portal.events(path=str(renamed), effect="denied")[0]
    assert denied.created_by == os.path.realpath(sys.executable)


def test_nobody_but_root_reads_or_writes_who_created_a_file(computer: Computer) -> None:
    _let_everybody_in(computer.directory)
    program = computer.directory / "mine"
    user = ["setpriv", "--reuid=65534", "--clear-groups"]
    subprocess.run([*user, "cp", "/bin/true", str(program)], check=True)
    wait_until(lambda: _creator(program).endswith("/cp"))
    code = f"import os; os.setxattr({str(program)!r}, {XATTR_CREATED_BY!r}, b'/usr/bin/dpkg')"
    # The interpreter of this environment may lie where only root may look.
    refused = subprocess.run([*user, "/usr/bin/python3", "-c", code], capture_output=True)
    assert b"Operation not permitted" in refused.stderr
    wait_until(lambda: _creator(program).endswith("/cp"))


def test_the_launcher_decides_too(computer: Computer) -> None:
    script = computer.script("job.sh")
    launcher = os.path.realpath(shutil.which("env") or "")
    computer.deploy(permit("job", FileRule("r1", path=str(script), process=launcher)))
    assert runs("env", script)
    assert not runs(script)


def test_a_multithreaded_launcher_is_answered(computer: Computer) -> None:
    script = computer.script("job.sh")
    computer.deploy(permit("job", FileRule("r1", path=str(script))))
    code = (
        "import subprocess, threading\n"
        f"run = lambda: subprocess.run([{str(script)!r}], check=True)\n"
        "threads = [threading.Thread(target=run) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join(10) for t in threads]\n"
    )
    assert runs(sys.executable, "-c", code)
    wait_until(lambda: len(computer.portal.events(path=str(script), effect="permitted")) == 8)


def test_a_mount_of_ones_own_lends_no_path(computer: Computer) -> None:
    """A user namespace with the file bound to a permitted path must not make it permitted."""
    computer.directory.chmod(0o755)
    allowed = computer.script("allowed.sh")
    other = computer.script("other.sh", "#!/bin/sh\nexit 0\n")
    computer.deploy(permit("allowed", FileRule("r1", path=str(allowed))))
    assert runs(allowed)
    bound = f"mount --bind {other} {allowed} && {allowed}"
    assert not runs("unshare", "-m", "--propagation", "private", "sh", "-c", bound)


def test_an_explicit_deny_of_the_agent_itself_is_refused_and_the_last_good_bundle_stays(computer: Computer) -> None:
    script = computer.script("patch.sh")
    computer.deploy(permit("patch", FileRule("r1", path=str(script))))
    before = computer.portal.live_version()
    version = computer.portal.deploy(*_lists(deny("everything", FileRule("r1", path="*python*")))).version
    wait_until(lambda: any(ack.version == version for ack in computer.portal.ledger.acks))
    ack = next(ack for ack in computer.portal.ledger.acks if ack.version == version)
    assert (ack.result, ack.reason) == ("refused", "self_test_failed")
    assert os.path.realpath(sys.executable) in ack.self_test.failed
    assert computer.portal.live_version() == before
    assert runs(script)


def _creator(path: Path) -> str:
    """Who created a file; empty until the agent has seen it closed."""
    try:
        return os.getxattr(path, XATTR_CREATED_BY).decode()
    except OSError:
        return ""


def _let_everybody_in(directory: Path) -> None:
    """Open the way to a directory below pytest's private one."""
    directory.chmod(0o777)
    for parent in directory.parents:
        if parent.stat().st_mode & 0o077 == 0:
            parent.chmod(0o755)


def _lists(*pairs: tuple[object, object]) -> tuple[list[object], list[object]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
