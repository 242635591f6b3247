"""A server's certificate, made for a test."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Certified:
    """A server's TLS, with a certificate of its own for mirror.example and 127.0.0.1, and the names asked for.

    `file` has the certificate and its key, `certificate` and `key` have one of them each.
    """

    def __init__(self, directory: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mirror.example")])
        day = datetime.timedelta(days=1)
        today = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("mirror.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), today - day, today + day)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        self.file, self.certificate, self.key = (
            directory / name for name in ("mirror.pem", "mirror.crt", "mirror.key")
        )
        for path, content in ((self.file, public + private), (self.certificate, public), (self.key, private)):
            path.write_bytes(content)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(self.file)
        self.asked: list[str | None] = []
        self.context.sni_callback = lambda sock, name, context: self.asked.append(name)
