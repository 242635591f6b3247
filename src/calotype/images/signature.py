"""Signed images: the data must be what the holder of a certificate signed.

The parameters are those of OpenStack's cursive, which verifies for Glance and Nova: RSA-PSS has MGF1 with the hash of
the signature, and a salt of any length. Source: image-v2 24.2.
"""

import base64
import hashlib
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509 import Certificate, load_pem_x509_certificate

from calotype.images.errors import Invalid
from calotype.images.model import Image
from calotype.settings import SettingsError, Signature

SIGNATURE = "img_signature"
HASH_METHOD = "img_signature_hash_method"
KEY_TYPE = "img_signature_key_type"
CERTIFICATE = "img_signature_certificate_uuid"
PROPERTIES = (SIGNATURE, HASH_METHOD, KEY_TYPE, CERTIFICATE)

HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}
_CURVES = ("SECP521R1", "SECP384R1", "SECT571K1", "SECT409K1", "SECT571R1", "SECT409R1")
# cryptography dropped the curves SECT… with version 47.
CURVES = tuple(f"ECC_{name}" for name in _CURVES if hasattr(ec, name))

log = logging.getLogger("calotype.signature")

Check = Callable[[bytes], None]
"""Given the digest of the data, raises InvalidSignature."""


class _Unusable(Exception):
    """The signature cannot be verified; the text says why."""


def check_certificates(settings: Signature) -> None:
    """Raise SettingsError unless the directory, if one is named, can be read."""
    if settings.certificates and not os.access(f"{settings.certificates}/", os.R_OK | os.X_OK):
        raise SettingsError(f"signature.certificates: {settings.certificates} is no directory that can be read")


class Verifier:
    """The signature over one stream."""

    def __init__(self, image_id: str, algorithm: hashes.HashAlgorithm, check: Check) -> None:
        self._image_id = image_id
        self._check = check
        self._digest = hashlib.new(algorithm.name)

    def feed(self, block: bytes) -> None:
        """Look at the next block."""
        self._digest.update(block)

    def verify(self) -> None:
        """Raise Invalid unless the data is what was signed. Call it once, after the last block."""
        try:
            self._check(self._digest.digest())
        except InvalidSignature:
            raise _failed(self._image_id, "The signature does not fit the data") from None


def verifier(image: Image, certificates: str) -> Verifier | None:
    """The verifier of an image with all four properties, None for others; it reads a file. Raises Invalid.

    `certificates` is the directory that holds UUID.pem for each certificate; empty if there is none.
    """
    signed = [value for name in PROPERTIES if (value := image.properties.get(name)) is not None]
    if len(signed) < len(PROPERTIES):
        return None
    encoded, method, key_type, certificate = signed
    try:
        algorithm = _algorithm(method)
        key = _key(certificate, key_type, certificates)
        return Verifier(image.id, algorithm, _check(key, _decoded(encoded), algorithm))
    except _Unusable as error:
        raise _failed(image.id, str(error)) from None


def _failed(image_id: str, why: str) -> Invalid:
    return Invalid(f"Signature verification failed for image {image_id}: {why}")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        raise _Unusable("The signature data was not properly encoded using base64") from None


def _algorithm(name: str) -> hashes.HashAlgorithm:
    try:
        return HASHES[name]
    except KeyError:
        raise _Unusable(f"Invalid signature hash method: {name}") from None


def _key(uuid: str, key_type: str, certificates: str) -> Any:
    """The public key of the certificate, if it is of the type."""
    if key_type not in ("RSA-PSS", "DSA", *CURVES):
        raise _Unusable(f"Invalid signature key type: {key_type}")
    certificate = _certificate(uuid, certificates)
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise _Unusable(f"The certificate {uuid} is outside its valid date range")
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not _fits(key, key_type):
        raise _Unusable(f"Invalid public key type for signature key type: {key_type}")
    return key


def _fits(key: object, key_type: str) -> bool:
    """Whether the key is of the type; as with cursive, the name of a curve stands for all curves."""
    kinds = {"RSA-PSS": rsa.RSAPublicKey, "DSA": dsa.DSAPublicKey}
    return isinstance(key, kinds.get(key_type, ec.EllipticCurvePublicKey))


def _certificate(uuid: str, certificates: str) -> Certificate:
    try:
        name = str(UUID(uuid))
    except ValueError:
        raise _Unusable(f"Certificate not found with ID: {uuid}") from None
    if not certificates:
        raise _Unusable(f"Certificate not found with ID: {uuid}")
    try:
        return load_pem_x509_certificate((Path(certificates) / f"{name}.pem").read_bytes())
    except FileNotFoundError:
        raise _Unusable(f"Certificate not found with ID: {uuid}") from None
    except (OSError, ValueError) as error:
        log.error("certificate %s: %s", name, error)
        raise _Unusable(f"Unable to retrieve certificate with ID: {uuid}") from None


def _check(key: Any, signature: bytes, algorithm: hashes.HashAlgorithm) -> Check:
    hashed = Prehashed(algorithm)
    if isinstance(key, rsa.RSAPublicKey):
        pss = padding.PSS(mgf=padding.MGF1(algorithm), salt_length=padding.PSS.MAX_LENGTH)
        return lambda digest: key.verify(signature, digest, pss, hashed)
    if isinstance(key, dsa.DSAPublicKey):
        return lambda digest: key.verify(signature, digest, hashed)
    return lambda digest: key.verify(signature, digest, ec.ECDSA(hashed))
