"""Secrets that have to be shown to Odoo again, so a digest will not do: encrypted.

AES-256-GCM hides them and shows any change. Each is bound to what it is for: moved to
another place, it cannot be decrypted.
"""

import hashlib
import json
import os
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from odooport.errors import OdooportError

KEY_BYTES = 32

_NONCE_BYTES = 12
"""The length that NIST SP 800-38D, section 8.2 recommends for GCM."""

_PURPOSE = "odooport-secret-1"
_HINT = "'odooport identities new-key' makes one"


class SecretKeyError(OdooportError):
    """There is no key, or not the right one, for a secret that is kept encrypted."""

    code = "secret_key"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted secret.

    Attributes:
        key_id: Which key it was encrypted with.
        box: The nonce, and after it what AES-GCM made.
    """

    key_id: str
    box: bytes = field(repr=False)


def new_key() -> str:
    """Answer a new key for ``SecretCipher``, as ``ODOOPORT_SECRET_KEY`` takes it."""
    return urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


class SecretCipher:
    """Encrypts secrets with the first of its keys, and decrypts with any of them.

    Args:
        keys: The keys, 32 bytes each; without any it can do neither.
        random_bytes: Answers so many random bytes.

    Raises:
        SecretKeyError: A key has another length.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if any(len(key) != KEY_BYTES for key in keys):
            raise SecretKeyError(
                f"A key in ODOOPORT_SECRET_KEY does not have {KEY_BYTES} bytes; "
                f"{_HINT}."
            )
        self._ciphers = {_id_of(key): AESGCM(key) for key in keys}
        self._random_bytes = random_bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read keys in base64, with commas or white space between them.

        Args:
            text: What the setting holds; it may be empty.

        Raises:
            SecretKeyError: One of them is no such key; the message does not quote it.
        """
        return cls([_read(part) for part in text.replace(",", " ").split()])

    @property
    def key_id(self) -> str | None:
        """The id of the key that encrypts; None without any."""
        return next(iter(self._ciphers), None)

    def encrypt(self, secret: str, *bound_to: str) -> Sealed:
        """Encrypt a secret.

        Args:
            secret: The secret.
            bound_to: What it is for; to be given again when it is decrypted.

        Raises:
            SecretKeyError: There is no key.
        """
        key_id = self.key_id
        if key_id is None:
            raise SecretKeyError(
                "Odoo secrets are kept encrypted, and there is no key for that: set "
                f"ODOOPORT_SECRET_KEY ({_HINT})."
            )
        nonce = self._random_bytes(_NONCE_BYTES)
        text = secret.encode()
        box = self._ciphers[key_id].encrypt(nonce, text, _associated(bound_to))
        return Sealed(key_id, nonce + box)

    def decrypt(self, sealed: Sealed, *bound_to: str) -> str:
        """Answer a secret.

        Args:
            sealed: What ``encrypt`` made of it.
            bound_to: What it is for.

        Raises:
            SecretKeyError: Its key is not here, it is for something else, or it was
                changed.
        """
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise SecretKeyError(
                f"It was encrypted with the key {sealed.key_id!r}, which is not in "
                "ODOOPORT_SECRET_KEY. Set that key again, or give the secret anew."
            )
        nonce, box = sealed.box[:_NONCE_BYTES], sealed.box[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, box, _associated(bound_to)).decode()
        except (InvalidTag, ValueError):  # ValueError: too short to be one
            raise SecretKeyError(
                "It is not what was encrypted: somebody has changed it, or what it is "
                "for. Give the secret anew."
            ) from None


def _id_of(key: bytes) -> str:
    """Answer a name for a key, from which nobody can tell it."""
    return hashlib.sha256(_PURPOSE.encode() + key).hexdigest()[:16]


def _read(text: str) -> bytes:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        return b64decode(padded.encode("ascii"), b"-_", validate=True)
    except ValueError:
        # The cause is left out: it may quote the key.
        raise SecretKeyError(
            f"A key in ODOOPORT_SECRET_KEY is not written in base64; {_HINT}."
        ) from None


def _associated(bound_to: Sequence[str]) -> bytes:
    # As JSON, so that no two lists look the same.
    return json.dumps([_PURPOSE, *bound_to]).encode()
