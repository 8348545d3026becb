"""Health checks of the containers, which have no curl: exit status 0 is healthy. Standard library only.

python deploy/probe.py http://127.0.0.1:8000/readyz     # answers with 2xx
python deploy/probe.py /tmp/beat 600                    # was written within so many seconds
"""

from __future__ import annotations

import http.client
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ANSWER_WITHIN_SECONDS = 4


def main(arguments: list[str]) -> int:
    target = arguments[0]
    if target.startswith("http://"):
        return 0 if answers(target) else 1
    return 0 if is_fresh(Path(target), float(arguments[1])) else 1


def answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_SECONDS)
    try:
        connection.request("GET", parts.path, headers={"Host": "localhost"})
        return http.client.OK <= connection.getresponse().status < http.client.MULTIPLE_CHOICES
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_fresh(path: Path, seconds: float) -> bool:
    """Beat's schedule gets a suffix or none, as the kind of database under it likes."""
    written = [found.stat().st_mtime for found in path.parent.glob(f"{path.name}*")]
    return bool(written) and time.time() - max(written) < seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
