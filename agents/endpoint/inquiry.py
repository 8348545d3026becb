"""Questions of people: what is this file, and what would be decided about it now."""

from __future__ import annotations

import errno
import os
import stat as statmode

from agents.endpoint import bundles
from agents.endpoint.clock import Sources, TrustedClock
from agents.endpoint.files import creator_from_xattr, look_at
from agents.endpoint.kernel import process
from agents.endpoint.kernel.process import visible
from agents.endpoint.modes import ModeKeeper
from agents.endpoint.store import Store
from policies.engine.facts import FileFacts


def facts_of(path: str, *, process: str = "", user: str = "") -> FileFacts:
    """The facts of a regular file as it is now. Raises OSError for anything else, or when it cannot be read."""
    real = os.path.realpath(path)
    sha256, head, created_by = _look(real)
    return FileFacts(
        path=visible(real),
        sha256=sha256,
        process=process,
        created_by=created_by,
        user=user,
        os="linux",
        action_type="script" if head[:2] == b"#!" else "execute",
    )


def explain(store: Store, path: str, *, process: str = "", user: str = "root") -> list[str]:
    """What the agent would decide about a file, in lines. Raises UnusableBundle, OSError."""
    facts = facts_of(path, process=process, user=user)
    lines = [f"path        {facts.path}", f"sha256      {facts.sha256}"]
    lines += [f"created by  {facts.created_by or '(unknown)'}", f"process     {facts.process or '(not given)'}"]
    loaded = bundles.load_last_good(store)
    if loaded is None:
        return [*lines, "permitted: no bundle has arrived yet, so nothing is enforced"]
    clock = TrustedClock(Sources.real(), store.clock())
    mode = ModeKeeper(clock, store.mode()).current()
    engine = loaded.engine_for(clock_set_back=clock.set_back)
    decision = engine.explain(facts, loaded.places[mode], clock.now_ms())
    if clock.set_back:
        lines.append("clock       set back: what is permitted until a certain time counts as over")
    lines += [f"mode        {mode}", f"effect      {decision.effect}{' (simulated deny)' * decision.simulated}"]
    lines.append(decision.because)
    return lines + [f"  {step.outcome}: {step.sentence}" for step in decision.trace]


def parent_program() -> str:
    """The program that started this one: the best guess at who would launch a file a person asks about."""
    return process.executable(os.getppid())


def _look(real: str) -> tuple[str, bytes, str]:
    """Hash, first bytes and creator. Whoever asks may name any path, and this may run as root: nothing but regular
    files is ever opened for reading, and nothing is waited for.
    """
    fd = os.open(real, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not statmode.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", real)
        opened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(fd)
    try:
        sha256, head = look_at(opened, os.fstat(opened).st_size)
        return sha256, head, creator_from_xattr(opened) or ""
    finally:
        os.close(opened)
