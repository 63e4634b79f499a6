"""A private authority and its certificates, by which edge and servers authenticate each other."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Role = Literal["edge", "server"]

AUTHORITY, EDGE = "authority", "edge"
"""Folder names that no server may have; `EDGE` is also the name in the edge's certificate."""

AUTHORITY_DAYS = 3650
_BEFORE = timedelta(hours=1)
_USES = {"edge": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Certificate and key of one machine, and the authority that it trusts.

    Attributes:
        folder: Folder of the files.
        authority: Certificate of the authority, PEM.
        certificate: Certificate of the machine, PEM.
        key: Private key of the machine, PEM.
        ends: Expiry of the certificate.
    """

    folder: Path
    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    ends: datetime


def make_keys(folder: Path, servers: Sequence[Sequence[str]], days: int) -> list[Path]:
    """Make an authority where there is none, and certificates for the edge and for servers that have none.

    Args:
        folder: Receives a folder for the authority, one for the edge and one per server, each with all files that
            its machine needs. Only their owner can read private keys.
        servers: Per server the names and addresses under which the edge reaches it; the first names its folder.
        days: Validity of the certificates.

    Returns:
        The new folders.

    Raises:
        ValueError: A name is invalid or has certificates already.
    """
    for hosts in servers:
        if not hosts or hosts[0] in (AUTHORITY, EDGE) or not all(map(_is_host, hosts)):
            raise ValueError(
                f"--server: expected names and addresses of one machine, such as gpu1,192.168.1.21, found {hosts}."
            )
    hosts_by_name = {hosts[0]: hosts for hosts in servers}
    if len(hosts_by_name) < len(servers):
        raise ValueError("--server: one name is given twice.")
    if existing := [name for name in hosts_by_name if (folder / name).exists()]:
        raise ValueError(
            f"{folder} has certificates for {', '.join(existing)} already: remove that folder to make new ones."
        )
    new_folders = []
    if not (folder / AUTHORITY).exists():
        _make_authority(folder / AUTHORITY)
        new_folders.append(folder / AUTHORITY)
    if not (folder / EDGE).exists():
        _issue(folder, EDGE, (), days, "edge")
        new_folders.append(folder / EDGE)
    for name, hosts in hosts_by_name.items():
        _issue(folder, name, hosts, days, "server")
        new_folders.append(folder / name)
    return new_folders


def read_identity(folder: Path, role: Role, now: datetime | None = None) -> Identity:
    """Read and check the files of `make_keys` for a machine.

    Args:
        folder: Folder of the machine.
        role: Role of the machine.
        now: Time to use instead of this machine's clock.

    Raises:
        ValueError: A file is missing, the private key can be read by others or does not match, or the certificate
            is for the other role, has expired or is not valid yet.
    """
    files = [folder / name for name in ("authority.pem", "cert.pem", "key.pem")]
    if missing := [str(file) for file in files if not file.is_file()]:
        raise ValueError(f"--keys: there is no {', '.join(missing)}; `pedbench keys` makes them.")
    if files[2].stat().st_mode & 0o077:
        raise ValueError(f"--keys: {files[2]} can be read by others: chmod 600 {files[2]}.")
    authority, certificate, key = (file.read_bytes() for file in files)
    try:
        own = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, None)
        uses = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise ValueError(
            f"--keys: {folder} holds no certificate and key of `pedbench keys`: {error}."
        ) from None
    if private.public_key() != own.public_key():
        raise ValueError(f"--keys: {files[2]} is not the private key of {files[1]}.")
    if _USES[role] not in uses:
        raise ValueError(
            f"--keys: {folder} holds no certificate of {'an edge' if role == 'edge' else 'a server'}."
        )
    moment = now or datetime.now(timezone.utc)
    if moment > own.not_valid_after_utc:
        raise ValueError(
            f"--keys: the certificate in {folder} has expired on {own.not_valid_after_utc:%Y-%m-%d}."
        )
    if moment < own.not_valid_before_utc:
        raise ValueError(
            f"--keys: the certificate in {folder} is good from {own.not_valid_before_utc:%Y-%m-%d} on, and this "
            f"machine's clock says {moment:%Y-%m-%d}."
        )
    return Identity(
        folder=folder, authority=authority, certificate=certificate, key=key, ends=own.not_valid_after_utc
    )


def _make_authority(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"pedbench authority {secrets.token_hex(4)}")
    certificate = (
        _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, mode=0o700)
    _write(folder / "cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / "key.pem", _pem(key))


def _issue(folder: Path, name: str, hosts: Sequence[str], days: int, role: Role) -> None:
    authority = x509.load_pem_x509_certificate((folder / AUTHORITY / "cert.pem").read_bytes())
    signer = serialization.load_pem_private_key((folder / AUTHORITY / "key.pem").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(name), authority.subject, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USES[role]]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([_alternative(host) for host in hosts or (name,)]), critical=False
        )
    )
    certificate = builder.sign(signer, hashes.SHA256())
    target = folder / name
    target.mkdir(mode=0o700)
    _write(target / "authority.pem", authority.public_bytes(serialization.Encoding.PEM))
    _write(target / "cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
    _write(target / "key.pem", _pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=public,
        serial_number=x509.random_serial_number(),
        # The clocks of boards without a battery run late.
        not_valid_before=now - _BEFORE,
        not_valid_after=now + timedelta(days=days),
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _is_host(text: str) -> bool:
    """Return whether a text is an address or a host name; neither can lead out of the folder of keys."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) < 64 and bool(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text))
    return True


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    """Write a new file that nobody else can read, not even while it is written."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
        stream.write(data)
