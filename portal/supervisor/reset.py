"""Throws away the data of one data directory. Standard library only: it works without the environment.

python3 -m portal.supervisor.reset
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

from portal.supervisor.errors import StartRefused
from portal.supervisor.layout import SHARED_DATA_ROOT, Layout
from portal.supervisor.mounts import unmount_below
from portal.supervisor.run_lock import run_lock

INNER = ("test", "bench")  # data directories of `make test` and `make bench`


def main() -> int:
    layout = Layout.from_environment(os.environ)
    try:
        gone = reset(layout)
    except StartRefused as refusal:
        print(f"Portcullis: {refusal}", file=sys.stderr)
        return 1
    print(f"Removed {', '.join(map(str, gone))}." if gone else f"Nothing to remove in {layout.data}.")
    return 0


def reset(layout: Layout) -> list[Path]:
    """Remove all of this data directory; the directories removed. Raises StartRefused while it runs."""
    inner = [found for name in INNER if (found := Layout.at(layout.data / name)).lock.exists()]
    is_ours = layout.lock.exists()
    if layout.data.exists() and not is_ours and not inner:
        raise StartRefused(f"{layout.data} was not made by Portcullis; nothing was removed.")
    with run_lock(layout.lock) if is_ours else nullcontext():
        gone = [path for one in inner for path in reset(one)]
        return [*gone, *(_remove(layout) if is_ours else [])]


def _remove(layout: Layout) -> list[Path]:
    unmount_below(layout.data)
    gone = [path for path in (layout.data, _outside(layout)) if path and path.exists()]
    for path in gone:
        shutil.rmtree(path)
    return gone


def _outside(layout: Layout) -> Path | None:
    """For root the cluster lies elsewhere; never anything but a child of our own directory there."""
    return layout.cluster_home if layout.cluster_home.parent == SHARED_DATA_ROOT else None


if __name__ == "__main__":
    sys.exit(main())
