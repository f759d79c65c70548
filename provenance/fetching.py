"""Fetching what a site publishes about its reservations. Done on somebody's order only, never by itself.

An address that a person types must not become a look into our own network: names are resolved once, every address
they lead to must be public, and the connection goes to the address that was looked at (no second lookup in between).
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from governance.errors import PartMissingError
from provenance.errors import ProvenanceError
from provenance.rights.optouts import Snapshot
from provenance.rights.optouts.addresses import origin
from provenance.rights.optouts.findings import MAX_BYTES
from provenance.services.binding import own_agent

WELL_KNOWN: Final = ("/robots.txt", "/.well-known/tdmrep.json", "/ai.txt")
CONNECT_S: Final = 10.0
WHOLE_S: Final = 30.0
MAX_REDIRECTS: Final = 5
CHUNK_BYTES: Final = 64 * 1024
KEPT_HEADERS: Final = (
    "tdm-reservation",
    "tdm-policy",
    "content-usage",
    "content-type",
    "last-modified",
    "date",
)


class UnreachableError(PartMissingError):
    """The site did not answer, or not in time. Nothing is concluded from that."""

    code = "unreachable"


class ForbiddenAddressError(ProvenanceError):
    """The address leads somewhere that is not the public web, or off its own host."""

    code = "forbidden_address"


@dataclass(frozen=True)
class Fetched:
    """An answer. ``snapshot`` is None where the site has no such file."""

    url: str
    status: int
    snapshot: Snapshot | None


def addresses_to_ask(url: str) -> list[str]:
    """Return what is fetched for an address: the three files of its host, and the address itself for its headers."""
    parts = urlsplit(url if "//" in url else f"https://{url}")
    if not origin(parts.geturl()):
        raise ProvenanceError(f"{url!r} is no web address: write https://label.example.")
    found = [f"{parts.scheme}://{parts.netloc}{path}" for path in WELL_KNOWN]
    if parts.path not in ("", "/") and parts.path not in WELL_KNOWN:
        found.append(parts.geturl())
    return found


def fetch(url: str, *, clock: Callable[[], datetime]) -> Fetched:
    """Fetch one address.

    Raises
    ------
    ForbiddenAddressError
        If it, or what it redirects to, is no public address, carries a password, or is on another host.
    UnreachableError
        If it does not answer in time, answers with a server error, or sends more than is read.
    """
    started = time.monotonic()
    asked = url
    for _ in range(MAX_REDIRECTS + 1):
        status, headers, body = _ask(asked, started)
        if status not in (301, 302, 303, 307, 308):
            return _answer(asked, status, headers, body, clock())
        target = urljoin(asked, dict(headers).get("location", ""))
        if urlsplit(target).hostname != urlsplit(url).hostname:
            raise ForbiddenAddressError(
                f"{url} redirects to another host: fetch {target[:200]} by its own name."
            )
        asked = target
    raise UnreachableError(f"{url} redirects more than {MAX_REDIRECTS} times.")


def _answer(url: str, status: int, headers: list[tuple[str, str]], body: bytes, now: datetime) -> Fetched:
    if status >= 500 or status == 429:
        raise UnreachableError(
            f"{url} answered {status}: whether it reserves anything is not known. Try later."
        )
    if status != 200:
        return Fetched(url, status, None)
    kept = tuple((name, value) for name, value in headers if name in KEPT_HEADERS)
    return Fetched(url, status, Snapshot(body, urlsplit(url).path.rpartition("/")[2], url, now, kept))


def _ask(url: str, started: float) -> tuple[int, list[tuple[str, str]], bytes]:
    parts = urlsplit(url)
    host, port, address = _vetted(url)
    connection = _Vetted(host, port, address, secure=parts.scheme == "https")
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": own_agent(), "Accept-Encoding": "identity"})
        response = connection.getresponse()
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        wants_body = response.status == 200 and not _is_sound(headers)
        return response.status, headers, _body(response, url, started) if wants_body else b""
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{url} did not answer: {error or type(error).__name__}.") from error
    finally:
        connection.close()


def _is_sound(headers: list[tuple[str, str]]) -> bool:
    """Say whether only the headers matter: a sound file's bytes are not fetched here."""
    return dict(headers).get("content-type", "").startswith(("audio/", "video/", "image/"))


def _body(response: http.client.HTTPResponse, url: str, started: float) -> bytes:
    read = bytearray()
    while chunk := response.read(CHUNK_BYTES):
        read += chunk
        if len(read) > MAX_BYTES:
            raise UnreachableError(f"{url} sends more than {MAX_BYTES} bytes.")
        if time.monotonic() - started > WHOLE_S:
            raise UnreachableError(f"{url} takes longer than {WHOLE_S:g} s.")
    return bytes(read)


def _vetted(url: str) -> tuple[str, int, str]:
    """Return host, port and the public IP address to connect to."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ForbiddenAddressError(f"{url[:200]!r} is no web address: {error}.") from error
    private_too = bool(getattr(settings, "FETCH_PRIVATE_ADDRESSES", False))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ForbiddenAddressError(f"{url[:200]!r} is no plain web address.")
    if port not in (None, 80, 443) and not private_too:
        raise ForbiddenAddressError(f"{url[:200]!r}: only the web's own ports, 80 and 443, are asked.")
    port = port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"{parts.hostname} can't be looked up: {error}.") from error
    addresses = [str(one[4][0]) for one in found]
    if not private_too and not all(_is_public(address) for address in addresses):
        raise ForbiddenAddressError(
            f"{parts.hostname} leads to an address that is not public: it is not asked."
        )
    return parts.hostname, port, addresses[0]


def _is_public(address: str) -> bool:
    known = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(known, ipaddress.IPv6Address):
        inner = known.ipv4_mapped or known.sixtofour or (known.teredo[1] if known.teredo else None)
        if inner is not None:
            known = inner
    return known.is_global and not known.is_multicast and not known.is_reserved


class _Vetted(http.client.HTTPConnection):
    """A connection to the address that was looked at; the certificate is the host's all the same."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=CONNECT_S)
        self._address = address
        self._secure = secure
        if secure:
            self.default_port = http.client.HTTPS_PORT  # so that the Host field names no port

    def connect(self) -> None:
        opened = socket.create_connection((self._address, self.port), CONNECT_S)
        if self._secure:
            opened = ssl.create_default_context().wrap_socket(opened, server_hostname=self.host)
        self.sock = opened
