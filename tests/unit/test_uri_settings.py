"""The section `uris`: what is refused at the start, by name, and how lists are written in variables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.settings import Settings, SettingsError, Uris, load
from calotype.stores.uris import UriFilter


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_schemes", "ftp"),
        ("allowed_schemes", "HTTP"),
        ("disallowed_schemes", "http:"),
        ("disallowed_schemes", "https,HTTP"),
        ("allowed_hosts", "http://mirror.example"),
        ("allowed_hosts", "mirror.example:80"),
        ("allowed_hosts", "mirror.example."),
        ("allowed_hosts", "*.example"),
        ("allowed_hosts", "b\u00fccher.example"),
        ("allowed_hosts", "[::1]"),
        ("allowed_hosts", "fe80::1%eth0"),
        ("allowed_hosts", "10.0.0.0/8"),
        ("allowed_hosts", "mirror.example,"),
        ("disallowed_hosts", "127.1"),
        ("disallowed_hosts", "0x7f.0x1"),
        ("disallowed_hosts", "a" * 64),
        ("allowed_ports", "0"),
        ("allowed_ports", "65536"),
        ("allowed_ports", "http"),
        ("disallowed_ports", "-1"),
        ("allowed_networks", "10.0.0.1/8"),
        ("allowed_networks", "10.0.0.0/33"),
        ("allowed_networks", "private"),
        ("redirects", "-1"),
        ("redirects", "51"),
        ("connect_seconds", "0"),
        ("connect_seconds", "3601"),
        ("read_seconds", "0"),
        ("read_seconds", "nan"),
    ],
)
def test_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"uris\.{name}"):
        load(environment={f"CALOTYPE_URIS_{name.upper()}": value})


def test_lists_in_variables() -> None:
    given = {
        "CALOTYPE_URIS_ALLOWED_SCHEMES": "https",
        "CALOTYPE_URIS_ALLOWED_PORTS": "443, 8443",
        "CALOTYPE_URIS_DISALLOWED_PORTS": "",
        "CALOTYPE_URIS_ALLOWED_HOSTS": "mirror.example,10.20.0.5,fd00::5",
        "CALOTYPE_URIS_ALLOWED_NETWORKS": "10.20.0.0/24, fd00::/64",
        "CALOTYPE_URIS_READ_SECONDS": "2.5",
    }
    assert load(environment=given).uris == Uris(
        allowed_schemes=("https",),
        allowed_ports=(443, 8443),
        allowed_hosts=("mirror.example", "10.20.0.5", "fd00::5"),
        allowed_networks=("10.20.0.0/24", "fd00::/64"),
        read_seconds=2.5,
    )


def test_an_empty_variable_is_an_empty_list() -> None:
    assert load(environment={"CALOTYPE_URIS_ALLOWED_PORTS": ""}).uris.allowed_ports == ()


HOSTS = st.one_of(
    st.text(max_size=20), st.text("ab1.-_x0:", max_size=12), st.ip_addresses().map(str), st.just("fe80::1%1")
)


@given(host=HOSTS)
def test_every_host_that_settings_take_can_be_in_a_url(host: str) -> None:
    try:
        settings = load(flags={"uris": {"allowed_hosts": (host,), "disallowed_hosts": (host,)}})
    except SettingsError:
        return
    assert isinstance(settings, Settings)
    UriFilter(settings.uris)
