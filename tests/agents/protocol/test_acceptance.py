"""One test per check, with only that check violated. Names follow the attacks of the TUF specification."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import pytest

from agents.protocol import envelope
from agents.protocol.acceptance import AgentState, Rejection, accept, check_layer, is_stale
from agents.protocol.manifest import (
    CHECKPOINT_TYPE,
    MANIFEST_TYPE,
    MAX_MANIFEST_BYTES,
    Checkpoint,
    Manifest,
    ManifestPlace,
)
from tests.agents.protocol.signer import (
    AGENT,
    BUNDLE,
    CHECKPOINT,
    FINGERPRINT,
    GROUP,
    NOW,
    STATE,
    STRANGER,
    TRUST,
    checkpoint_of,
    manifest,
    payload,
    sealed,
)


def digest(what: Manifest) -> str:
    return hashlib.sha256(payload(what)).hexdigest()


def refusal(data: bytes, state: AgentState = STATE, checkpoint: Checkpoint | None = None, now: int = NOW) -> str:
    """The code with which these bytes are refused."""
    with pytest.raises(Rejection) as caught:
        accept(data, state, TRUST, checkpoint or checkpoint_of(manifest()), now)
    return caught.value.code


def test_a_good_bundle_is_accepted_and_names_the_state_to_persist() -> None:
    good = manifest()
    accepted = accept(sealed(good), STATE, TRUST, checkpoint_of(good), NOW)
    assert accepted.manifest == good
    assert accepted.sha256 == digest(good) == accepted.state.sha256
    assert (accepted.state.epoch, accepted.state.version) == (1, 7)
    assert accepted.state.computer == STATE.computer


def test_the_same_bundle_again_is_accepted() -> None:
    good = manifest()
    once = accept(sealed(good), STATE, TRUST, checkpoint_of(good), NOW)
    assert accept(sealed(good), once.state, TRUST, checkpoint_of(good), NOW).state == once.state


def test_version_rollback() -> None:
    old = manifest(version=6)
    state = msgspec.structs.replace(STATE, epoch=1, version=7, sha256=digest(manifest()))
    assert refusal(sealed(old), state, checkpoint_of(old)) == "version_rollback"


def test_rolling_back_is_possible_with_a_new_version_of_the_old_content() -> None:
    state = msgspec.structs.replace(STATE, epoch=1, version=7, sha256=digest(manifest()))
    again = manifest(version=8)
    assert accept(sealed(again), state, TRUST, checkpoint_of(again), NOW).state.version == 8


def test_same_version_other_hash() -> None:
    state = msgspec.structs.replace(STATE, epoch=1, version=7, sha256="0" * 64)
    good = manifest()
    assert refusal(sealed(good), state, checkpoint_of(good)) == "same_version_other_hash"


def test_wrong_target_computer() -> None:
    other = manifest(computer="01890000-0000-7000-8000-0000000000c2")
    assert refusal(sealed(other), checkpoint=checkpoint_of(other)) == "wrong_computer"


def test_wrong_target_organization() -> None:
    other = manifest(organization="01890000-0000-7000-8000-0000000000ab")
    assert refusal(sealed(other), checkpoint=checkpoint_of(other)) == "wrong_organization"


def test_wrong_target_organization_in_the_place_only() -> None:
    other = manifest(place=ManifestPlace(organization="somewhere else", group=GROUP))
    assert refusal(sealed(other), checkpoint=checkpoint_of(other)) == "wrong_organization"


def test_wrong_target_key_fingerprint() -> None:
    other = manifest(key_fingerprint="0" * 64)
    assert FINGERPRINT != "0" * 64
    assert refusal(sealed(other), checkpoint=checkpoint_of(other)) == "wrong_key"


def test_manifest_size_mismatch_with_checkpoint() -> None:
    good = manifest()
    assert refusal(sealed(good), checkpoint=checkpoint_of(good, size=len(payload(good)) + 1)) == "size_mismatch"


def test_manifest_hash_mismatch_with_checkpoint() -> None:
    good = manifest()
    assert refusal(sealed(good), checkpoint=checkpoint_of(good, sha256="1" * 64)) == "hash_mismatch"


def test_mix_and_match_checkpoint_of_another_version() -> None:
    good = manifest()
    other = checkpoint_of(good, version=8)
    assert refusal(sealed(good), checkpoint=other) == "checkpoint_mismatch"


def test_manifest_expired() -> None:
    old = manifest(expires_at=NOW)
    assert refusal(sealed(old), checkpoint=checkpoint_of(old)) == "expired"


def test_manifest_issued_in_the_future() -> None:
    early = manifest(issued_at=NOW + 24 * 3600 + 1)
    assert refusal(sealed(early), checkpoint=checkpoint_of(early)) == "issued_in_future"


def test_checkpoint_expired_before_the_bundle_arrived() -> None:
    good = manifest()
    assert refusal(sealed(good), checkpoint=checkpoint_of(good, expires_at=NOW)) == "checkpoint_expired"


def test_bad_signature() -> None:
    data = envelope.seal(MANIFEST_TYPE, payload(manifest()), (BUNDLE,))
    opened = msgspec.msgpack.decode(data, type=envelope.Envelope)
    bent = bytes([opened.signatures[0].sig[0] ^ 1]) + opened.signatures[0].sig[1:]
    forged = envelope.Envelope(MANIFEST_TYPE, opened.payload, (envelope.Signature(opened.signatures[0].key_id, bent),))
    assert refusal(msgspec.msgpack.encode(forged)) == "bad_signature"


def test_one_changed_bit_of_the_payload_is_a_bad_signature() -> None:
    data = bytearray(sealed(manifest()))
    data[data.index(b"global")] ^= 1
    assert refusal(bytes(data)) == "bad_signature"


def test_unknown_key() -> None:
    assert refusal(sealed(manifest(), STRANGER)) == "unknown_key"


def test_unknown_key_beside_a_good_signature() -> None:
    assert refusal(sealed(manifest(), BUNDLE, STRANGER)) == "unknown_key"


def test_the_checkpoint_key_cannot_sign_bundles() -> None:
    assert refusal(sealed(manifest(), CHECKPOINT)) == "unknown_key"


def test_the_agents_own_key_cannot_sign_bundles() -> None:
    assert refusal(sealed(manifest(), AGENT)) == "unknown_key"


def test_missing_signature() -> None:
    bare = envelope.Envelope(MANIFEST_TYPE, payload(manifest()), ())
    assert refusal(msgspec.msgpack.encode(bare)) == "no_signature"


def test_duplicate_signature() -> None:
    assert refusal(sealed(manifest(), BUNDLE, BUNDLE)) == "duplicate_signature"


def test_unknown_payload_type() -> None:
    data = envelope.seal(CHECKPOINT_TYPE, payload(manifest()), (BUNDLE,))
    assert refusal(data) == "unknown_payload_type"


def test_endless_data_is_refused_before_it_is_parsed() -> None:
    good = checkpoint_of(manifest())
    assert refusal(b"\xff" * (good.size + envelope.OVERHEAD_BYTES + 1), checkpoint=good) == "too_large"


def test_endless_data_whatever_the_checkpoint_allows() -> None:
    huge = checkpoint_of(manifest(), size=1 << 40)
    assert refusal(bytes(MAX_MANIFEST_BYTES + envelope.OVERHEAD_BYTES + 1), checkpoint=huge) == "too_large"


def test_unknown_format_and_engine_of_the_future() -> None:
    for changes, code in (({"format": 2}, "unknown_format"), ({"engine_min": 2}, "engine_too_old")):
        other = manifest(**changes)
        assert refusal(sealed(other), checkpoint=checkpoint_of(other)) == code


def test_fast_forward_into_an_epoch_nobody_announced() -> None:
    jump = manifest(epoch=2, version=1)
    assert refusal(sealed(jump), checkpoint=checkpoint_of(jump)) == "wrong_epoch"


def test_hold_stops_new_versions_and_leaves_the_current_one_alone() -> None:
    good = manifest()
    held = checkpoint_of(good, hold=True)
    assert refusal(sealed(good), checkpoint=held) == "held"
    same = msgspec.structs.replace(STATE, epoch=1, version=7, sha256=digest(good))
    assert accept(sealed(good), same, TRUST, held, NOW).state == same


def test_a_signed_payload_that_is_no_manifest() -> None:
    data = envelope.seal(MANIFEST_TYPE, b"\x93\x01\x02\x03", (BUNDLE,))
    assert refusal(data) == "malformed"


def test_freeze_makes_stale_and_is_no_refusal() -> None:
    good = checkpoint_of(manifest())
    assert not is_stale(good.expires_at, NOW)
    assert is_stale(good.expires_at, NOW + 25 * 3600)


@pytest.mark.parametrize("cut", range(0, 400, 13))
def test_a_cut_envelope_never_gets_through(cut: int) -> None:
    assert refusal(sealed(manifest())[:cut]) in {"malformed", "bad_signature"}


def test_every_single_bit_flip_is_refused() -> None:
    data = sealed(manifest())
    good = checkpoint_of(manifest())
    for position in range(len(data)):
        bent = bytearray(data)
        bent[position] ^= 1 << (position % 8)
        assert refusal(bytes(bent), checkpoint=good), position


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda blob: blob + b"x", "layer_size_mismatch"),
        (lambda blob: b"y" * len(blob), "layer_hash_mismatch"),
    ],
)
def test_a_layer_other_than_the_one_named(bend: Callable[[bytes], bytes], code: str) -> None:
    layer = manifest().layers[0]
    check_layer(layer, b"layer")
    with pytest.raises(Rejection) as caught:
        check_layer(layer, bend(b"layer"))
    assert caught.value.code == code
