"""Which addresses may be fetched from."""

import ipaddress
from urllib.parse import urlsplit

import pytest

from pitwall_runtime.errors import MediaRefusedError
from pitwall_runtime.ingest.fetch.ssrf import is_public, pinned_address


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("10.1.2.3", id="private-10"),
        pytest.param("172.16.0.1", id="private-172"),
        pytest.param("192.168.1.1", id="private-192"),
        pytest.param("169.254.169.254", id="cloud-metadata"),
        pytest.param("100.64.0.1", id="carrier-grade-nat"),
        pytest.param("0.0.0.0", id="this-host"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("::1", id="loopback-6"),
        pytest.param("fe80::1", id="link-local-6"),
        pytest.param("fd00:ec2::254", id="metadata-6"),
        pytest.param("::ffff:10.0.0.1", id="private-mapped-into-6"),
        pytest.param("::ffff:169.254.169.254", id="metadata-mapped-into-6"),
        pytest.param("64:ff9b::a9fe:a9fe", id="metadata-behind-nat64"),
        pytest.param("2002:7f00:1::", id="loopback-in-6to4"),
        pytest.param("ff02::1", id="multicast-6"),
        pytest.param("168.63.129.16", id="a cloud's host, by a public number"),
        pytest.param("::ffff:168.63.129.16", id="the same mapped into 6"),
        pytest.param("192.0.0.192", id="metadata among protocols' own"),
        pytest.param("100.100.100.200", id="metadata behind carriers"),
        pytest.param("fd20:ce::254", id="metadata of another cloud in 6"),
        pytest.param("192.88.99.1", id="a relay of 6to4"),
        pytest.param("3fff::1", id="documents in 6"),
    ],
)
def test_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["http://localhost/x", "http://127.1/x", "http://2130706433/x", "http://0x7f.0.0.1/x", "http://[::1]:80/x"],
)
def test_other_spellings_of_this_machine_are_refused(url):
    with pytest.raises(MediaRefusedError):
        pinned_address(urlsplit(url), frozenset())


def test_an_allowed_host_is_allowed_on_its_port_only():
    assert pinned_address(urlsplit("http://127.0.0.1:9000/x"), {"127.0.0.1:9000"}) == "127.0.0.1"
    with pytest.raises(MediaRefusedError, match="--allow-host"):
        pinned_address(urlsplit("http://127.0.0.1:9001/x"), {"127.0.0.1:9000"})


@pytest.mark.parametrize("url", ["http:///x", "http://no-such-host.invalid/x", "http://a:99999/x"])
def test_nonsense_is_refused_in_words(url):
    with pytest.raises(MediaRefusedError):
        pinned_address(urlsplit(url), frozenset())


def words_about(url: str, *allowed: str) -> tuple[int, str, str]:
    """Status, code and message of the refusal, the asker's own words left out."""
    with pytest.raises(MediaRefusedError) as told:
        pinned_address(urlsplit(url), frozenset(allowed))
    return told.value.status, told.value.code, told.value.message.replace(repr(urlsplit(url).hostname), "HOST")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://no-such-host.invalid/x", id="unknown"),
        pytest.param(f"http://{'x' * 70}.invalid/x", id="a-label-too-long"),
        pytest.param("http://a..b/x", id="an-empty-label"),
        pytest.param("http://a\0b/x", id="a-zero"),
        pytest.param("http://10.0.0.1/x", id="private"),
        pytest.param("http://169.254.169.254/x", id="metadata"),
    ],
)
def test_an_unknown_name_and_a_private_one_are_refused_alike(url):
    assert words_about(url) == words_about("http://localhost/x")
    assert "check the name" in words_about(url)[2]


def test_an_allowed_name_that_is_unknown_does_not_show_that_it_is_allowed():
    assert words_about("http://no-such-host.invalid/x", "no-such-host.invalid") == words_about("http://localhost/x")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        pytest.param("192.0.2.1", False, id="documentation"),
        pytest.param("198.18.0.1", False, id="benchmarking"),
        pytest.param("203.0.113.9", False, id="documentation-3"),
        pytest.param("240.0.0.1", False, id="reserved"),
        pytest.param("172.15.255.255", True, id="just-below-private-172"),
        pytest.param("172.32.0.0", True, id="just-above-private-172"),
        pytest.param("100.128.0.0", True, id="just-above-carrier-grade-nat"),
        pytest.param("11.0.0.0", True, id="just-above-private-10"),
        pytest.param("::", False, id="unspecified-6"),
        pytest.param("::ffff:8.8.8.8", True, id="public-mapped-into-6"),
        pytest.param("2002:808:808::", True, id="public-in-6to4"),
        pytest.param("64:ff9b:1::a00:1", False, id="private-behind-local-nat64"),
        pytest.param("2001:db8::1", False, id="documentation-6"),
        pytest.param("fec0::1", False, id="site-local-6"),
    ],
)
def test_at_the_edges_of_the_ranges(address, public):
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize("port", ["0x50", "-1", "65536", "8o"])
def test_a_port_that_is_none_is_refused_in_words(port):
    with pytest.raises((MediaRefusedError, ValueError), match=r"port|1 to 65535"):
        pinned_address(urlsplit(f"http://example.org:{port}/x"), frozenset())
