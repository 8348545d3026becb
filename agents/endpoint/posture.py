"""What this computer's kernel lets escape from the agent's sight. Reported with every check-in, never hidden."""

from __future__ import annotations

from pathlib import Path

from agents.endpoint.kernel import process
from agents.endpoint.mounts import mounts
from agents.protocol.messages import Posture

_PSEUDO = frozenset(
    {"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl"}
    | {"hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs"}
)
_MAX_MOUNTS = 32


def posture(guarded_devices: frozenset[str]) -> Posture:
    """The posture of this moment; `guarded_devices` are the guarded `major:minor`."""
    open_mounts = {
        mount.path
        for mount in mounts()
        if mount.device not in guarded_devices and mount.kind not in _PSEUDO and "noexec" not in mount.options
    }
    shown = sorted(open_mounts)[:_MAX_MOUNTS]
    notes = ["ringfences are recorded, not enforced, by this version of the Linux agent"]
    if len(open_mounts) > len(shown):
        notes.append(f"{len(open_mounts) - len(shown)} more mounts are not guarded")
    return Posture(
        unmarked_mounts=tuple(process.visible(path) for path in shown),
        user_namespaces=_number("/proc/sys/user/max_user_namespaces") > 0,
        memfd_exec=_number("/proc/sys/vm/memfd_noexec") < 2,
        notes=tuple(notes),
    )


def _number(path: str) -> int:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return 0
