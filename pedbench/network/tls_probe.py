"""Check of the server at an address before any picture leaves; errors explain in a sentence what is wrong."""

from __future__ import annotations

import socket
import ssl

from pedbench.network.certificates import Identity

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
_STRANGERS = (18, 19, 20, 21)
"""OpenSSL's codes for certificates that the authority did not sign."""


def check_handshake(address: str, host: str, port: int, identity: Identity | None, patience: float) -> None:
    """Connect as the channel will, and verify the certificates of both ends.

    Args:
        address: Name of the server in errors.
        host: Name or address of the server.
        port: Port of the server.
        identity: The edge's certificates; None for a connection without TLS.
        patience: Timeout in seconds.

    Raises:
        ConnectionError: Nobody answers, a certificate is refused, or only one end uses TLS.
    """
    server = f"server {address}"
    tls = "without TLS" if identity is None else "with TLS"
    try:
        with socket.create_connection((host, port), timeout=patience) as plain:
            plain.settimeout(patience)
            if identity is None:
                _speak_plainly(server, plain)
            else:
                _shake_hands(server, host, plain, identity)
    except TimeoutError:
        raise ConnectionError(
            f"{server} cannot be reached {tls} within {patience:.0f} s. Does `pedbench serve` run there, and is the "
            "port open?"
        ) from None
    except OSError as error:
        if type(error) is ConnectionError:
            raise
        raise ConnectionError(f"{server} cannot be reached {tls}: {error.strerror or error}.") from None


def _speak_plainly(server: str, plain: socket.socket) -> None:
    try:
        plain.sendall(_PREFACE)
        answer = plain.recv(9)
    except ConnectionError:
        answer = b""
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise ConnectionError(
            f"{server} cannot be reached without TLS: it hangs up on a peer that speaks plainly. If it was started "
            "with --keys, give --keys here, too."
        )


def _shake_hands(server: str, host: str, plain: socket.socket, identity: Identity) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=identity.authority.decode())
    context.load_cert_chain(identity.folder / "cert.pem", identity.folder / "key.pem")
    context.set_alpn_protocols(["h2"])
    connected = False
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            connected = True
            # The server accepts or refuses the edge's certificate only after the handshake.
            if secure.recv(1):
                return
    except ssl.SSLCertVerificationError as error:
        raise ConnectionError(f"{server} is refused: {_verification_problem(error, host)}") from None
    except TimeoutError:
        raise
    except OSError as error:
        if connected:
            raise ConnectionError(
                f"{server} refuses this edge's certificate: both need certificates of one authority that have not "
                f"expired, this end's be the edge's, and both clocks be right ({_reason(error)})."
            ) from None
        raise ConnectionError(
            f"{server} cannot be reached with TLS: it does not speak it ({_reason(error)}). Start it with --keys."
        ) from None
    raise ConnectionError(f"{server} refuses this edge's certificate: it hung up after the handshake.")


def _verification_problem(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code == _EXPIRED:
        return (
            "its certificate has expired; make a new one with `pedbench keys`, or set this machine's clock."
        )
    if error.verify_code == _NOT_YET:
        return "its certificate is not good yet; is this machine's clock right?"
    if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        return f"its certificate is for another host than {host}; name all of a server's to `pedbench keys --server`."
    if error.verify_code in _STRANGERS:
        return "its certificate is not signed by the authority of the --keys here."
    return f"its certificate does not do: {error.verify_message}."


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)
