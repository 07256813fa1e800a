"""Certificates that are good, and that are not."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Days = tuple[float, float]
VALID: Days = (-1, 30)


class Authority:
    """`file`: what to trust to trust everything it issues. Files go to `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Test authority " + folder.name)
        self._count = 0
        builder = _begin(self._name, self._name, VALID).public_key(self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / "authority.pem"
        certificate = builder.sign(self._key, hashes.SHA256())
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, address: str, days: Days = VALID) -> tuple[Path, Path]:
        """Certificate and key of a server at an address; valid from, to, in days from now."""
        return self._write(address, days, None)

    def self_signed(self, address: str) -> tuple[Path, Path]:
        return self._write(address, VALID, _name("Alone"))

    def _write(self, address: str, days: Days, alone: x509.Name | None) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(alone or _name(address), alone or self._name, days).public_key(key.public_key())
        who = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(who, critical=False)
        certificate = builder.sign(key if alone else self._key, hashes.SHA256())
        self._count += 1
        files = self.folder / f"{self._count}.pem", self.folder / f"{self._count}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begin(subject: x509.Name, issuer: x509.Name, days: Days) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )
