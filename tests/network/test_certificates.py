"""Certificates of `pedbench keys`, judged by OpenSSL's own rules and by the files' modes."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pedbench.cli import main
from pedbench.network.certificates import make_keys, read_identity


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, [["gpu1", "192.168.1.21"], ["gpu2"]], days=90)
    return folder


def test_nobody_else_reads_the_files_and_the_authority_stays_apart(keys: Path) -> None:
    files = sorted(keys.rglob("*.pem"))
    assert {str(file.relative_to(keys)) for file in files} == {
        "authority/cert.pem",
        "authority/key.pem",
        *(
            f"{machine}/{name}.pem"
            for machine in ("edge", "gpu1", "gpu2")
            for name in ("authority", "cert", "key")
        ),
    }
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert {stat.S_IMODE(file.parent.stat().st_mode) for file in files} == {0o700}
    secret = (keys / "authority" / "key.pem").read_bytes()
    assert [file for file in files if file.read_bytes() == secret] == [keys / "authority" / "key.pem"]


def test_certificates_name_hosts_and_end(keys: Path) -> None:
    own = x509.load_pem_x509_certificate((keys / "gpu1" / "cert.pem").read_bytes())
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gpu1"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.168.1.21"]
    left = own.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


def test_servers_are_added_to_the_same_authority(tmp_path: Path) -> None:
    make_keys(tmp_path, [["one"]], days=1)
    folders = make_keys(tmp_path, [["two"]], days=1)
    assert [path.name for path in folders] == ["two"]
    assert (
        read_identity(tmp_path / "one", "server").authority
        == read_identity(tmp_path / "two", "server").authority
    )


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        (["../out"], "expected names and addresses"),
        (["edge"], "expected names and addresses"),
        (["authority"], "expected names and addresses"),
        (["gpu9", ""], "expected names and addresses"),
        (["gpu1"], "has certificates for gpu1 already: remove that folder"),
    ],
)
def test_wrong_names_are_a_sentence(keys: Path, hosts: list[str], sentence: str) -> None:
    before = sorted(keys.rglob("*"))
    with pytest.raises(ValueError, match=sentence):
        make_keys(keys, [hosts], days=1)
    assert sorted(keys.rglob("*")) == before


def test_what_would_not_do_is_refused_where_it_is_read(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no certificate of a server"):
        read_identity(keys / "edge", "server")
    with pytest.raises(ValueError, match="holds no certificate of an edge"):
        read_identity(keys / "gpu1", "edge")
    with pytest.raises(ValueError, match=r"there is no .*authority\.pem"):
        read_identity(tmp_path, "edge")
    with pytest.raises(ValueError, match=r"has expired on \d{4}-"):
        read_identity(keys / "edge", "edge", datetime.now(UTC) + timedelta(days=91))
    with pytest.raises(ValueError, match="this machine's clock says 1970-01-01"):
        read_identity(keys / "edge", "edge", datetime(1970, 1, 1, tzinfo=UTC))
    for name in ("authority.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_bytes((keys / ("gpu1" if name == "cert.pem" else "gpu2") / name).read_bytes())
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(ValueError, match="can be read by others: chmod 600"):
        read_identity(tmp_path, "server")
    (tmp_path / "key.pem").chmod(0o600)
    with pytest.raises(ValueError, match="is not the private key of"):
        read_identity(tmp_path, "server")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["keys", str(tmp_path / "keys"), "--server", "gpu1,192.168.1.21"])
    assert left.value.code == 0
    output = capsys.readouterr().out
    assert [Path(line).name for line in output.split()] == ["authority", "edge", "gpu1"]
    assert "PRIVATE" not in output
