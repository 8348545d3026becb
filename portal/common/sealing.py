"""Secrets at rest: sealed with AES-GCM under a key derived from SECRET_KEY, which is never in the database.

A sealed value names its key, so values sealed under a former key open while it is in SECRET_KEY_FALLBACKS.
"""

from __future__ import annotations

import functools
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_KEY_ID_BYTES = 4
_NONCE_BYTES = 12


class Unsealable(ValueError):
    """The value was altered, sealed for another purpose, or sealed under a key that is gone."""


def seal(plain: bytes, *, purpose: str) -> bytes:
    """Key id, nonce and ciphertext. `purpose` must be the same for `unseal`."""
    key = _derived(settings.SECRET_KEY)
    nonce = os.urandom(_NONCE_BYTES)
    return _key_id(key) + nonce + AESGCM(key).encrypt(nonce, plain, purpose.encode())


def unseal(sealed: bytes, *, purpose: str) -> bytes:
    """What was sealed. Raises Unsealable."""
    wanted, rest = sealed[:_KEY_ID_BYTES], sealed[_KEY_ID_BYTES:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        key = _derived(secret)
        if _key_id(key) != wanted:
            continue
        try:
            return AESGCM(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable("this value was altered or sealed for another purpose") from error
    raise Unsealable("the key that sealed this value is not in SECRET_KEY or SECRET_KEY_FALLBACKS")


@functools.lru_cache(maxsize=8)
def _derived(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"portcullis.sealing").derive(secret.encode())


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_KEY_ID_BYTES]
