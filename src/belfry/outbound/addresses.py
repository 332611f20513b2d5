"""Whether a URL, a host or an address may be called. Pure: no look-up, no clock.

A URL is checked twice with the same code: when it is saved, and before each send. The addresses that its name has
are checked a third time when they are known, at the socket (`resolver.py`). There is one spelling for a host: what
some parser could read as another host is refused instead of interpreted.

Source: partner integrations 0.5, trial S1.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Collection

import msgspec

from belfry.outbound.model import AddressRefused

URL_CHARS_MAX = 8192
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]*\]|[^:/?#\[\]]*)(?::(?P<port>[^/?#]*))?(?P<rest>[/?#].*)?",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"[^\x21-\x7e]|[\\<>\"^`{|}]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_TOP_LABEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa", "onion", "invalid")

_REFUSED_V4 = (
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier NAT"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "a cloud's metadata"),
    ("169.254.0.0/16", "link-local and metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "AMT"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "AS112"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
_ALLOWED_V6 = ipaddress.IPv6Network("2000::/3")
"""Global unicast. Everything outside (loopback, mapped, NAT64, unique local, link-local, multicast) is refused."""
_REFUSED_V6 = (
    ("2001::/32", "Teredo"),
    ("2001::/23", "protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("2620:4f:8000::/48", "AS112"),
    ("3ffe::/16", "6bone"),
    ("3fff::/20", "documentation"),
)
_OUTSIDE_V6 = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "IPv4-mapped"),
    ("::/96", "IPv4-compatible"),
    ("64:ff9b::/96", "NAT64"),
    ("64:ff9b:1::/48", "NAT64"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
_ISATAP = 0x00005EFE
_V4 = tuple((ipaddress.IPv4Network(net), why) for net, why in _REFUSED_V4)
_V6 = tuple((ipaddress.IPv6Network(net), why) for net, why in (*_REFUSED_V6, *_OUTSIDE_V6))


class Destination(msgspec.Struct, frozen=True):
    """Where a URL leads. host: lower case, IPv6 without brackets. is_allowed_by_name: on the installation's list."""

    scheme: str
    host: str
    port: int
    is_allowed_by_name: bool

    @property
    def key(self) -> str:
        """`host:port`, as the allow-list spells it."""
        return host_port(self.host, self.port)


def check_url(url: str, allow: Collection[str] = ()) -> Destination:
    """Where a URL leads, if it may be called as far as its text tells.

    allow   `host:port` pairs that may be called whatever their address is
    raises  AddressRefused, saying what is wrong with the URL without repeating it
    """
    if len(url) > URL_CHARS_MAX:
        raise AddressRefused(f"the URL is longer than {URL_CHARS_MAX} characters")
    if _FORBIDDEN.search(url):
        raise AddressRefused("the URL holds characters that a URL may not hold; write names in their xn-- form")
    match = _URL.fullmatch(url)
    if match is None:
        raise AddressRefused("the URL is not http:// or https:// with a host")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if "@" in host or "@" in (match["port"] or ""):
        raise AddressRefused("the URL holds a user name or password")
    port = _port(match["port"], scheme)
    bare = host[1:-1] if host.startswith("[") else host
    if host_port(bare, port) in allow:
        return Destination(scheme, bare, port, is_allowed_by_name=True)
    _check_port(port)
    _check_host(host)
    return Destination(scheme, bare, port, is_allowed_by_name=False)


def check_address(address: str) -> None:
    """Raise AddressRefused if an IP address, as the resolver or the socket spells it, may not be called."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        # A zone id (`fe80::1%eth0`) is only found on link-local addresses.
        raise AddressRefused("the address is not a plain IP address") from None
    why = refusal(parsed)
    if why is not None:
        raise AddressRefused(f"the address is not public: {why}")


def refusal(address: IPAddress) -> str | None:
    """Why an address may not be called; None if it may."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((why for network, why in _V4 if address in network), None)
    if address.scope_id is not None:
        return "zone id"
    for network, why in _V6:
        if address in network:
            return why
    if address not in _ALLOWED_V6:
        return "not global unicast"
    interface_id = int(address) & 0xFFFFFFFFFFFFFFFF
    return "ISATAP" if (interface_id >> 32) & 0xFDFFFFFF == _ISATAP else None


def host_port(host: str, port: int) -> str:
    """A host and a port as one text; IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return 443 if scheme == "https" else 80
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or text.startswith("0") or int(text) > 65535:
        raise AddressRefused("the port is not a number from 1 to 65535")
    return int(text)


def _check_port(port: int) -> None:
    if port not in (80, 443) and port < 1024:
        raise AddressRefused("the port is not 80, 443 or 1024 to 65535")


def _check_host(host: str) -> None:
    if host.startswith("["):
        check_address(host[1:-1])
        return
    labels = host.split(".")
    if host.endswith("."):
        raise AddressRefused("the host ends with a dot")
    if _NUMERIC.fullmatch(labels[-1]):
        _check_ipv4(host)
        return
    _check_name(host, labels)


def _check_ipv4(host: str) -> None:
    """Only four decimal numbers are an address; 127.1, 0x7f.1, 017700000001 and 2130706433 are tricks."""
    try:
        parsed = ipaddress.IPv4Address(host)
    except ValueError:
        raise AddressRefused("the host is a number but not four decimal ones") from None
    check_address(str(parsed))


def _check_name(host: str, labels: list[str]) -> None:
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the host is not a valid name")
    if len(labels) > 1 and not _TOP_LABEL.fullmatch(labels[-1]):
        raise AddressRefused("the host does not end in a domain")
    if any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES):
        raise AddressRefused("the host is a name of local networks")
    if len(labels) == 1:
        raise AddressRefused("the host is a name without a domain")
    for label in labels:
        _check_punycode(label)


def _check_punycode(label: str) -> None:
    """Refuse an `xn--` label that does not stand for itself: lenient decoders turn it into another name."""
    if not label.startswith("xn--"):
        return
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        raise AddressRefused("the host holds an xn-- label that cannot be decoded") from None
    if decoded.isascii() or unicodedata.normalize("NFKC", decoded).casefold() != decoded:
        raise AddressRefused("the host holds an xn-- label that is not in its normal form")
