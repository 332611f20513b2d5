"""Trial S1, the decision: which URLs and addresses may be called. The sockets are tried in tests/integration."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.outbound import AddressRefused, check_url
from belfry.outbound.addresses import check_address, refusal
from support.hostile_urls import HOSTILE_URLS, REFUSED_ADDRESSES


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_url_that_leads_inside_or_is_spelt_as_a_trick_is_refused_when_saved(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)


def test_the_list_of_hostile_urls_is_long_enough_to_be_a_trial() -> None:
    assert len(set(HOSTILE_URLS)) >= 200


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://example.com", "example.com", 80),
        ("https://example.com/", "example.com", 443),
        ("HTTPS://Example.COM/Path?q=1#f", "example.com", 443),
        ("https://example.com:8443/x", "example.com", 8443),
        ("http://example.com:1024", "example.com", 1024),
        ("http://example.com:65535?x", "example.com", 65535),
        ("https://a-b_c.d.example.co.uk/@me", "a-b_c.d.example.co.uk", 443),
        ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443),
        ("http://93.184.216.34/", "93.184.216.34", 80),
        ("http://[2606:2800:220:1:248:1893:25c8:1946]/", "2606:2800:220:1:248:1893:25c8:1946", 80),
        ("https://example.com/a:b@c", "example.com", 443),
        ("https://1.2.3.4.example.com/", "1.2.3.4.example.com", 443),
    ],
)
def test_a_public_url_is_accepted_and_read_in_one_way(url: str, host: str, port: int) -> None:
    destination = check_url(url)
    assert (destination.host, destination.port) == (host, port)
    assert not destination.is_allowed_by_name


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x", "http://localhost:9000/", "http://receiver:8080", "http://[::1]:7000/"]
)
def test_the_installation_may_allow_a_host_and_port_literally(url: str) -> None:
    allow = ["127.0.0.1:8080", "localhost:9000", "receiver:8080", "[::1]:7000"]
    assert check_url(url, allow).is_allowed_by_name


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:8081/", id="another port"),
        pytest.param("http://127.1:8080/", id="another spelling of the address"),
        pytest.param("http://localhost:8080/", id="another name of the address"),
        pytest.param("http://u@127.0.0.1:8080/", id="userinfo"),
        pytest.param("http://127.0.0.1.:8080/", id="trailing dot"),
    ],
)
def test_the_allow_list_is_matched_literally(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, ["127.0.0.1:8080"])


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "2a00:1450:4001::1",
    ],
)
def test_a_public_address_next_to_a_refused_network_is_accepted(address: str) -> None:
    check_address(address)


@given(st.ip_addresses())
def test_nothing_that_python_calls_not_global_is_accepted(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert refusal(address) is not None


@given(st.text(max_size=60))
def test_any_text_is_either_refused_or_a_destination(text: str) -> None:
    try:
        destination = check_url(text)
    except AddressRefused:
        return
    assert destination.scheme in {"http", "https"}


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_refused_whatever_it_is(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address(number),
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1),
        ipaddress.IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ]
    assert all(refusal(candidate) is not None for candidate in wrapped)


def test_the_error_does_not_repeat_the_url() -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url("http://u:canary-8d1f@10.0.0.1/canary-8d1f")
    assert "canary-8d1f" not in str(caught.value)
