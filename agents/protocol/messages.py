"""The messages of `/agent/v1/`: one struct a message, the same for MessagePack and JSON.

Times called `*_at` or `server_time` are unix seconds (UTC), names ending in `_ms` are unix milliseconds.
Hashes are lower-case hex. Keys, nonces and signatures inside messages are standard base64 text. Unknown
fields are ignored on both sides, so a newer portal and an older agent can talk.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from agents.protocol.manifest import TrustRoot

MSGPACK = "application/msgpack"
JSON = "application/json"
MAX_BODY_BYTES = 1 << 20
MAX_INFLATED_BYTES = 16 << 20
MAX_EVENTS = 1_000
MAX_EVENT_BYTES = 64 << 10

Short = Annotated[str, msgspec.Meta(max_length=512)]
Text = Annotated[str, msgspec.Meta(max_length=32_768)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]
Counter = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Mode = Literal["secured", "monitor_only", "learning", "installation"]
Action = Literal["permit", "permit_ringfenced", "deny"]
Effect = Literal["permitted", "denied", "ringfenced"]
RequestStatus = Literal["pending", "approved", "denied", "expired", "withdrawn"]


class ProtocolError(ValueError):
    """A body that is not the message it should be. `str()` says where."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that travels."""


class NonceAnswer(Message, frozen=True, kw_only=True):
    """`POST nonce`: one random value, good for one enrolment within a few minutes."""

    nonce: Short
    expires_at: int
    server_time: int


class EnrollRequest(Message, frozen=True, kw_only=True):
    """`POST enroll`. `proof` is the Ed25519 signature over `signing.enroll_proof(...)` by the computer's new
    key.
    """

    install_key: Short
    hostname: Short
    machine_id: Short
    os: Literal["windows", "macos", "linux"]
    agent_version: Short
    public_key: Short
    nonce: Short
    proof: Short


class EnrollAnswer(Message, frozen=True, kw_only=True):
    """Who the computer now is. `pending`: a known machine enrolled again and waits for a technician."""

    computer: Short
    organization: Short
    key_id: Short
    status: Literal["active", "pending"]
    trust: TrustRoot
    portal_url: Text
    stream_url: Text
    server_time: int
    checkin_seconds: Counter = 60


class Posture(Message, frozen=True, kw_only=True):
    """What this computer's kernel lets escape from the agent's sight, reported and never hidden."""

    unmarked_mounts: tuple[Text, ...] = ()
    user_namespaces: bool = False
    memfd_exec: bool = False
    notes: tuple[Text, ...] = ()


class Heartbeat(Message, frozen=True, kw_only=True):
    """How a computer is. `state`: none (no bundle), current, stale (checkpoint expired; still deciding).
    `programs`: the agent's own program files, so that the portal never denies them.
    """

    bundle_epoch: Counter = 0
    bundle_version: Counter = 0
    bundle_sha256: Sha256 = ""
    mode: Mode = "secured"
    mode_ends_at: int | None = None
    state: Literal["none", "current", "stale"] = "none"
    enforcing: bool = False
    queue_depth: Counter = 0
    decisions_per_second: float = 0.0
    p99_us: Counter = 0
    restarts: Counter = 0
    posture: Posture = Posture()
    clock_ms: int = 0
    boot_id: Short = ""
    agent_version: Short = ""
    hostname: Short = ""
    programs: tuple[Text, ...] = ()


class CheckinRequest(Heartbeat, frozen=True, kw_only=True):
    """`POST checkin`: a heartbeat and a fresh nonce, which the signed checkpoint echoes."""

    nonce: Short


class CheckinAnswer(Message, frozen=True, kw_only=True):
    """`checkpoint` and `root` are signed envelopes (bytes); empty when there is none.

    `stream_token` opens `stream_url` until `stream_token_expires_at`; it proves nothing anywhere else.
    """

    server_time: int
    checkpoint: bytes = b""
    root: bytes = b""
    revision: Counter = 0
    stream_url: Text = ""
    stream_token: Text = ""
    stream_token_expires_at: int = 0
    checkin_seconds: Counter = 60


class SelfTest(Message, frozen=True, kw_only=True):
    """What the agent tried with a new bundle before switching to it; `failed` names the files it would have
    broken.
    """

    checked: Counter = 0
    failed: tuple[Text, ...] = ()


class Ack(Message, frozen=True, kw_only=True):
    """`POST ack`: the only thing that makes the portal say *live*. `reason` is a code when refused, else
    empty.
    """

    epoch: Counter
    version: Counter
    sha256: Sha256
    result: Literal["applied", "refused"]
    reason: Short = ""
    detail: Text = ""
    self_test: SelfTest = SelfTest()
    at_ms: int = 0


