"""One pretend computer: enrolls, checks in, takes bundles, decides, reports."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol import acceptance, messages, signing
from agents.protocol.manifest import Manifest, TrustRoot
from agents.simulate.client import Client, PortalRefusal
from agents.simulate.fleet_file import Member
from agents.simulate.layers import LayerStore
from agents.simulate.ledger import Ledger
from agents.simulate.spool import Spool
from policies.engine.bundle import BundleError
from policies.engine.decision import Decision
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Place
from policies.engine.normal_form import normal_facts

VERSION = "0.1.0-simulated"


@dataclass(slots=True)
class SimulatedAgent:
    """`member` is what survives a restart; everything else is of this run."""

    member: Member
    client: Client
    layers: LayerStore
    ledger: Ledger = field(default_factory=Ledger)
    spool: Spool = field(init=False)
    manifest: Manifest | None = None
    engine: Engine | None = None
    stream_url: str = ""
    stream_token: str = ""
    revision: int = 0
    checkin_seconds: int = 60

    def __post_init__(self) -> None:
        self.spool = Spool(self.ledger)

    # --- who it is ---

    async def enroll(self) -> None:
        """Become a computer of the portal. Raises PortalRefusal, PortalUnreachable."""
        public_key = signing.b64(signing.public_bytes(self.client.key))
        nonce = await self.client.call("nonce", {}, messages.NonceAnswer, signed=False)
        proof = signing.enroll_proof(nonce.nonce, self.member.machine_id, public_key)
        answer = await self.client.call(
            "enroll",
            messages.EnrollRequest(
                install_key=self.member.install_key,
                hostname=self.member.name,
                machine_id=self.member.machine_id,
                os=self.member.os,  # type: ignore[arg-type]
                agent_version=VERSION,
                public_key=public_key,
                nonce=nonce.nonce,
                proof=signing.b64(self.client.key.sign(proof)),
            ),
            messages.EnrollAnswer,
            signed=False,
        )
        self.member.key_id = answer.key_id
        self.member.trust = answer.trust
        self.member.state = acceptance.AgentState(
            organization=answer.organization,
            computer=answer.computer,
            key_fingerprint=signing.fingerprint(signing.public_bytes(self.client.key)),
        )
        self.stream_url, self.checkin_seconds = answer.stream_url, answer.checkin_seconds

    # --- what it enforces ---

    async def check_in(self) -> bool:
        """One heartbeat; takes the bundle the checkpoint names when it is new. True when a bundle was applied."""
        state, trust = self._enrolled()
        nonce = secrets.token_urlsafe(18)
        answer = await self.client.call("checkin", self._heartbeat(nonce), messages.CheckinAnswer)
        self.stream_url = answer.stream_url or self.stream_url
        self.stream_token = answer.stream_token
        self.revision = max(self.revision, answer.revision)
        self.checkin_seconds = self.manifest.settings.checkin_seconds if self.manifest else answer.checkin_seconds
        if not answer.checkpoint:
            return False
        now = int(self.client.now())
        try:
            checkpoint, state = acceptance.accept_checkpoint(answer.checkpoint, state, trust, nonce, None)
            self.member.state = state
            if (checkpoint.epoch, checkpoint.version) == (
                state.epoch,
                state.version,
            ) and self.engine is not None:
                return False
            envelope = (await self.client.send("GET", "manifest")).body
            accepted = acceptance.accept(envelope, state, trust, checkpoint, now)
            await self._fetch_layers(accepted.manifest)
            self.engine = self.layers.engine(accepted.manifest)
        except (acceptance.Rejection, BundleError) as refusal:
            await self._refuse(refusal)
            return False
        return await self._apply(accepted, envelope)

    async def _fetch_layers(self, manifest: Manifest) -> None:
        for digest in self.layers.missing(manifest):
            self.layers.put(manifest, digest, (await self.client.send("GET", f"blobs/{digest}")).body)

    async def _apply(self, accepted: acceptance.Accepted, envelope: bytes) -> bool:
        manifest = accepted.manifest
        self.manifest, self.member.state, self.member.manifest = manifest, accepted.state, envelope
        self.ledger.applied.append((manifest.epoch, manifest.version, accepted.sha256))
        await self._acknowledge(
            messages.Ack(
                epoch=manifest.epoch,
                version=manifest.version,
                sha256=accepted.sha256,
                result="applied",
                at_ms=int(self.client.now() * 1000),
            )
        )
        return True

    async def _refuse(self, refusal: Exception) -> None:
        code = getattr(refusal, "code", "unreadable_bundle")
        self.ledger.refused.append((code, str(refusal)))
        state, _ = self._enrolled()
        await self._acknowledge(
            messages.Ack(
                epoch=state.epoch,
                version=state.version,
                sha256=state.sha256,
                result="refused",
                reason=code,
                detail=str(refusal)[:500],
            )
        )

    async def _acknowledge(self, ack: messages.Ack) -> None:
        await self.client.send("POST", "ack", messages.encode(ack))

    # --- what happens on it ---

    def run(self, facts: FileFacts) -> Decision | None:
        """Decide as a real agent would and put the event in the spool. None before the first bundle."""
        if self.engine is None or self.manifest is None:
            return None
        normal = normal_facts(facts)
        at_ms = int(self.client.now() * 1000)
        decision = self.engine.decide(normal, self.place(), at_ms)
        is_plain_permit = decision.effect != "denied" and not decision.simulated
        if self.manifest.settings.log_permits or not is_plain_permit:
            event = event_of(
                self.spool.next_sequence, normal, decision, at_ms, self.place().mode, self.manifest.version
            )
            self.spool.add(event)
        return decision

    def place(self) -> Place:
        """Where it stands, by its manifest; a mode whose end has passed has become what follows it."""
        if self.manifest is None:
            raise ValueError("no bundle yet")
        place, window = self.manifest.place, self.manifest.mode
        over = window.ends_at is not None and window.ends_at <= self.client.now()
        return Place(
            computer=self.manifest.computer,
            group=place.group,
            organization=place.organization,
            above=place.above,
            mode=window.after if over else window.mode,
            prioritize_builtin=self.manifest.settings.prioritize_builtin,
            os=place.os,
        )

    async def upload(self) -> int:
        """Send one batch. Returns how many events were accepted; keeps the batch when nothing answers."""
        batch = self.spool.batch()
        if batch is None:
            return 0
        try:
            answer = await self.client.call("events", batch, messages.EventsAnswer)
        except PortalRefusal as refusal:
            if refusal.status != 413:
                raise
            self.spool.halve()
            return 0
        self.spool.settle(answer)
        return answer.accepted

    def _heartbeat(self, nonce: str) -> messages.CheckinRequest:
        epoch, version, digest = self.ledger.running
        return messages.CheckinRequest(
            nonce=nonce,
            bundle_epoch=epoch,
            bundle_version=version,
            bundle_sha256=digest,
            mode=self.place().mode if self.manifest else "secured",
            mode_ends_at=self.manifest.mode.ends_at if self.manifest else None,
            state="current" if self.manifest else "none",
            enforcing=self.manifest is not None,
            queue_depth=len(self.spool),
            clock_ms=int(self.client.now() * 1000),
            boot_id=self.spool.boot_id,
            agent_version=VERSION,
            hostname=self.member.name,
            posture=messages.Posture(notes=("simulated computer: it runs no program",)),
        )

    def _enrolled(self) -> tuple[acceptance.AgentState, TrustRoot]:
        if self.member.state is None or self.member.trust is None:
            raise ValueError(f"{self.member.name} is not enrolled")
        return self.member.state, self.member.trust


def event_of(
    sequence: int, facts: FileFacts, decision: Decision, at_ms: int, mode: str, bundle_version: int
) -> messages.Event:
    """The event a computer reports for one decision."""
    return messages.Event(
        sequence=sequence,
        occurred_at_ms=at_ms,
        action_type=facts.action_type,
        path=facts.path,
        sha256=facts.sha256,
        certificate=facts.certificates[0] if facts.certificates else "",
        process=facts.process,
        created_by=facts.created_by,
        command_line=facts.command_line,
        user=facts.user,
        mode=mode,  # type: ignore[arg-type]
        bundle_version=bundle_version,
        decision=messages.EventDecision(
            action=decision.action,  # type: ignore[arg-type]
            effect=decision.effect,
            simulated=decision.simulated,
            learned=decision.learned,
            policy=decision.policy or "",
            application=decision.application or "",
            rule=decision.rule or "",
            reason_code=decision.reason_code,
        ),
    )


def new_member(name: str, machine_id: str, *, install_key: str, os: str = "windows", profile: str = "office") -> Member:
    """A computer that is not enrolled yet, with a key of its own."""
    key = Ed25519PrivateKey.generate()
    return Member(
        name=name,
        machine_id=machine_id,
        os=os,
        profile=profile,
        install_key=install_key,
        private_key=key.private_bytes_raw(),
    )
