"""Which addresses are public: held against Python's own table, and against a list by hand."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.outbound.targets import Address, embedded_ipv4, refusal, special_range

NOT_PUBLIC = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "of this network",
    "10.255.255.255": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.100.100.200": "a cloud's metadata service",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "a cloud's metadata service",
    "169.254.1.1": "link-local",
    "169.254.169.254": "a cloud's metadata service",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "198.18.0.1": "for benchmarks",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "IPv4 inside IPv6",
    "::ffff:127.0.0.1": "IPv4 inside IPv6",
    "::ffff:8.8.8.8": "IPv4 inside IPv6",
    "::ffff:0:127.0.0.1": "IPv4 inside IPv6",
    "64:ff9b::169.254.169.254": "IPv4 inside IPv6",
    "64:ff9b:1::a00:1": "IPv4 inside IPv6",
    "2002:7f00:1::1": "IPv4 inside IPv6",
    "2001:0:4136:e378::1": "IPv4 inside IPv6",
    "2606:4700::5efe:7f00:1": "IPv4 inside IPv6",
    "2606:4700::200:5efe:a00:1": "IPv4 inside IPv6",
    "2001:db8::1": "for documentation",
    "fc00::1": "private",
    "fd00:ec2::254": "a cloud's metadata service",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "4000::1": "reserved",
}

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.0.1",
    "100.128.0.1",
    "2606:4700::1",
]


@pytest.mark.parametrize(("text", "what"), NOT_PUBLIC.items())
def test_what_is_not_public_says_what_it_is(text: str, what: str) -> None:
    """In the words that a refusal has."""
    assert special_range(ip_address(text)) == what


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_let_through(text: str) -> None:
    """Also right beside what is not."""
    assert refusal(ip_address(text), ()) is None


@given(st.one_of(st.ip_addresses(), st.ip_addresses(network=ip_network("2000::/3"))))
def test_nothing_is_let_through_that_python_knows_not_to_be_public(address: Address) -> None:
    """Its table is another reading of the same registries."""
    if special_range(address) is None:
        assert address.is_global
        special = ("multicast", "reserved", "loopback", "private", "link_local", "unspecified")
        assert [what for what in special if getattr(address, f"is_{what}")] == []
        if isinstance(address, IPv6Address):
            assert (address.ipv4_mapped, address.sixtofour, address.teredo) == (None, None, None)


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_found_and_refused(inner: IPv4Address) -> None:
    """In each well-known form; admitting the form does not admit what it leads to."""
    forms = ("::ffff:{}", "64:ff9b::{}")
    for outer in [ip_address(form.format(inner)) for form in forms]:
        assert embedded_ipv4(outer) == inner
        assert refusal(outer, ()) is not None
        admitted = (ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96"))
        assert refusal(outer, admitted) == special_range(inner)
    six_to_four = IPv6Address((0x2002 << 112) | (int(inner) << 80) | 1)
    assert embedded_ipv4(six_to_four) == inner


def test_an_operator_admits_networks_and_only_these() -> None:
    """One private network does not open the next."""
    admitted = (ip_network("10.1.0.0/16"),)
    assert refusal(ip_address("10.1.2.3"), admitted) is None
    assert refusal(ip_address("10.2.0.1"), admitted) == "private"
    assert refusal(ip_address("::ffff:10.1.2.3"), admitted) is not None
