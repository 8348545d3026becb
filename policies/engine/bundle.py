"""The blobs a bundle is made of: one per policy target and one per application, content-addressed.

A blob is MessagePack under zstd. The same content gives the same bytes (of one zstd release), so a blob is stored,
fetched and compared by `digest`. Whatever is odd about a blob that comes in is a BundleError, never a crash and never
a half-read policy: the caller keeps the last good one.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn, TypeVar

import msgspec
import zstandard
from msgspec import Meta

from policies.engine.model import MINUTES_PER_DAY, Action, Application, Level, Policy, Status, Window
from policies.engine.normal_form import normal_hash
from policies.engine.ordering import DEFAULT, FIRST_BUILTIN
from policies.engine.rules import FileRule

FORMAT = 1
MAX_BLOB_BYTES = 16 * 1024 * 1024
MAX_INFLATED_BYTES = 64 * 1024 * 1024
MAX_RULES = 250_000
MAX_POLICIES = 100_000
MAX_RINGFENCE_DEPTH = 8

_ZSTD_LEVEL = 3
_MAX_WINDOW_BYTES = 8 * 1024 * 1024

_Id = Annotated[str, Meta(min_length=1, max_length=64)]
_Name = Annotated[str, Meta(max_length=512)]
_Text = Annotated[str, Meta(max_length=4_096)]
_Order = Annotated[int, Meta(ge=FIRST_BUILTIN, le=DEFAULT)]
_Instant = Annotated[int, Meta(ge=0, le=2**62)]


class BundleError(ValueError):
    """A blob that cannot be made or cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class PolicyLayer:
    """The policies of one target, in order."""

    level: Level
    target: str
    policies: tuple[Policy, ...]


