"""Enrolment: a computer that holds an install key makes its own key known. All refusals look alike from outside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.core import signing as django_signing
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils.crypto import get_random_string

from agents import install_keys
from agents.models import AgentNonce, ComputerKey, Delivery, InstallKey
from agents.models.identity import KeyState
from agents.protocol import signing
from agents.protocol.messages import EnrollRequest
from portal.common import clock, queue
from portal.common.errors import PortalError
from portal.tenants import journal
from portal.tenants.models import Computer, Mode, Organization
from portal.tenants.reach import Actor, Reach, system_reach
from portal.tenants.scoping import reaching

log = structlog.get_logger(__name__)

NONCE_SECONDS = 300
_SALT = "agents.enrolment.nonce"


class EnrolmentRefused(PortalError):
    """Why stands in `reason`, for the System Audit and the log; the answer never tells."""

    status = 403
    title = "Enrolment refused"
    code = "enrolment_refused"

    def __init__(self, reason: str) -> None:
        super().__init__("This enrolment was refused. Ask your technician for a new install key.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who the computer is from now on. `is_pending`: a known machine came again; it waits for a technician."""

    computer_id: str
    organization_id: str
    key_id: str
    is_pending: bool


def new_nonce() -> str:
    """A random value, signed and dated, that one enrolment within `NONCE_SECONDS` may use."""
    return django_signing.TimestampSigner(salt=_SALT).sign(get_random_string(22))


def enroll(message: EnrollRequest, *, address: str) -> Enrolled:
    """Make a computer's key known. Raises EnrolmentRefused, always with the same words.

    Every check is made whatever the others say, and the refusal is noted by a task: neither the answer nor
    its time tells which one failed.
    """
    with reaching(system_reach("check an install key")) as system:
        key, fault = install_keys.find_by_secret(system, message.install_key)
    closed = install_keys.closed_reason(key, clock.now()) if key else ""
    public_key, proven = _proof(message)
    known = closed == "used_up" and key is not None and _is_known(key, public_key)
    faults = (fault, "" if known else closed, _nonce_fault(message.nonce), "" if proven else "no_proof")
    reason = next((word for word in faults if word), "")
    if not reason and key is not None:
        try:
            return _admit(key, message, public_key, address)
        except EnrolmentRefused as refused:
            reason = refused.reason
    _note_refusal(message, reason, address)
    raise EnrolmentRefused(reason)


def note_refused_enrolment(reach: Reach, *, reference: str, reason: str, hostname: str, address: str) -> None:
    """Write a refusal into the System Audit of the organization whose install key was shown, if it is anyone's."""
    key = InstallKey.objects.within(reach).filter(reference=reference).first()
    if key is not None and reason != "wrong_secret":
        journal.record(
            reach,
            "install_key.refused",
            key,
            organization_id=key.organization_id,
            reason=reason,
            hostname=hostname,
            from_address=address,
        )


def _note_refusal(message: EnrollRequest, reason: str, address: str) -> None:
    reference = message.install_key.partition(".")[0][:24]
    log.warning("enrolment.refused", reason=reason, reference=reference, address=address)
    queue.publish(
        "agents.note_refused_enrolment",
        reference=reference,
        reason=reason,
        hostname=message.hostname[:120],
        address=address,
    )


def _proof(message: EnrollRequest) -> tuple[bytes, bool]:
    """The computer's public key, and whether it proved to hold the private half."""
    try:
        public_key, proof = signing.unb64(message.public_key), signing.unb64(message.proof)
    except ValueError:
        return bytes(32), False  # verified, this key of small order would pass one time in four
    proven = signing.verify(
        public_key, proof, signing.enroll_proof(message.nonce, message.machine_id, message.public_key)
    )
    return public_key, proven and bool(message.machine_id.strip()) and bool(message.hostname.strip())


def _nonce_fault(nonce: str) -> str:
    try:
        django_signing.TimestampSigner(salt=_SALT).unsign(nonce, max_age=NONCE_SECONDS)
    except django_signing.SignatureExpired:
        return "nonce_expired"
    except django_signing.BadSignature:
        return "nonce_unknown"
    return ""


def _is_known(install_key: InstallKey, public_key: bytes) -> bool:
    with reaching(system_reach("see whether an enrolment is repeated")) as system:
        return (
            ComputerKey.objects.within(system)
            .filter(organization_id=install_key.organization_id, key_id=signing.key_id(public_key))
            .exists()
        )


