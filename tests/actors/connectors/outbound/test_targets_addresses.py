"""What tenants may point connectors at."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from actors.connectors.contract import Permanent, Transient
from actors.connectors.outbound.boundary import EgressPolicy
from actors.connectors.outbound.targets import (
    MAIL_PORTS,
    WEB_PORTS,
    Target,
    host_of,
    parse_host,
    parse_url,
)
from actors.errors import SettingsError
from tests.actors.connectors.deliveries import names, run

EVERYWHERE = names(
    {"in.example": ["10.0.0.1"], "out.example": ["1.1.1.1", "10.0.0.1", "2606:4700::1"]}
)


def addresses(target: Target, egress: EgressPolicy, ports: frozenset[int] = WEB_PORTS) -> list[str]:
    """Where a connection would go."""
    found = run(egress._replace(resolve=EVERYWHERE).addresses(target, ports))
    return [str(address) for address in found]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com:70/",
        "example.com",
        "",
        "https://",
        "https:///path",
        "https://user:password@example.com/",
        "https://1.1.1.1@127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://127.0.0.1%00.example.com/",
        "https://127.0.0.256/",
        "https://example.com\\@127.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/\r\nHost: 127.0.0.1",
        "https://ex%61mple.com/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://example.com:99999/",
        "https://-a.example/",
        "https://a..example/",
        f"https://{'a' * 64}.example/",
        "https://example.com/" + "a" * 2000,
    ],
)
def test_urls_that_can_be_read_in_two_ways_are_refused(url: str) -> None:
    """Odd schemes, users, numbers for addresses, half an address, line breaks."""
    with pytest.raises(Permanent):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Example.COM", Target("example.com", 443, True)),
        ("http://example.com/a?b=c", Target("example.com", 80, False)),
        ("https://1.1.1.1:8443/", Target("1.1.1.1", 8443, True)),
        ("https://[2606:4700::1]/", Target("2606:4700::1", 443, True)),
        ("https://bücher.example/", Target("xn--bcher-kva.example", 443, True)),
    ],
)
def test_plain_urls_are_read(url: str, target: Target) -> None:
    """The host in its one spelling."""
    assert parse_url(url)[1] == target


@given(st.text(max_size=40))
def test_whatever_passes_as_a_host_is_a_name_or_an_address(text: str) -> None:
    """And stays the same when it is read again; full-width digits and the like are read as what they are."""
    try:
        host = host_of(text)
    except Permanent:
        return
    assert host.isascii()
    assert host == host_of(host) == host.lower()
    assert not set(host) & set(" /\\@%#?<>[]\r\n\0")


@pytest.mark.parametrize("text", ["１２７.０.０.１", "127。0。0。1", "①②⑦.⓪.⓪.①"])
def test_addresses_in_disguise_are_seen(text: str) -> None:
    """Some systems take these for 127.0.0.1; so they are that, or nothing."""
    with suppress(Permanent):
        assert host_of(text) == "127.0.0.1"


def test_names_are_judged_by_their_addresses() -> None:
    """Those that may be reached are; the others are passed over, or refused where there are no more."""
    assert addresses(parse_url("https://out.example")[1], EgressPolicy()) == [
        "1.1.1.1",
        "2606:4700::1",
    ]
    assert addresses(
        parse_url("https://in.example")[1], EgressPolicy.from_settings(["10.0.0.0/24"])
    ) == ["10.0.0.1"]
    with pytest.raises(
        Permanent, match=r"its address is private, and only public ones .*--outward"
    ):
        addresses(parse_url("https://10.0.0.1")[1], EgressPolicy())


@pytest.mark.parametrize("port", [443, 6379])
def test_a_tenant_is_not_told_which_names_there_are_inside(port: int) -> None:
    """Neither by the words nor by whether it is tried again; the operator's log has it."""
    told = []
    with capture_logs() as lines:
        for host in ("in.example", "nowhere.example"):
            with pytest.raises(Transient) as caught:
                addresses(parse_url(f"https://{host}:{port}")[1], EgressPolicy())
            told.append(str(caught.value).replace(host, "HOST"))
    assert told[0] == told[1]
    assert "has no address that is reached from here" in told[0]
    assert lines[0]["addresses"] == ["10.0.0.1 (private)"]
    assert [line["host"] for line in lines] == ["in.example", "nowhere.example"]


def test_ports_are_those_of_the_protocol_but_in_admitted_networks() -> None:
    """Elsewhere our bytes would reach a protocol that they are not meant for."""
    with pytest.raises(Permanent, match="port 6379 is none of 80, 443"):
        addresses(parse_url("https://out.example:6379")[1], EgressPolicy())
    with pytest.raises(Permanent, match="port 22 is none of 25"):
        addresses(parse_host("out.example", 22, encrypted=True), EgressPolicy(), MAIL_PORTS)
    inside = EgressPolicy.from_settings(["10.0.0.0/24"])
    assert addresses(parse_url("https://in.example:6379")[1], inside) == ["10.0.0.1"]


def test_without_tls_only_this_machine_is_reached() -> None:
    """Unless the operator says otherwise."""
    with pytest.raises(Permanent, match="without TLS"):
        addresses(parse_url("http://out.example")[1], EgressPolicy())
    assert addresses(parse_url("http://out.example")[1], EgressPolicy(plain=True))
    assert addresses(
        parse_url("http://127.0.0.1")[1], EgressPolicy.from_settings(["127.0.0.0/8"])
    ) == ["127.0.0.1"]


def test_the_system_resolves_where_nobody_else_does() -> None:
    """A name that every system has."""
    target = parse_url("http://localhost")[1]
    found: Any = run(
        EgressPolicy.from_settings(["127.0.0.0/8", "::1/128"]).addresses(target, WEB_PORTS)
    )
    assert found[0].is_loopback


@pytest.mark.parametrize("text", ["10.0.0.1/8", "everything", "10.0.0.0/33"])
def test_a_network_that_is_none_stops_the_server(text: str) -> None:
    """With the way to write one."""
    with pytest.raises(SettingsError, match=r"a network is written"):
        EgressPolicy.from_settings([text])
