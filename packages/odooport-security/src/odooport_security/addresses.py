"""Where a request comes from, as far as it is counted."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_UNKNOWN = "unknown"
_LONGEST = 64
_HOST_BITS = 64
_REMEMBERED = 1024


@lru_cache(maxsize=_REMEMBERED)
def network_of(address: str | None) -> str:
    """Answer what is counted as one place.

    An IPv4 address is one. Of IPv6 the whole /64 is: that is what a single line gets
    (RFC 6177), and whoever has one can take any address in it. What is not known, or
    cannot be read, is a place too, so nobody slips through by hiding it.

    Args:
        address: An IP address as text, as a door sees it; None where there is none.
    """
    if address is None:
        return _UNKNOWN
    try:
        ip = ip_address(address)
    except ValueError:
        return address[:_LONGEST]
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return f"{IPv6Address(int(ip) >> _HOST_BITS << _HOST_BITS)}/{_HOST_BITS}"