class _Record(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A row on the wire: fields by position, none missing, none extra."""


class _Header(msgspec.Struct, array_like=True):
    format: int
    kind: str


class _RuleRecord(_Record):
    id: _Id
    hash: Annotated[bytes, Meta(max_length=32)]
    path: _Text
    process: _Text
    created_by: _Text
    certificate: _Text


class _ApplicationRecord(_Record):
    format: int
    kind: Literal["application"]
    id: _Id
    name: _Name
    builtin: bool
    rules: Annotated[list[_RuleRecord], Meta(max_length=MAX_RULES)]


class _WindowRecord(_Record):
    day: Annotated[int, Meta(ge=0, le=6)]
    start_minute: Annotated[int, Meta(ge=0, lt=MINUTES_PER_DAY)]
    end_minute: Annotated[int, Meta(gt=0, le=MINUTES_PER_DAY)]


class _PolicyRecord(_Record):
    id: _Id
    name: _Name
    action: Action
    status: Status
    order: _Order
    applications: Annotated[list[_Id], Meta(max_length=10_000)]
    is_default: bool
    enabled: bool
    starts_at: _Instant | None
    expires_at: _Instant | None
    schedule: Annotated[list[_WindowRecord], Meta(max_length=1_000)]
    time_zone: Annotated[str, Meta(max_length=64)]
    users: Annotated[list[_Name], Meta(max_length=10_000)]
    allow_request: bool
    kill_running: bool
    log: bool
    ringfence: dict[str, object] | None


class _LayerRecord(_Record):
    format: int
    kind: Literal["policies"]
    level: Level
    target: _Id
    policies: Annotated[list[_PolicyRecord], Meta(max_length=MAX_POLICIES)]


_R = TypeVar("_R", bound=_Record)

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_headers = msgspec.msgpack.Decoder(_Header)
_applications = msgspec.msgpack.Decoder(_ApplicationRecord)
_layers = msgspec.msgpack.Decoder(_LayerRecord)


def digest(blob: bytes) -> str:
    """The name of a blob: SHA-256 of its bytes, in hex."""
    return hashlib.sha256(blob).hexdigest()


def compile_application(application: Application) -> bytes:
    """The blob of an application. Raises BundleError for a rule that no agent could read."""
    rules = [_rule_record(rule) for rule in application.rules]
    record = _ApplicationRecord(FORMAT, "application", application.id, application.name, application.builtin, rules)
    return _packed(record, _applications)


def open_application(blob: bytes) -> Application:
    """The application in a blob. Raises BundleError."""
    record = _unpacked(blob, "application", _applications)
    rules = tuple(_rule(rule) for rule in record.rules)
    return Application(record.id, record.name, record.builtin, rules)


def compile_layer(level: Level, target: str, policies: Iterable[Policy]) -> bytes:
    """The blob of one target's policies, by order and id. Raises BundleError for one that lives elsewhere."""
    ordered = sorted(policies, key=lambda policy: (policy.order, policy.id))
    for policy in ordered:
        if (policy.level, policy.target) != (level, target):
            raise BundleError(f"Policy {policy.id} lives at {policy.level} {policy.target}, not at {level} {target}.")
    record = _LayerRecord(FORMAT, "policies", level, target, [_policy_record(policy) for policy in ordered])
    _check_layer(record)
    return _packed(record, _layers)


def open_layer(blob: bytes) -> PolicyLayer:
    """The policies in a blob. Raises BundleError."""
    record = _unpacked(blob, "policies", _layers)
    _check_layer(record)
    policies = tuple(_policy(policy, record.level, record.target) for policy in record.policies)
    return PolicyLayer(record.level, record.target, policies)


def open_blobs(blobs: Iterable[tuple[str, str, bytes]]) -> tuple[list[Policy], list[Application]]:
    """The policies and applications of a bundle's blobs, each as (kind, name, blob). Raises BundleError, which names
    the blob."""
    policies: list[Policy] = []
    applications: list[Application] = []
    for kind, name, blob in blobs:
        try:
            if kind == "policies":
                policies += open_layer(blob).policies
            else:
                applications.append(open_application(blob))
        except BundleError as error:
            raise BundleError(f"{name}: {error}") from error
    return policies, applications


def _packed(record: _R, decoder: "msgspec.msgpack.Decoder[_R]") -> bytes:
    """Encode, and read back what was written: what the portal sends is what an agent accepts."""
    try:
        raw = _encoder.encode(record)
        decoder.decode(raw)
    except (msgspec.MsgspecError, TypeError, UnicodeEncodeError, RecursionError, OverflowError) as error:
        raise BundleError(f"This cannot be put into a bundle: {error}") from error
    if len(raw) > MAX_INFLATED_BYTES:
        raise BundleError(f"A blob may have {MAX_INFLATED_BYTES:,} bytes unpacked; this has {len(raw):,}.")
    blob = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_content_size=True).compress(raw)
    if len(blob) > MAX_BLOB_BYTES:
        raise BundleError(f"A blob may have {MAX_BLOB_BYTES:,} bytes; this has {len(blob):,}.")
    return blob


def _unpacked(blob: bytes, kind: str, decoder: "msgspec.msgpack.Decoder[_R]") -> _R:
    raw = _inflated(blob)
    try:
        header = _headers.decode(raw)
        if header.format != FORMAT:
            raise BundleError(f"This blob has format {header.format}; this engine reads format {FORMAT}.")
        if header.kind != kind:
            raise BundleError(f"This blob holds {header.kind[:40]!r}, not {kind!r}.")
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BundleError(f"This blob cannot be read: {error}") from error


def _inflated(blob: bytes) -> bytes:
    """Unpack one zstd frame of declared, bounded size and nothing after it."""
    if len(blob) > MAX_BLOB_BYTES:
        raise BundleError(f"A blob may have {MAX_BLOB_BYTES:,} bytes; this has {len(blob):,}.")
    try:
        frame = zstandard.get_frame_parameters(blob)
        if frame.content_size > MAX_INFLATED_BYTES:
            _refuse_size(frame.content_size)
        if frame.window_size > MAX_INFLATED_BYTES or frame.dict_id:
            raise BundleError("This blob asks for more memory, or for a dictionary, than a blob may.")
        return zstandard.ZstdDecompressor().decompress(blob, allow_extra_data=False)
    except (zstandard.ZstdError, ValueError, MemoryError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"This blob cannot be unpacked: {error}") from error


