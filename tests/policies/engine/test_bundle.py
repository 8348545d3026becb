"""Blobs: what goes in comes out, the same content gives the same bytes, and whatever is odd is a BundleError."""

import os
import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.engine import bundle
from policies.engine.bundle import BundleError
from policies.engine.model import Application, Policy, Window
from policies.engine.rules import FileRule
from tests.policies.engine.strategies import World, worlds
from tests.policies.engine.worlds import DEFAULT_DENY, policy

FULL = policy(
    "p-1",
    "permit_ringfenced",
    status="monitor_only",
    starts_at=1,
    expires_at=2**53,
    schedule=(Window(6, 1_439, 1), Window(0, 0, 1_440)),
    time_zone="Europe/Berlin",
    users=("ACME\\ann", "ünï"),
    allow_request=False,
    kill_running=True,
    log=False,
    ringfence={"network": {"mode": "enforce", "deny": ["*.example.com", "10.0.0.0/8"]}, "files": []},
)
APPLICATION = Application(
    "app", "Acme", True, (FileRule("1", "ab" * 32, "c:\\*", "[]", "regex:a+", "CN=é"), FileRule("2", path="x"))
)
LAYER = bundle.compile_layer("group", "finance", [FULL, DEFAULT_DENY])
APPLICATION_BLOB = bundle.compile_application(APPLICATION)


def packed(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=True).compress(raw)


def inflated(blob: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(blob)


def test_policies_come_out_as_they_went_in_and_in_order() -> None:
    opened = bundle.open_layer(bundle.compile_layer("group", "finance", [DEFAULT_DENY, FULL]))
    assert (opened.level, opened.target, opened.policies) == ("group", "finance", (FULL, DEFAULT_DENY))


def test_an_application_comes_out_as_it_went_in_with_its_rules_in_place() -> None:
    assert bundle.open_application(APPLICATION_BLOB) == APPLICATION


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds(), st.randoms())
def test_every_world_round_trips_and_its_bytes_do_not_depend_on_the_order_given(world: World, shuffle: Any) -> None:
    for application in world.applications:
        blob = bundle.compile_application(application)
        opened = bundle.open_application(blob)
        lowered = tuple(replace(rule, hash=rule.hash.lower()) for rule in application.rules)
        assert opened == replace(application, rules=lowered)
        assert bundle.compile_application(opened) == blob
    for level, target in {(one.level, one.target) for one in world.policies}:
        mine = [one for one in world.policies if (one.level, one.target) == (level, target)]
        blob = bundle.compile_layer(level, target, mine)
        shuffle.shuffle(mine)
        assert bundle.compile_layer(level, target, mine) == blob
        assert sorted(bundle.open_layer(blob).policies, key=lambda one: one.id) == sorted(mine, key=lambda one: one.id)


def test_the_order_of_a_ringfences_keys_does_not_change_the_bytes() -> None:
    one = bundle.compile_layer("group", "finance", [replace(FULL, ringfence={"a": 1, "b": {"c": 2, "d": 3}})])
    other = bundle.compile_layer("group", "finance", [replace(FULL, ringfence={"b": {"d": 3, "c": 2}, "a": 1})])
    assert one == other


def test_another_content_has_another_digest() -> None:
    other = bundle.compile_application(replace(APPLICATION, name="Acmf"))
    assert bundle.digest(other) != bundle.digest(APPLICATION_BLOB)
    assert len(bundle.digest(other)) == 64


def mutations(blob: bytes) -> list[bytes]:
    """Bit flips and cuts, of the compressed bytes and of what is inside."""
    pick = random.Random(7)
    raw = inflated(blob)
    found = [blob[:cut] for cut in range(len(blob))] + [packed(raw[:cut]) for cut in range(len(raw))]
    for _ in range(1_000):
        for original, wrap in ((blob, bytes), (raw, packed)):
            flipped = bytearray(original)
            for _ in range(pick.choice((1, 1, 1, 3))):
                flipped[pick.randrange(len(flipped))] ^= 1 << pick.randrange(8)
            found.append(wrap(bytes(flipped)))
    return found


@pytest.mark.parametrize(
    ("blob", "opened_by"),
    [(LAYER, bundle.open_layer), (APPLICATION_BLOB, bundle.open_application)],
    ids=["layer", "application"],
)
def test_flipped_and_cut_blobs_are_read_or_refused_and_nothing_else(blob: bytes, opened_by: Any) -> None:
    refused = 0
    for mutated in mutations(blob):
        try:
            opened = opened_by(mutated)
        except BundleError:
            refused += 1
        else:
            assert type(opened) is type(opened_by(blob))
    assert refused > 1_000


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_noise_is_refused(noise: bytes, wrapped: bool) -> None:
    for opened_by in (bundle.open_layer, bundle.open_application):
        with pytest.raises(BundleError):
            opened_by(packed(noise) if wrapped else noise)


def changed(blob: bytes, *path: int, value: object) -> bytes:
    """The blob with one value replaced, found by its positions."""
    document = msgspec.msgpack.decode(inflated(blob))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return packed(msgspec.msgpack.encode(document))