def _admit(install_key: InstallKey, message: EnrollRequest, public_key: bytes, address: str) -> Enrolled:
    """One transaction in the install key's organization: use counted, nonce used up, computer and key there."""
    organization: Organization = install_key.organization
    reach = Reach(
        Actor("agent", name=message.hostname[:120], address=address),
        grants={organization.id: frozenset()},
        numbers={organization.id: organization.number},
    )
    try:
        with reaching(reach), transaction.atomic():
            now = clock.now()
            _use_nonce(organization, message.nonce, now)
            repeated = _repeated(reach, message, public_key)
            if repeated is not None:
                return repeated
            _count_use(reach, install_key, now)
            return _register(reach, install_key, message, public_key, now)
    except IntegrityError as error:
        raise EnrolmentRefused("replayed_or_taken") from error


def _use_nonce(organization: Organization, nonce: str, now: datetime) -> None:
    AgentNonce.rows.create(organization=organization, sha256=hashlib.sha256(nonce.encode()).digest(), used_at=now)


def _repeated(reach: Reach, message: EnrollRequest, public_key: bytes) -> Enrolled | None:
    """The answer of an enrolment that succeeded before and whose answer was lost: same machine, same key."""
    key = (
        ComputerKey.objects.within(reach)
        .filter(key_id=signing.key_id(public_key), computer__machine_id=message.machine_id)
        .first()
    )
    if key is None:
        return None
    if key.state == KeyState.BANNED:
        raise EnrolmentRefused("banned_key")
    return _enrolled(key)


def _count_use(reach: Reach, install_key: InstallKey, now: datetime) -> None:
    """One statement decides a race for the last use."""
    used = (
        InstallKey.objects.within(reach)
        .filter(Q(max_uses=None) | Q(uses__lt=F("max_uses")), pk=install_key.pk, revoked_at=None, expires_at__gt=now)
        .update(uses=F("uses") + 1, last_used_at=now)
    )
    if not used:
        raise EnrolmentRefused("used_up")


def _register(
    reach: Reach, install_key: InstallKey, message: EnrollRequest, public_key: bytes, now: datetime
) -> Enrolled:
    if install_key.group.os != message.os:
        raise EnrolmentRefused("wrong_os")
    computer, is_new = _computer(install_key, message, now)
    is_pending = not is_new and computer.keys.exists()
    key = ComputerKey.rows.create(
        organization_id=install_key.organization_id,
        computer=computer,
        key_id=signing.key_id(public_key),
        public_key=public_key,
        fingerprint=signing.fingerprint(public_key),
        state=KeyState.PENDING if is_pending else KeyState.ACTIVE,
        address=reach.actor.address,
        created_at=now,
        changed_at=now,
    )
    if not is_pending:
        owe_bundle(computer, now)
    journal.record(
        reach,
        "computer.reenrolled" if is_pending else "computer.enrolled",
        computer,
        organization_id=install_key.organization_id,
        key=key.key_id,
        install_key=install_key.reference,
        needs_attention=is_pending,
    )
    return _enrolled(key)


def _computer(install_key: InstallKey, message: EnrollRequest, now: datetime) -> tuple[Computer, bool]:
    group = install_key.group
    learns = group.initial_learning_days > 0
    return Computer.rows.get_or_create(
        organization_id=install_key.organization_id,
        machine_id=message.machine_id[:128],
        defaults={
            "group": group,
            "name": message.hostname[:120],
            "os": message.os,
            "agent_version": message.agent_version[:40],
            "mode": Mode.LEARNING if learns else Mode.SECURED,
            "mode_ends_at": now + timedelta(days=group.initial_learning_days) if learns else None,
        },
    )


def owe_bundle(computer: Computer, now: datetime) -> None:
    """This computer is due a bundle. The row is the truth; the message only makes it prompt."""
    Delivery.rows.update_or_create(
        computer=computer,
        defaults={"rebuild_due_at": now},
        create_defaults={"organization_id": computer.organization_id, "rebuild_due_at": now},
    )
    queue.after_commit("agents.build_owed_bundles", organization_id=computer.organization_id)


def _enrolled(key: ComputerKey) -> Enrolled:
    return Enrolled(
        computer_id=str(key.computer_id),
        organization_id=str(key.organization_id),
        key_id=key.key_id,
        is_pending=key.state == KeyState.PENDING,
    )


def computer_moved(reach: Reach, computer: Computer) -> None:
    """A computer in another group is due that group's bundle. Only an enrolled one can be sent any."""
    if ComputerKey.objects.within(reach).filter(computer=computer, state=KeyState.ACTIVE).exists():
        owe_bundle(computer, clock.now())
