"""What the portal signs for one computer: the manifest, the checkpoint, and the trust root that says whose
signatures count.

Everything here is MessagePack inside an envelope (`agents.protocol.envelope`). Times are unix seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

FORMAT = 1
ENGINE = 1
MANIFEST_TYPE = "application/vnd.portcullis.manifest+msgpack"
CHECKPOINT_TYPE = "application/vnd.portcullis.checkpoint+msgpack"
ROOT_TYPE = "application/vnd.portcullis.root+msgpack"
MAX_MANIFEST_BYTES = 1 << 20
MAX_CHECKPOINT_BYTES = 8 << 10
MAX_ROOT_BYTES = 16 << 10
MAX_LAYER_BYTES = 64 << 20
MAX_LAYERS = 4_096
MAX_CHECKPOINT_SECONDS = 24 * 3600

Version = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that is signed."""


class Layer(Signed, frozen=True, kw_only=True):
    """One content-addressed blob. `name` is for people: the level and target, or the application's name."""

    digest: Hash
    size: Annotated[int, msgspec.Meta(ge=0, le=MAX_LAYER_BYTES)]
    kind: Literal["policies", "application"]
    name: str = ""


class Settings(Signed, frozen=True, kw_only=True):
    """Agent settings in force on this computer."""

    prioritize_builtin: bool = True
    checkin_seconds: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 60
    log_permits: bool = True


class ModeWindow(Signed, frozen=True, kw_only=True):
    """The mode and its signed end; `after` is what follows it. No end means: until a newer manifest says
    otherwise.
    """

    mode: Literal["secured", "monitor_only", "learning", "installation"] = "secured"
    started_at: int = 0
    ends_at: int | None = None
    window: str = ""
    after: Literal["secured", "monitor_only"] = "secured"


class ManifestPlace(Signed, frozen=True, kw_only=True):
    """Where the computer stands: its group, its organization, and what is above (ancestors and global
    groups).
    """

    organization: str
    group: str
    above: tuple[str, ...] = ()
    os: Literal["windows", "macos", "linux"] = "linux"


class Manifest(Signed, frozen=True, kw_only=True):
    """One computer's bundle: what it must enforce, and that it is meant for this computer and nobody else.

    (epoch, version) only rises. `previous` is the sha256 of the previous manifest's payload, or "".
    """

    format: int = FORMAT
    organization: str
    computer: str
    key_fingerprint: Hash
    epoch: Version = 1
    version: Version
    previous: str = ""
    deployment: str = ""
    issued_at: int
    expires_at: int
    engine_min: int = ENGINE
    settings: Settings = Settings()
    mode: ModeWindow = ModeWindow()
    place: ManifestPlace
    layers: Annotated[tuple[Layer, ...], msgspec.Meta(max_length=MAX_LAYERS)] = ()


class Checkpoint(Signed, frozen=True, kw_only=True):
    """Which manifest is current for one computer, signed anew at each check-in, valid for at most 24 hours.

    `sha256` and `size` are those of the manifest's payload. `hold`: apply nothing new. `nonce` echoes the
    check-in.
    """

    computer: str
    epoch: Version
    version: Version
    size: int
    sha256: Hash
    issued_at: int
    expires_at: int
    server_time: int
    hold: bool = False
    nonce: str = ""


class PublicKey(Signed, frozen=True, kw_only=True):
    """An Ed25519 public key: 32 raw bytes in base64."""

    id: str
    public: str


class TrustRoot(Signed, frozen=True, kw_only=True):
    """Whose signatures count. A new root raises `epoch` and is signed by a root key of the old and of the new
    one.
    """

    epoch: Version = 1
    bundle_keys: tuple[PublicKey, ...]
    checkpoint_keys: tuple[PublicKey, ...]
    root_keys: tuple[PublicKey, ...] = ()