ODD_LAYERS = {
    "a newer format": changed(LAYER, 0, value=2),
    "a format that is no number": changed(LAYER, 0, value="1"),
    "an application": APPLICATION_BLOB,
    "an unknown level": changed(LAYER, 2, value="galaxy"),
    "no target": changed(LAYER, 3, value=""),
    "a field too many": changed(LAYER, 4, 0, value=[*msgspec.msgpack.decode(inflated(LAYER))[4][0], 1]),
    "a field too few": changed(LAYER, 4, 0, value=msgspec.msgpack.decode(inflated(LAYER))[4][0][:-1]),
    "an unknown action": changed(LAYER, 4, 0, 2, value="maybe"),
    "an unknown status": changed(LAYER, 4, 0, 3, value="maybe"),
    "an order below all": changed(LAYER, 4, 0, 4, value=100),
    "a negative order": changed(LAYER, 4, 0, 4, value=-100),
    "an order beyond Default Deny": changed(LAYER, 4, 0, 4, value=1_000_001),
    "Default Deny's order without its flag": changed(LAYER, 4, 0, 4, value=1_000_000),
    "an order that is no whole number": changed(LAYER, 4, 0, 4, value=100_001.0),
    "a Default Deny that permits": changed(LAYER, 4, 1, 2, value="permit"),
    "a Default Deny with applications": changed(LAYER, 4, 1, 5, value=["tools"]),
    "the same policy twice": changed(LAYER, 4, 1, 0, value="p-1"),
    "a flag that is a number": changed(LAYER, 4, 0, 7, value=1),
    "a day after Sunday": changed(LAYER, 4, 0, 10, 0, 0, value=7),
    "a window that never opens": changed(LAYER, 4, 0, 10, 0, value=[0, 5, 5]),
    "an expiry before time": changed(LAYER, 4, 0, 9, value=-1),
    "a name without end": changed(LAYER, 4, 0, 1, value="x" * 10_000),
    "a ringfence of the wrong shape": changed(LAYER, 4, 0, 16, value=[1]),
    "bytes after the frame": LAYER + b"\0",
    "two frames": LAYER + LAYER,
    "a frame of unknown size": zstandard.ZstdCompressor(write_content_size=False).compress(inflated(LAYER)),
    "a frame that lies about its size": LAYER[:4] + LAYER[4:5] + b"\xff" + LAYER[6:],
    "bytes after the document": packed(inflated(LAYER) + b"\0"),
    "a hundred thousand arrays in each other": packed(b"\x91" * 100_000),
    "the same, after an honest start": packed(inflated(LAYER)[:-1] + b"\x91" * 100_000),
    "text that is not UTF-8": packed(inflated(LAYER).replace(b"finance", b"financ\xff")),
    "nothing": b"",
    "a bomb": packed(bytes(bundle.MAX_INFLATED_BYTES + 1)),
    "more bytes than a blob has": os.urandom(16) * (bundle.MAX_BLOB_BYTES // 16 + 1),
}


@pytest.mark.parametrize("blob", ODD_LAYERS.values(), ids=ODD_LAYERS.keys())
def test_an_odd_layer_is_refused(blob: bytes) -> None:
    with pytest.raises(BundleError):
        bundle.open_layer(blob)


def test_a_bomb_is_refused_by_what_it_says_before_it_is_unpacked() -> None:
    with pytest.raises(BundleError, match="unpacked; this says 1,073,741,824"):
        bundle.open_layer(packed(bytes(1 << 30)))


ODD_APPLICATIONS = {
    "a short hash": changed(APPLICATION_BLOB, 5, 0, 1, value=b"ab"),
    "a hash in hex": changed(APPLICATION_BLOB, 5, 0, 1, value="ab" * 32),
    "a rule without id": changed(APPLICATION_BLOB, 5, 0, 0, value=""),
    "a rule of an unknown kind": changed(APPLICATION_BLOB, 5, 0, value=["1", b"", "c:\\*", "", "", "", "parent"]),
    "a pattern without end": changed(APPLICATION_BLOB, 5, 0, 2, value="x" * 10_000),
    "a layer": LAYER,
}


@pytest.mark.parametrize("blob", ODD_APPLICATIONS.values(), ids=ODD_APPLICATIONS.keys())
def test_an_odd_application_is_refused(blob: bytes) -> None:
    with pytest.raises(BundleError):
        bundle.open_application(blob)


def nested(depth: int) -> dict[str, Any]:
    return {"in": nested(depth - 1)} if depth else {}


NOT_COMPILED: list[Policy] = [
    replace(FULL, target="sales"),
    replace(FULL, level="computer"),
    replace(FULL, order=100),
    replace(FULL, order=1_000_000),
    replace(FULL, name="half a character \ud800"),
    replace(FULL, action="maybe"),  # type: ignore[arg-type]
    replace(FULL, schedule=(Window(0, 5, 5),)),
    replace(FULL, ringfence=nested(20)),
    replace(FULL, ringfence={"socket": object()}),
    replace(FULL, ringfence=nested(900)),
    replace(DEFAULT_DENY, action="permit"),
]


@pytest.mark.parametrize("odd", NOT_COMPILED, ids=range(len(NOT_COMPILED)))
def test_what_an_agent_would_refuse_is_not_compiled(odd: Policy) -> None:
    with pytest.raises(BundleError):
        bundle.compile_layer("group", "finance", [odd])


def test_a_rule_with_a_hash_that_is_none_is_not_compiled() -> None:
    with pytest.raises(BundleError, match="not a SHA-256"):
        bundle.compile_application(Application("a", "A", False, (FileRule("r", hash="abc"),)))
