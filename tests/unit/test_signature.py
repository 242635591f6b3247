"""Signed images: which data an upload takes, over the API (image-v2 24.2)."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding

from calotype.settings import Signature
from tests.support import signing
from tests.support.catalogue import Run
from tests.support.image import ImageService, image_service
from tests.support.signing import HASHES, certify, properties, sign
from tests.support.system import openssl

DATA = b"an image" * 300_000
OCTETS = {"Content-Type": "application/octet-stream"}
KEY_TYPES = ("RSA-PSS", "DSA", "ECC_SECP384R1", "ECC_SECP521R1")


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    """A private key of each type."""
    return signing.keys()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory of the certificates."""
    (tmp_path / "certificates").mkdir()
    return tmp_path / "certificates"


@pytest.fixture
def service(tmp_path: Path, folder: Path, run: Run) -> Iterator[ImageService]:
    """An Image API that knows the certificates."""
    with image_service(tmp_path / "data", run, signature=Signature(certificates=str(folder))) as made:
        yield made


def upload(service: ImageService, signed: dict[str, str], data: bytes = DATA) -> tuple[int, str, str]:
    """Upload to a new image; the status, the text without the image's id, and what became of the image."""
    body = {"disk_format": "raw", "container_format": "bare", **signed}
    image = service("POST", "/v2/images", json=body).json()["id"]
    answer = service("PUT", f"/v2/images/{image}/file", content=data, headers=OCTETS)
    shown = service("GET", f"/v2/images/{image}").json()
    if answer.status_code != 204:
        assert {shown[name] for name in ("size", "checksum", "os_hash_value", "virtual_size")} == {None}
        assert service("GET", f"/v2/images/{image}/file").status_code == 204
    return answer.status_code, answer.text.replace(image, "X"), shown["status"]


def refused(service: ImageService, folder: Path, signed: dict[str, str], text: str, data: bytes = DATA) -> None:
    """The upload is refused with the text, and no file is left."""
    before = files(folder)
    status, answer, state = upload(service, signed, data)
    assert (status, state) == (400, "queued")
    assert f"Signature verification failed for image X: {text}" in answer, answer
    assert files(folder) == before


def files(folder: Path) -> list[Path]:
    """The data of images, finished or not."""
    return sorted(file for file in (folder.parent / "data/images").rglob("*") if file.is_file())


@pytest.mark.parametrize("method", HASHES)
@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_what_was_signed_is_taken_and_nothing_else(
    service: ImageService, folder: Path, keys: dict[str, Any], key_type: str, method: str
) -> None:
    key = keys[key_type]
    certificate = certify(key, folder)
    for data in (DATA, b"small"):
        signed = properties(sign(key, data, method), method, key_type, certificate)
        assert upload(service, signed, data) == (204, "", "active")
        refused(service, folder, signed, "The signature does not fit the data", data + b".")
    other = next(name for name in HASHES if name != method)
    signed["img_signature_hash_method"] = other
    refused(service, folder, signed, "The signature does not fit the data", b"small")


@pytest.mark.parametrize("salt", [0, 20, 32])
def test_salts_of_any_length(service: ImageService, folder: Path, keys: dict[str, Any], salt: int) -> None:
    key = keys["RSA-PSS"]
    signed = properties(sign(key, DATA, "SHA-256", salt), "SHA-256", "RSA-PSS", certify(key, folder))
    assert upload(service, signed) == (204, "", "active")


def test_an_empty_image_and_a_second_try(service: ImageService, folder: Path, keys: dict[str, Any]) -> None:
    key = keys["RSA-PSS"]
    signed = properties(sign(key, b"", "SHA-256"), "SHA-256", "RSA-PSS", certify(key, folder))
    assert upload(service, signed, b"") == (204, "", "active")
    body = {"disk_format": "raw", "container_format": "bare", **signed}
    path = f"/v2/images/{service('POST', '/v2/images', json=body).json()['id']}"
    for data, status in ((b"forged", 400), (b"", 204)):
        assert service("PUT", f"{path}/file", content=data, headers=OCTETS).status_code == status


def test_fewer_than_four_properties_are_no_signature(service: ImageService) -> None:
    signed = properties("nonsense", "nonsense", "nonsense", "nonsense")
    for name in signed:
        fewer = {key: value for key, value in signed.items() if key != name}
        assert upload(service, fewer) == (204, "", "active")


