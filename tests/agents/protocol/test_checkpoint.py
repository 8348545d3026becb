"""Checkpoints and trust roots: freshness, rollback of every role, and what survives the loss of a key."""

from __future__ import annotations

import msgspec
import pytest

from agents.protocol import envelope
from agents.protocol.acceptance import AgentState, Rejection, accept, accept_checkpoint, accept_root
from agents.protocol.manifest import ROOT_TYPE, Checkpoint, TrustRoot
from tests.agents.protocol.signer import (
    BUNDLE,
    CHECKPOINT,
    NONCE,
    NOW,
    ROOT,
    STATE,
    STRANGER,
    TRUST,
    checkpoint_of,
    key,
    manifest,
    payload,
    public,
    sealed,
    sealed_checkpoint,
)

NEW_ROOT, NEW_BUNDLE, NEW_CHECKPOINT = key("root 2"), key("bundle 2"), key("checkpoint 2")


def refusal(data: bytes, state: AgentState = STATE, nonce: str = NONCE, now: int | None = NOW) -> str:
    with pytest.raises(Rejection) as caught:
        accept_checkpoint(data, state, TRUST, nonce, now)
    return caught.value.code


def offered(**changes: object) -> bytes:
    return sealed_checkpoint(checkpoint_of(manifest(), **changes))


def test_a_good_checkpoint_is_accepted_and_remembered() -> None:
    checkpoint, state = accept_checkpoint(offered(), STATE, TRUST, NONCE, NOW)
    assert isinstance(checkpoint, Checkpoint)
    assert state.checkpoint_issued_at == checkpoint.issued_at == NOW - 10
    assert (state.epoch, state.version) == (STATE.epoch, STATE.version)


def test_checkpoint_for_another_computer() -> None:
    assert refusal(offered(computer="somebody else")) == "wrong_computer"


def test_checkpoint_replayed_from_an_earlier_check_in() -> None:
    assert refusal(offered(), nonce="another nonce") == "wrong_nonce"


def test_checkpoint_expired() -> None:
    assert refusal(offered(expires_at=NOW)) == "checkpoint_expired"


def test_a_computer_whose_clock_is_years_off_still_takes_a_fresh_checkpoint() -> None:
    accepted, _ = accept_checkpoint(offered(), STATE, TRUST, NONCE, None)
    assert accepted.server_time == NOW
    assert refusal(offered(expires_at=NOW), now=None) == "checkpoint_expired"


def test_checkpoint_valid_for_longer_than_a_day() -> None:
    assert refusal(offered(issued_at=NOW - 10, expires_at=NOW - 9 + 24 * 3600)) == "checkpoint_too_long"


def test_checkpoint_rollback_in_time() -> None:
    state = msgspec.structs.replace(STATE, checkpoint_issued_at=NOW)
    assert refusal(offered(issued_at=NOW - 1), state) == "checkpoint_rollback"


def test_checkpoint_version_rollback() -> None:
    state = msgspec.structs.replace(STATE, epoch=1, version=8, sha256="2" * 64)
    assert refusal(offered(), state) == "version_rollback"


def test_checkpoint_of_an_unknown_epoch() -> None:
    assert refusal(offered(epoch=2)) == "wrong_epoch"


def test_the_bundle_key_cannot_sign_checkpoints() -> None:
    data = sealed_checkpoint(checkpoint_of(manifest()), BUNDLE)
    assert refusal(data) == "unknown_key"


def test_endless_checkpoint() -> None:
    assert refusal(b"\x00" * 8193) == "too_large"


def next_root(**changes: object) -> TrustRoot:
    good = TrustRoot(
        epoch=2,
        bundle_keys=(public(NEW_BUNDLE),),
        checkpoint_keys=(public(NEW_CHECKPOINT),),
        root_keys=(public(NEW_ROOT),),
    )
    return msgspec.structs.replace(good, **changes)


def root_refusal(data: bytes, trust: TrustRoot = TRUST) -> str:
    with pytest.raises(Rejection) as caught:
        accept_root(data, trust)
    return caught.value.code


def test_root_signed_by_old_and_new_is_accepted() -> None:
    data = envelope.seal(ROOT_TYPE, payload(next_root()), (ROOT, NEW_ROOT))
    assert accept_root(data, TRUST) == next_root()


@pytest.mark.parametrize("signers", [(ROOT,), (NEW_ROOT,)])
def test_root_signed_by_one_side_only(signers: tuple[object, ...]) -> None:
    data = envelope.seal(ROOT_TYPE, payload(next_root()), signers)  # type: ignore[arg-type]
    assert root_refusal(data) == "root_not_signed_by_both"


def test_root_signed_by_a_stranger_or_the_bundle_key() -> None:
    for signer in (STRANGER, BUNDLE, CHECKPOINT):
        data = envelope.seal(ROOT_TYPE, payload(next_root()), (signer, NEW_ROOT))
        assert root_refusal(data) == "unknown_key"


@pytest.mark.parametrize("epoch", [1, 3])
def test_root_may_only_go_one_epoch_forward(epoch: int) -> None:
    data = envelope.seal(ROOT_TYPE, payload(next_root(epoch=epoch)), (ROOT, NEW_ROOT))
    assert root_refusal(data) == "root_rollback"


def test_root_that_is_no_root_or_not_signed() -> None:
    assert root_refusal(b"\x00") == "malformed"
    assert root_refusal(envelope.seal(ROOT_TYPE, payload(manifest()), (ROOT, NEW_ROOT))) == "malformed"
    assert root_refusal(envelope.seal(ROOT_TYPE, payload(next_root()), ())) == "root_not_signed_by_both"


def test_without_root_keys_trust_never_changes() -> None:
    pinned = msgspec.structs.replace(TRUST, root_keys=())
    data = envelope.seal(ROOT_TYPE, payload(next_root()), (ROOT, NEW_ROOT))
    assert root_refusal(data, pinned) == "no_root_keys"


def test_fast_forward_recovery() -> None:
    """A thief signs the highest version there is; a new root makes epoch 2, version 1 outrank it."""
    stolen = manifest(version=2**62)
    poisoned = accept(sealed(stolen), STATE, TRUST, checkpoint_of(stolen), NOW).state
    trust = accept_root(envelope.seal(ROOT_TYPE, payload(next_root()), (ROOT, NEW_ROOT)), TRUST)
    healed = manifest(epoch=2, version=1)
    accepted = accept(sealed(healed, NEW_BUNDLE), poisoned, trust, checkpoint_of(healed), NOW)
    assert (accepted.state.epoch, accepted.state.version) == (2, 1)
    with pytest.raises(Rejection) as caught:
        accept(sealed(stolen), accepted.state, trust, checkpoint_of(stolen), NOW)
    assert caught.value.code == "unknown_key"
