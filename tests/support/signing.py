"""Keys, certificates and signatures as OpenStack's users make them (image-v2 24.2)."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

HASHES: dict[str, Any] = {
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}


def keys() -> dict[str, Any]:
    """A private key of each type."""
    return {
        "RSA-PSS": rsa.generate_private_key(65537, 2048),
        "DSA": dsa.generate_private_key(2048),
        "ECC_SECP384R1": ec.generate_private_key(ec.SECP384R1()),
        "ECC_SECP521R1": ec.generate_private_key(ec.SECP521R1()),
    }


def certify(key: Any, folder: Path, *, begin: int = -1, end: int = 1) -> str:
    """Put a certificate of the key into the folder, valid from `begin` to `end` days from now; its UUID."""
    name, now, uuid = x509.Name([]), datetime.now(UTC), str(uuid4())
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begin))
        .not_valid_after(now + timedelta(days=end))
        .sign(key, hashes.SHA256())
    )
    (folder / f"{uuid}.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return uuid


def sign(key: Any, data: bytes, method: str, salt: Any = padding.PSS.MAX_LENGTH) -> str:
    """The value of `img_signature`."""
    algorithm = HASHES[method]
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(data, padding.PSS(padding.MGF1(algorithm), salt), algorithm)
    elif isinstance(key, dsa.DSAPrivateKey):
        signature = key.sign(data, algorithm)
    else:
        signature = key.sign(data, ec.ECDSA(algorithm))
    return base64.b64encode(signature).decode()


def properties(signature: str, method: str, key_type: str, certificate: str) -> dict[str, str]:
    """The four properties of a signed image."""
    return {
        "img_signature": signature,
        "img_signature_hash_method": method,
        "img_signature_key_type": key_type,
        "img_signature_certificate_uuid": certificate,
    }
