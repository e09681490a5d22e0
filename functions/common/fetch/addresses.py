"""Which addresses belong to the public internet. Touches nothing.

Not `ipaddress.is_global`: what it says of tunnels and translated addresses depends on the version
of Python (3.11.7 calls the NAT64 form of 169.254.169.254 global). These are IANA's registries of
special-purpose addresses; an address that only wraps another one is refused whatever it wraps.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' own
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local: metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# All that IANA gives out for the public internet. Outside of it lie loopback, link-local, unique
# local and multicast addresses, IPv4 in IPv6 (::ffff:0:0/96, ::/96) and NAT64 (64:ff9b::/96,
# 64:ff9b:1::/48).
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)


def is_public(text: str) -> bool:
    """Say whether the IP address (as the resolver writes it) belongs to the public internet."""
    address = ip_address(text)
    if address.version == 4:
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)
