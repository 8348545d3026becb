"""What does the Linux agent add to starting a program and to opening a file? Ratios against the same without it.

Two small file systems, one guarded by the real agent with a bundle of a thousand rules, one not; the same programs on
both, run in turns of a few hundred so that a busy machine slows both alike. Needs root and fanotify permission events:
`sudo .venv/bin/python -m benchmarks.agent_exec [--full]`. The last lines are the ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.endpoint.capability import can_guard
from agents.endpoint.mounts import mount_demo, unmount_demo
from agents.endpoint.store import Store, StoredBundle
from agents.protocol import envelope, signing
from agents.protocol.acceptance import AgentState
from agents.protocol.manifest import MANIFEST_TYPE, Layer, Manifest, ManifestPlace, PublicKey, TrustRoot
from policies.engine import bundle as layers
from policies.engine.model import Application, Policy
from policies.engine.rules import FileRule

ROOT = Path(__file__).parents[1]
PER_TURN = 200
WARM_UP = 20
CAT_FILES = 500
STATIC = ".globl _start\n_start: mov $60,%eax\n xor %edi,%edi\n syscall\n"


def furnish(directory: Path) -> dict[str, Path]:
    """The programs to start, and a file to open."""
    mount_demo(directory)
    made = {"dynamic program": directory / "true", "script": directory / "script.sh"}
    shutil.copy("/bin/true", made["dynamic program"])
    made["script"].write_text("#!/bin/sh\nexit 0\n" + "# x\n" * 250)
    made["script"].chmod(0o755)
    if shutil.which("gcc"):
        made["static program"] = directory / "tiny"
        source = directory / "tiny.S"
        source.write_text(STATIC)
        command = ["gcc", "-nostdlib", "-static", "-o", str(made["static program"]), str(source)]
        subprocess.run(command, check=True)
    (directory / "data").write_text("1,2,3\n")
    return made


def bundle(store: Store, guarded: dict[str, Path]) -> None:
    """Put a bundle in force that permits the programs by hash, below a thousand other rules."""
    key = Ed25519PrivateKey.generate()
    public = signing.public_bytes(key)
    trusted = PublicKey(id=signing.key_id(public), public=signing.b64(public))
    trust = TrustRoot(bundle_keys=(trusted,), checkpoint_keys=(trusted,))
    rules = [FileRule(f"h{n}", hash=hashlib.sha256(b"%d" % n).hexdigest()) for n in range(700)]
    rules += [FileRule(f"w{n}", path=f"/opt/vendor{n}/*/bin/tool{n}*", process="/usr/bin/*") for n in range(300)]
    rules += [FileRule(f"p{n}", hash=_sha256(path)) for n, path in enumerate(guarded.values())]
    application = Application("a", "Permitted", False, tuple(rules))
    policies = [
        Policy("p", "permit", "group", "g", "permit", applications=("a",)),
        Policy("d", "Default - (g)", "group", "g", "deny", order=1_000_000, is_default=True),
    ]
    blobs = [layers.compile_layer("group", "g", policies), layers.compile_application(application)]
    named = []
    for kind, blob in zip(("policies", "application"), blobs, strict=True):
        store.save_blob(layers.digest(blob), blob)
        named.append(Layer(digest=layers.digest(blob), size=len(blob), kind=kind))  # type: ignore[arg-type]
    manifest = Manifest(
        organization="o",
        computer="c",
        key_fingerprint="0" * 64,
        version=1,
        issued_at=int(time.time()),
        expires_at=int(time.time()) + 86_400,
        place=ManifestPlace(organization="o", group="g"),
        layers=tuple(named),
    )
    payload = msgspec.msgpack.encode(manifest)
    state = AgentState(organization="o", computer="c", key_fingerprint="0" * 64, epoch=1, version=1)
    store.save_bundle(StoredBundle(envelope.seal(MANIFEST_TYPE, payload, (key,)), state, trust))


def start(path: Path) -> float:
    """Microseconds from asking for the program until it has ended."""
    began = time.perf_counter_ns()
    os.waitpid(os.posix_spawn(path, [str(path)], {}), 0)
    return (time.perf_counter_ns() - began) / 1_000


def open_and_read(path: Path) -> float:
    """Microseconds of one open, read, close."""
    began = time.perf_counter_ns()
    fd = os.open(path, os.O_RDONLY)
    os.read(fd, 64)
    os.close(fd)
    return (time.perf_counter_ns() - began) / 1_000


def cat_many(path: Path) -> float:
    """Microseconds of one open, read, close by a program that is no interpreter."""
    command = ["cat", *[str(path)] * CAT_FILES]
    began = time.perf_counter_ns()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter_ns() - began) / 1_000 / CAT_FILES


def measure(
    rounds: int, action: Callable[[Path], float], paths: dict[str, Path], per_turn: int
) -> dict[str, list[float]]:
    """Samples per variant, in turns whose order changes with every round."""
    samples: dict[str, list[float]] = {name: [] for name in paths}
    names = list(paths)
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            for _ in range(min(WARM_UP, per_turn)):
                action(paths[name])
            samples[name] += [action(paths[name]) for _ in range(per_turn)]
    return samples


def report(what: str, samples: dict[str, list[float]]) -> str:
    """Print both variants; returns the line with their ratios."""
    figures = {}
    for name, values in samples.items():
        values.sort()
        figures[name] = (values[len(values) // 2], values[len(values) * 99 // 100])
        print(f"{what}, {name}: p50 {figures[name][0]:.1f} us, p99 {figures[name][1]:.1f} us, n {len(values)}")
    p50, p99 = (figures["guarded"][n] / figures["not guarded"][n] for n in (0, 1))
    return f"ratio {what}: p50 {p50:.2f} p99 {p99:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="four times as many rounds")
    rounds = 16 if parser.parse_args().full else 4
    able, reason = can_guard()
    if not able:
        print(f"skipped: {reason}")
        return 0
    place = Path(tempfile.mkdtemp(prefix="portcullis-bench-"))
    guarded, free = place / "guarded", place / "free"
    try:
        programs, same = furnish(guarded), furnish(free)
        store = Store.open(place / "state")
        bundle(store, programs)
        command = [sys.executable, "-m", "agents.endpoint", "run", "--state", str(store.root), "--guard", str(guarded)]
        agent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            _wait_until_guarded(guarded)
            lines = []
            for name, path in programs.items():
                pair = {"guarded": path, "not guarded": same[name]}
                lines.append(report(name, measure(rounds, start, pair, PER_TURN)))
            pair = {"guarded": guarded / "data", "not guarded": free / "data"}
            lines.append(report("open by an interpreter", measure(rounds, open_and_read, pair, 1_000)))
            lines.append(report("open by another program", measure(rounds, cat_many, pair, 5)))
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait(10)
    finally:
        for directory in (guarded, free):
            unmount_demo(directory)
        shutil.rmtree(place, ignore_errors=True)
    print("\n".join(lines))
    return 0


def _wait_until_guarded(directory: Path) -> None:
    forbidden = directory / "forbidden"
    forbidden.write_text("#!/bin/sh\n")
    forbidden.chmod(0o755)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            start(forbidden)
        except PermissionError:
            return
        time.sleep(0.05)
    raise SystemExit("the agent did not start to guard")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
