"""What the one-line command fetches: a script for this portal, and files whose digests it knows."""

from __future__ import annotations

import hashlib
import re

from django.test import Client


def test_the_script_knows_the_digests_of_what_it_fetches(client: Client) -> None:
    script = client.get("/agent/v1/install.sh").content.decode()
    for path, name in (("agent.pyz", "ARCHIVE"), ("requirements.txt", "REQUIREMENTS")):
        expected = re.search(rf"^{name}_SHA256=(\w{{64}})$", script, flags=re.M)
        content = client.get(f"/agent/v1/{path}").content
        assert expected is not None and hashlib.sha256(content).hexdigest() == expected.group(1)


def test_an_unchanged_archive_is_not_sent_again(client: Client) -> None:
    tag = client.get("/agent/v1/agent.pyz")["ETag"]
    assert client.get("/agent/v1/agent.pyz", headers={"If-None-Match": tag}).status_code == 304