def test_properties_that_cannot_be_used(service: ImageService, folder: Path, keys: dict[str, Any]) -> None:
    key = keys["RSA-PSS"]
    good = properties(sign(key, DATA, "SHA-256"), "SHA-256", "RSA-PSS", certify(key, folder))
    elliptic = certify(keys["ECC_SECP384R1"], folder)
    pkcs = base64.b64encode(key.sign(DATA, padding.PKCS1v15(), HASHES["SHA-256"])).decode()
    unknown = "5f0d3c52-8d7e-4f0b-9a63-1d1f4a6b2c10"
    (folder / f"{unknown[:-1]}1.pem").write_text("no certificate")
    (folder.parent / "outside.pem").write_bytes((folder / f"{elliptic}.pem").read_bytes())
    for change, text in (
        ({"img_signature": "a"}, "The signature data was not properly encoded using base64"),
        ({"img_signature": "é"}, "The signature data was not properly encoded using base64"),
        ({"img_signature": ""}, "The signature does not fit the data"),
        ({"img_signature": pkcs}, "The signature does not fit the data"),
        ({"img_signature_hash_method": "MD5"}, "Invalid signature hash method: MD5"),
        ({"img_signature_hash_method": "sha-256"}, "Invalid signature hash method: sha-256"),
        ({"img_signature_key_type": "RSA"}, "Invalid signature key type: RSA"),
        ({"img_signature_key_type": "ECC_SECP256R1"}, "Invalid signature key type: ECC_SECP256R1"),
        ({"img_signature_key_type": "DSA"}, "Invalid public key type for signature key type: DSA"),
        (
            {"img_signature_certificate_uuid": elliptic},
            "Invalid public key type for signature key type: RSA-PSS",
        ),
        ({"img_signature_certificate_uuid": unknown}, f"Certificate not found with ID: {unknown}"),
        ({"img_signature_certificate_uuid": "../outside"}, "Certificate not found with ID: ../outside"),
        ({"img_signature_certificate_uuid": "/etc/passwd"}, "Certificate not found with ID: /etc/passwd"),
        (
            {"img_signature_certificate_uuid": f"{unknown[:-1]}1"},
            f"Unable to retrieve certificate with ID: {unknown[:-1]}1",
        ),
    ):
        refused(service, folder, {**good, **change}, text)


@pytest.mark.parametrize(("begin", "end"), [(-2, -1), (1, 2)])
def test_certificates_out_of_their_time(
    service: ImageService, folder: Path, keys: dict[str, Any], begin: int, end: int
) -> None:
    key = keys["DSA"]
    certificate = certify(key, folder, begin=begin, end=end)
    signed = properties(sign(key, DATA, "SHA-256"), "SHA-256", "DSA", certificate)
    refused(service, folder, signed, f"The certificate {certificate} is outside its valid date range")


def test_without_certificates_no_signature_can_be_verified(tmp_path: Path, run: Run, keys: dict[str, Any]) -> None:
    signed = properties(sign(keys["DSA"], DATA, "SHA-256"), "SHA-256", "DSA", certify(keys["DSA"], tmp_path))
    with image_service(tmp_path / "data", run) as service:
        status, text, _ = upload(service, signed)
    assert (status, "Certificate not found with ID" in text) == (400, True)


def test_what_the_documentation_tells_to_do(service: ImageService, folder: Path, tmp_path: Path) -> None:
    """The commands of docs/operations.md."""
    uuid = "5f0d3c52-8d7e-4f0b-9a63-1d1f4a6b2c10"
    (tmp_path / "disk.img").write_bytes(DATA)
    for line in (
        f"req -x509 -newkey rsa:3072 -nodes -keyout key.pem -out {folder}/{uuid}.pem -subj /CN=images -days 30",
        "dgst -sha256 -sign key.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max -out signature disk.img",
    ):
        subprocess.run([openssl(), *line.split()], cwd=tmp_path, check=True, capture_output=True)
    signature = base64.b64encode((tmp_path / "signature").read_bytes()).decode()
    signed = properties(signature, "SHA-256", "RSA-PSS", uuid.upper())
    assert upload(service, signed) == (204, "", "active")
