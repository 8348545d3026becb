"""From a stored bundle to an engine that decides: verified again, bounded, and tried out before it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec

from agents.endpoint.interpreters import hash_file
from agents.endpoint.kernel import process
from agents.endpoint.own_programs import own_programs
from agents.endpoint.store import Store, StoredBundle
from agents.protocol import envelope
from agents.protocol.acceptance import Rejection, check_layer
from agents.protocol.manifest import MANIFEST_TYPE, MAX_MANIFEST_BYTES, Manifest
from agents.protocol.messages import Mode, SelfTest
from policies.engine import bundle
from policies.engine.decision import ReasonCode
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Place, Policy
from policies.engine.normal_form import normal_facts

_CRITICAL_FILES = (
    "/sbin/init",
    "/bin/sh",
    "/bin/bash",
    "/bin/login",
    "/bin/systemctl",
    "/usr/sbin/sshd",
    "/usr/lib/systemd/systemd-journald",
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
)


class UnusableBundle(Exception):
    """A bundle that cannot decide. `code` travels in the acknowledgement."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Loaded:
    """A bundle ready to decide: its manifest, its engine, the computer's place in every mode.

    `timeless_engine`: the same policies, but what is permitted until a certain time is over. `killing`: the denies
    that end what runs already.
    """

    stored: StoredBundle
    manifest: Manifest
    engine: Engine
    timeless_engine: Engine
    places: dict[Mode, Place]
    unlogged: frozenset[str]
    killing: frozenset[str]

    @property
    def version(self) -> int:
        """The manifest's version."""
        return self.manifest.version

    def engine_for(self, *, clock_set_back: bool) -> Engine:
        """The engine that decides now. Who sets the clock back wins no time: permits with an end count as over."""
        return self.timeless_engine if clock_set_back else self.engine


def load(store: Store, stored: StoredBundle) -> Loaded:
    """Build the engine of a stored bundle. Its signature and every blob are checked again. Raises
    UnusableBundle.
    """
    manifest = _manifest(stored)
    try:
        policies, applications = bundle.open_blobs(_checked_blobs(store, manifest))
    except bundle.BundleError as error:
        raise UnusableBundle("layer_unreadable", str(error)) from error
    engine = Engine(applications, policies, manifest.place.os)
    unlogged = frozenset(policy.id for policy in policies if not policy.log)
    killing = frozenset(p.id for p in policies if p.kill_running and p.action == "deny" and not p.is_default)
    return Loaded(stored, manifest, engine, _timeless(engine, policies), _places(manifest), unlogged, killing)


def _checked_blobs(store: Store, manifest: Manifest) -> Iterator[tuple[str, str, bytes]]:
    """Each layer's (kind, name, blob), checked when it is its turn."""
    for layer in manifest.layers:
        blob = store.blob(layer.digest)
        if blob is None:
            raise UnusableBundle("layer_missing", layer.digest)
        try:
            check_layer(layer, blob)
        except Rejection as error:
            raise UnusableBundle(error.code, error.detail) from error
        yield layer.kind, layer.name, blob


def _timeless(engine: Engine, policies: list[Policy]) -> Engine:
    """The engine without what is permitted until a certain time. A deny with an end stays: else more would run."""
    limited = {policy.id for policy in policies if policy.expires_at is not None and policy.action != "deny"}
    if not limited:
        return engine
    return engine.with_policies(replace(p, enabled=False) if p.id in limited else p for p in policies)


def load_last_good(store: Store) -> Loaded | None:
    """The bundle in force, or the one before it when that one is damaged. None before the first.

    Raises UnusableBundle when bundles have been accepted here and none can be read any more.
    """
    problem: UnusableBundle | None = None
    for stored in (store.bundle(), store.previous_bundle()):
        if stored is None:
            continue
        try:
            return load(store, stored)
        except UnusableBundle as error:
            problem = problem or error
    state = store.state()
    if problem is None and state is not None and state.version:
        problem = UnusableBundle("bundle_missing", f"version {state.version} was accepted here")
    if problem:
        raise problem
    return None


def try_out(loaded: Loaded, guarded_devices: frozenset[int], at_ms: int) -> SelfTest:
    """Decide on the agent's own files and on what the system cannot do without, as if in secured mode.

    A file fails when the bundle would stop it: by an explicit deny wherever it lies, by Default Deny only
    when it lies on a guarded file system, because elsewhere nobody is asked.
    """
    failed = []
    files = _corpus()
    launcher = process.executable(1)
    for path in files:
        facts = FileFacts(path=path, sha256=_hash(path), process=launcher, user="root", os="linux")
        decision = loaded.engine.decide(normal_facts(facts), loaded.places["secured"], at_ms)
        is_guarded = Path(path).stat().st_dev in guarded_devices
        is_explicit = decision.reason_code not in (ReasonCode.DEFAULT_DENY, ReasonCode.NO_POLICY)
        if decision.effect == "denied" and (is_explicit or is_guarded):
            failed.append(path)
    return SelfTest(checked=len(files), failed=tuple(failed))


def _manifest(stored: StoredBundle) -> Manifest:
    limit = MAX_MANIFEST_BYTES + envelope.OVERHEAD_BYTES
    try:
        keys = envelope.key_table(stored.trust.bundle_keys)
        payload = envelope.open_envelope(stored.envelope, payload_type=MANIFEST_TYPE, keys=keys, max_bytes=limit)
        return msgspec.msgpack.decode(payload, type=Manifest)
    except envelope.EnvelopeError as error:
        raise UnusableBundle(error.code, error.detail) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnusableBundle("malformed", str(error)) from error


def _places(manifest: Manifest) -> dict[Mode, Place]:
    place = Place(
        computer=manifest.computer,
        group=manifest.place.group,
        organization=manifest.organization,
        above=manifest.place.above,
        prioritize_builtin=manifest.settings.prioritize_builtin,
        os=manifest.place.os,
    )
    modes: tuple[Mode, ...] = get_args(Mode)
    return {mode: replace(place, mode=mode) for mode in modes}


def _corpus() -> list[str]:
    """Real paths of the agent's interpreter and program, and of the files without which nobody can log in."""
    found = {*own_programs(), *(os.path.realpath(path) for path in _CRITICAL_FILES)}
    return sorted(path for path in found if Path(path).is_file())


def _hash(path: str) -> str:
    try:
        return hash_file(path)
    except OSError:
        return ""