class EventDecision(Message, frozen=True, kw_only=True):
    """The decision as the engine made it; identifiers are empty when nothing matched."""

    action: Action
    effect: Effect
    simulated: bool = False
    learned: bool = False
    policy: Short = ""
    application: Short = ""
    rule: Short = ""
    reason_code: Short = ""


class Gap(Message, frozen=True, kw_only=True):
    """How many events were dropped because the spool was full, since the last gap event."""

    dropped_permits: Counter
    dropped_denies: Counter


class Event(Message, frozen=True, kw_only=True):
    """One thing that happened. A gap event has `action_type` "gap" and, besides time, only `gap`."""

    sequence: Counter
    occurred_at_ms: int
    action_type: Short = "execute"
    path: Text = ""
    sha256: Sha256 = ""
    certificate: Text = ""
    process: Text = ""
    created_by: Text = ""
    command_line: Text = ""
    user: Short = ""
    decision: EventDecision | None = None
    mode: Mode = "secured"
    bundle_version: Counter = 0
    size: Counter = 0
    gap: Gap | None = None


class EventBatch(Message, frozen=True, kw_only=True):
    """`POST events`. A batch is immutable: `batch` names these exact bytes for ever. One boot per batch,
    rising order.
    """

    boot_id: Short
    batch: Counter
    first_sequence: Counter
    events: tuple[Event, ...]


class RawEventBatch(Message, frozen=True, kw_only=True):
    """The same message with its entries undecoded, so that one bad entry is refused alone."""

    boot_id: Short
    batch: Counter
    first_sequence: Counter
    events: Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(max_length=MAX_EVENTS)]


class RejectedEvent(Message, frozen=True, kw_only=True):
    """An entry the portal could not store as an event, by its index in the batch."""

    index: Counter
    reason: Short


class EventsAnswer(Message, frozen=True, kw_only=True):
    """`acknowledged_sequence`: everything this computer sent with a sequence up to it is stored or listed as
    rejected.
    """

    batch: Counter
    accepted: Counter
    duplicate: Counter
    rejected: tuple[RejectedEvent, ...] = ()
    acknowledged_sequence: Counter = 0


class RequestMessage(Message, frozen=True, kw_only=True):
    """`POST requests`: a person asks for something that was stopped. Facts as in the event of the denial."""

    path: Text
    sha256: Sha256 = ""
    certificate: Text = ""
    process: Text = ""
    created_by: Text = ""
    command_line: Text = ""
    user: Short = ""
    action_type: Short = "execute"
    reason: Text = ""
    occurred_at_ms: int = 0
    event_sequence: Counter | None = None
    policy: Short = ""


class RequestAnswer(Message, frozen=True, kw_only=True):
    """`POST requests` and `GET requests/<id>`: `message` is written for the person who asked."""

    id: Short
    status: RequestStatus
    message: Text = ""
    decided_at: int | None = None


class StreamHint(Message, frozen=True, kw_only=True):
    """`GET stream`: something may have changed. Only a hint: what counts is signed and fetched."""

    revision: Counter = 0
    mode: str = ""
    hold: bool = False


class Problem(Message, frozen=True, kw_only=True):
    """Body of every refusal. `code` is for programs; `server_time` lets a skewed clock sign again."""

    code: Short
    detail: Text = ""
    status: Counter = 0
    server_time: int = 0
    retry_after_seconds: float | None = None


M = TypeVar("M")


def encode(message: Any, content_type: str = MSGPACK) -> bytes:
    """Bytes of a message. Raises ProtocolError for an unknown content type or text that is not UTF-8."""
    try:
        if media_type(content_type) == JSON:
            return msgspec.json.encode(message)
        if media_type(content_type) == MSGPACK:
            return msgspec.msgpack.encode(message)
    except UnicodeEncodeError as error:
        raise ProtocolError(f"text that is not UTF-8: {error.reason}") from error
    raise ProtocolError(f"unknown content type {content_type!r}")


def decode(kind: type[M], body: bytes, content_type: str = MSGPACK) -> M:
    """The message in `body`, checked against its struct. Raises ProtocolError, whatever the bytes are."""
    try:
        if media_type(content_type) == JSON:
            return msgspec.json.decode(body, type=kind)
        if media_type(content_type) == MSGPACK:
            return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(str(error)) from error
    raise ProtocolError(f"unknown content type {content_type!r}")


def media_type(content_type: str) -> str:
    """The bare media type of a Content-Type header, lower case."""
    return content_type.partition(";")[0].strip().lower()
