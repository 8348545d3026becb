"""What the syncer cannot do any more once it is confined; tried in a process of its own each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents.endpoint import custody
from agents.endpoint.clock import ClockRecord, Sources, TrustedClock
from agents.endpoint.orders import RESTARTED
from agents.endpoint.store import Store
from agents.protocol.acceptance import Rejection
from tests.agents.endpoint.conftest import ROOT, Computer, deploy
from tests.agents.endpoint.portal_double import PortalDouble, wait_until


def confined(own: Path, code: str) -> str:
    """What a confined process prints; `own` is its directory."""
    program = (
        "import sys, os, socket, subprocess\n"
        "from agents.endpoint import sandbox\n"
        "own = sys.argv[1]\n"
        "landlocked = sandbox.confine(own)\n"
        "def tried(action):\n"
        "    try: action()\n"
        "    except PermissionError: return 'refused'\n"
        "    return 'done'\n" + code
    )
    command = [sys.executable, "-c", program, str(own)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    directory = tmp_path / "own"
    directory.mkdir()
    (tmp_path / "policy").write_text("decides")
    if confined(directory, "print(landlocked)") != "True":
        pytest.skip("this kernel has no Landlock")
    return directory


def test_it_writes_in_its_own_directory_only(own: Path) -> None:
    code = (
        "print(tried(lambda: open(own + '/x', 'w').write('x')),"
        " tried(lambda: os.replace(own + '/x', own + '/y')),"
        " tried(lambda: os.unlink(own + '/y')),"
        " tried(lambda: open(own + '/../policy', 'w')),"
        " tried(lambda: open(own + '/../policy', 'a')),"
        " tried(lambda: os.unlink(own + '/../policy')),"
        " tried(lambda: open(own + '/../new', 'w')),"
        " open(own + '/../policy').read())"
    )
    assert confined(own, code) == "done done done refused refused refused refused decides"


def test_it_cannot_move_anything_of_its_own_over_what_decides(own: Path) -> None:
    code = (
        "open(own + '/forged', 'w').write('mine')\n"
        "def move(call):\n"
        "    try: call(own + '/forged', own + '/../policy')\n"
        "    except OSError: return 'refused'\n"
        "    return 'done'\n"
        "print(move(os.replace), move(os.link), open(own + '/../policy').read())"
    )
    assert confined(own, code) == "refused refused decides"


def test_it_starts_no_program(own: Path) -> None:
    assert confined(own, "print(tried(lambda: subprocess.run(['/bin/true'])))") == "refused"


def test_it_has_no_capability_left_and_gets_none(own: Path) -> None:
    code = (
        "lines = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(*(int(lines[name], 16) for name in ('CapPrm', 'CapEff')), lines['NoNewPrivs'].strip())"
    )
    assert confined(own, code) == "0 0 1"


def test_it_still_reaches_the_network_and_its_socket(own: Path) -> None:
    code = (
        "s = socket.socket(socket.AF_UNIX); s.bind(own + '/agent.sock'); s.listen()\n"
        "t = socket.create_server(('127.0.0.1', 0)); socket.create_connection(t.getsockname()); print('both')"
    )
    assert confined(own, code) == "both"


@pytest.mark.kernel
def test_the_running_syncer_is_confined(computer: Computer) -> None:
    status = Path(f"/proc/{computer.child('pc-syncer')}/status")
    wait_until(lambda: "NoNewPrivs:\t1" in status.read_text())
    assert "CapEff:\t0000000000000000" in status.read_text()
    worker = Path(f"/proc/{computer.child('pc-worker')}/status").read_text()
    assert "CapEff:\t0000000000000000" not in worker


def test_a_checkpoint_is_taken_once_and_only_for_the_nonce_just_made(store: Store, portal: PortalDouble) -> None:
    keeper = custody.Custody(store, TrustedClock(Sources(), ClockRecord()))
    deploy(portal)
    first = portal.sign_checkpoint(portal.checkpoint(keeper.new_nonce()))
    assert keeper.take_checkpoint(first).version == 1
    with pytest.raises(Rejection) as caught:
        keeper.take_checkpoint(first)
    assert caught.value.code == RESTARTED
    keeper.new_nonce()
    with pytest.raises(Rejection) as caught:
        keeper.take_checkpoint(first)
    assert caught.value.code == "wrong_nonce"


def test_a_bundle_without_a_checkpoint_of_this_worker_is_not_even_looked_at(store: Store, portal: PortalDouble) -> None:
    keeper = custody.Custody(store, TrustedClock(Sources(), ClockRecord()))
    deploy(portal)
    with pytest.raises(Rejection) as caught:
        keeper.examine(portal.envelope)
    assert caught.value.code == RESTARTED
