"""The lab's own certificate authority and the API certificate it signed: made once, kept until reset.

A client that pins the CA (`tls.caFile`) must find the same one after the lab was stopped and started again.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = datetime.timedelta(days=3650)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "proxmox-golden-fleet lab"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])


def write_private(path: Path, data: bytes) -> None:
    """Write a file only its owner may read, whatever the umask."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(data)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def ensure_certificates(directory: Path, nodes: list[str]) -> tuple[Path, Path]:
    """`ca.pem`, `api.pem` and `api.key` in the lab's folder; returns (certificate chain, key)."""
    ca_file, cert_file, key_file = directory / "ca.pem", directory / "api.pem", directory / "api.key"
    if ca_file.exists() and cert_file.exists() and key_file.exists():
        return cert_file, key_file
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("lab root CA")
    ca = (x509.CertificateBuilder().subject_name(ca_name).issuer_name(ca_name).public_key(ca_key.public_key())
          .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + YEARS)
          .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
          .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
          .add_extension(x509.KeyUsage(digital_signature=True, content_commitment=False, key_encipherment=False,
                                       data_encipherment=False, key_agreement=False, key_cert_sign=True,
                                       crl_sign=True, encipher_only=False, decipher_only=False), critical=True)
          .sign(ca_key, hashes.SHA256()))
    write_private(directory / "ca.key", _pem(ca_key))
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    issue(directory, ["127.0.0.1", "localhost", *nodes])
    return cert_file, key_file


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def issue(directory: Path, names: list[str], foreign: bool = False, ended: bool = False,
          subject: str = "lab API") -> None:
    """A new `api.pem` and `api.key` for these names and addresses, signed by the lab's CA, or by one that nobody knows."""
    ca_file, cert_file, key_file = directory / "ca.pem", directory / "api.pem", directory / "api.key"
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    start, end = (now - YEARS, now) if ended else (now, now + YEARS)
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    ca_key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    issuer = ca.subject
    if foreign:
        ca_key, issuer = ec.generate_private_key(ec.SECP256R1()), _name("somebody's own CA")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(issuer)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(start).not_valid_after(end)
               .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
               .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
    cert = builder.sign(ca_key, hashes.SHA256())
    write_private(key_file, _pem(key))
    chain = b"" if foreign else ca_file.read_bytes()
    cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + chain)


def describe(file: Path, filename: str) -> dict:
    """A certificate as `/nodes/{node}/certificates/info` lists it: the first one of the file."""
    cert = x509.load_pem_x509_certificate(file.read_bytes())
    one_line = lambda name: "".join(f"/{part.rfc4514_attribute_name}={part.value}" for part in name)  # noqa: E731
    info = {"filename": filename, "fingerprint": fingerprint(file), "subject": one_line(cert.subject),
            "issuer": one_line(cert.issuer), "notbefore": int(cert.not_valid_before_utc.timestamp()),
            "notafter": int(cert.not_valid_after_utc.timestamp()), "public-key-type": "id-ecPublicKey",
            "public-key-bits": 256, "pem": cert.public_bytes(serialization.Encoding.PEM).decode(), "san": []}
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        info["san"] = [str(name.value) for name in names]
    except x509.ExtensionNotFound:
        pass
    return info


def fingerprint(cert_file: Path) -> str:
    """SHA-256 fingerprint of the API certificate, as PVE shows it (AA:BB:…)."""
    cert = x509.load_pem_x509_certificate(cert_file.read_bytes())
    return ":".join(f"{byte:02X}" for byte in cert.fingerprint(hashes.SHA256()))
