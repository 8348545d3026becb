"""The portal's own Ed25519 keys, as files of mode 0600 under `$DATA_DIR/keys` or from the environment.

- `root`: says which of the other keys count. Signs nothing day to day; keep it off the machine.
- `bundle`: signs manifests. Needed by the worker only.
- `checkpoint`: signs which manifest is current, at each check-in. Needed by the web process.
- `agent-token`: signs the short token that opens the gateway's stream. Web signs, the gateway verifies.

Pure on purpose: the gateway reads its key with this module and knows no Django. See docs/keys.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from agents.protocol import signing
from agents.protocol.manifest import PublicKey, TrustRoot

KeyName = Literal["root", "bundle", "checkpoint", "agent-token"]
EPOCH = 1
NAMES: tuple[KeyName, ...] = get_args(KeyName)


class MissingKey(RuntimeError):
    """A key that this process needs is neither in the environment nor in the keys directory."""


def directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where key files are: `KEYS_DIR`, else `$DATA_DIR/keys`."""
    return Path(environ.get("KEYS_DIR") or Path(environ.get("DATA_DIR", ".run")) / "keys").resolve()


def private_key(name: KeyName, environ: Mapping[str, str] = os.environ) -> Ed25519PrivateKey:
    """One private key. Raises MissingKey.

    The environment goes first: `BUNDLE_KEY`, `CHECKPOINT_KEY`, `AGENT_TOKEN_KEY`, `ROOT_KEY`, each the 32 bytes of
    the seed in base64.
    """
    seed = environ.get(_variable(name))
    if seed:
        try:
            return Ed25519PrivateKey.from_private_bytes(signing.unb64(seed.strip()))
        except ValueError:
            raise MissingKey(f"{_variable(name)} is not 32 bytes in base64") from None
    path = directory(environ) / f"{name}.key"
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise MissingKey(f"{path} is missing; `manage.py make_keys` makes it") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise MissingKey(f"{path} is not an Ed25519 key")
    return key


def public_key(name: KeyName, environ: Mapping[str, str] = os.environ) -> PublicKey:
    """The public half: from `<name>.pub` when it is there (a process need not hold the private one)."""
    path = directory(environ) / f"{name}.pub"
    if not environ.get(_variable(name)) and path.exists():
        raw = signing.unb64(path.read_text().strip())
    else:
        raw = signing.public_bytes(private_key(name, environ))
    return PublicKey(id=signing.key_id(raw), public=signing.b64(raw))


def trust_root(environ: Mapping[str, str] = os.environ) -> TrustRoot:
    """What an agent learns at enrolment: whose signatures count."""
    return TrustRoot(
        epoch=EPOCH,
        bundle_keys=(public_key("bundle", environ),),
        checkpoint_keys=(public_key("checkpoint", environ),),
        root_keys=(public_key("root", environ),),
    )


def make_missing(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Make the keys that are neither in the environment nor on disk; the names made. Never overwrites one."""
    folder = directory(environ)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for name in NAMES:
        if environ.get(_variable(name)):
            continue
        path = folder / f"{name}.key"
        if not path.exists() and not (folder / f"{name}.pub").exists():
            _write_once(path, Ed25519PrivateKey.generate())
            made.append(str(name))
        if path.exists():
            _write_public(folder / f"{name}.pub", private_key(name, environ))
    return made


def _variable(name: KeyName) -> str:
    return name.upper().replace("-", "_") + "_KEY"


def _write_once(path: Path, key: Ed25519PrivateKey) -> None:
    """Write the key so that a crash leaves either no key or a whole one, and two makers agree on one."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _write_public(path: Path, key: Ed25519PrivateKey) -> None:
    text = signing.b64(signing.public_bytes(key)) + "\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