def _refuse_size(size: int) -> NoReturn:
    if size == zstandard.CONTENTSIZE_UNKNOWN:
        raise BundleError("This blob does not say how large it is unpacked.")
    raise BundleError(f"A blob may have {MAX_INFLATED_BYTES:,} bytes unpacked; this says {size:,}.")


def _rule_record(rule: FileRule) -> _RuleRecord:
    raw = _raw_hash(rule) if rule.hash else b""
    return _RuleRecord(rule.id, raw, rule.path, rule.process, rule.created_by, rule.certificate)


def _raw_hash(rule: FileRule) -> bytes:
    digest_hex = normal_hash(rule.hash)
    if rule.hash.strip() and not digest_hex:
        raise BundleError(f"Rule {rule.id} has a hash that is not a SHA-256.")
    return bytes.fromhex(digest_hex)


def _rule(record: _RuleRecord) -> FileRule:
    if len(record.hash) not in (0, 32):
        raise BundleError(f"Rule {record.id} has a hash of {len(record.hash)} bytes.")
    return FileRule(record.id, record.hash.hex(), record.path, record.process, record.created_by, record.certificate)


def _policy_record(policy: Policy) -> _PolicyRecord:
    return _PolicyRecord(
        id=policy.id,
        name=policy.name,
        action=policy.action,
        status=policy.status,
        order=policy.order,
        applications=list(policy.applications),
        is_default=policy.is_default,
        enabled=policy.enabled,
        starts_at=policy.starts_at,
        expires_at=policy.expires_at,
        schedule=[_WindowRecord(one.day, one.start_minute, one.end_minute) for one in policy.schedule],
        time_zone=policy.time_zone,
        users=list(policy.users),
        allow_request=policy.allow_request,
        kill_running=policy.kill_running,
        log=policy.log,
        ringfence=None if policy.ringfence is None else dict(policy.ringfence),
    )


def _policy(record: _PolicyRecord, level: Level, target: str) -> Policy:
    return Policy(
        id=record.id,
        name=record.name,
        level=level,
        target=target,
        action=record.action,
        status=record.status,
        order=record.order,
        applications=tuple(record.applications),
        is_default=record.is_default,
        enabled=record.enabled,
        starts_at=record.starts_at,
        expires_at=record.expires_at,
        schedule=tuple(Window(one.day, one.start_minute, one.end_minute) for one in record.schedule),
        time_zone=record.time_zone,
        users=tuple(record.users),
        allow_request=record.allow_request,
        kill_running=record.kill_running,
        log=record.log,
        ringfence=record.ringfence,
    )


def _check_layer(record: _LayerRecord) -> None:
    """What types cannot say: ids once, windows that open, Default Deny where it belongs, a shallow ringfence."""
    if len({policy.id for policy in record.policies}) != len(record.policies):
        raise BundleError("A policy stands twice in this layer.")
    for policy in record.policies:
        if policy.is_default != (policy.order == DEFAULT):
            raise BundleError(f"Policy {policy.id}: the order {DEFAULT:,} is Default Deny's, and its only one.")
        if policy.is_default and (policy.action != "deny" or policy.applications):
            raise BundleError(f"Policy {policy.id}: a Default Deny denies, and has no applications.")
        if any(window.start_minute == window.end_minute for window in policy.schedule):
            raise BundleError(f"Policy {policy.id} has a window that never opens.")
        if policy.ringfence is not None:
            _check_depth(policy.ringfence, MAX_RINGFENCE_DEPTH)


def _check_depth(value: object, depth: int) -> None:
    if not isinstance(value, Mapping | list | tuple):
        return
    if depth == 0:
        raise BundleError(f"A ringfence is nested deeper than {MAX_RINGFENCE_DEPTH} levels.")
    for inner in value.values() if isinstance(value, Mapping) else value:
        _check_depth(inner, depth - 1)
