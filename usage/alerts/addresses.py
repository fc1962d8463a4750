"""Which addresses of the network a stranger may have us call: none that is not global."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from queue import Empty, Queue

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int, float], Sequence[str]]

GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
LOW_32_BITS = 0xFFFFFFFF


class NotFound(OSError):
    """The name has no address now, or its servers did not answer in time."""


def is_open(address: Address) -> bool:
    """Whether everybody reaches the same host at `address`, and not one of this machine's surroundings."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address in NAT64:
        return is_open(IPv4Address(int(address) & LOW_32_BITS))
    if address.ipv4_mapped is not None:
        return is_open(address.ipv4_mapped)
    # Tunnels carry any IPv4 address within; nobody receives messages there.
    is_tunnel = address.sixtofour is not None or address.teredo is not None
    return address in GLOBAL_UNICAST and address.is_global and not is_tunnel


def parsed(text: str) -> Address:
    """An address as the resolver wrote it, perhaps with a zone."""
    return ip_address(text.partition("%")[0])


def resolve(host: str, port: int, timeout: float) -> Sequence[str]:
    """The addresses of `host` within `timeout` seconds; raises NotFound.

    The system's resolver knows no deadline: a thread waits for it, which is left behind when it takes too long.
    """
    found: Queue[Sequence[str] | OSError] = Queue(1)

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put([str(row[4][0]) for row in rows])
        except (OSError, UnicodeError) as error:  # UnicodeError: labels that no name can have
            found.put(NotFound(f"{host} can't be looked up: {error}"))

    threading.Thread(target=look_up, daemon=True, name="resolver").start()
    try:
        answer = found.get(timeout=timeout)
    except Empty as error:
        raise NotFound(f"{host} was not looked up within {timeout:.0f} s.") from error
    if isinstance(answer, OSError):
        raise answer
    return list(dict.fromkeys(answer))
