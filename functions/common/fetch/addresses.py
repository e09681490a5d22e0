"""The check for public IP addresses. Pure functions.

`ipaddress.is_global` is not used, because its result for tunneled and translated addresses depends
on the Python version (3.11.7 returns true for the NAT64 form of 169.254.169.254). The networks are
those of IANA's special-purpose address registries. An address that embeds another one is always
rejected.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the instance metadata service
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# The only block from which IANA allocates global unicast addresses. It excludes loopback,
# link-local, unique local and multicast addresses, IPv4-mapped addresses (::ffff:0:0/96, ::/96) and
# NAT64 (64:ff9b::/96, 64:ff9b:1::/48).
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
    """Return whether the IP address, in the resolver's notation, is public."""
    address = ip_address(text)
    if address.version == 4:
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)
