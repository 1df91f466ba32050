"""Settings of a gateway: whole, or refused with what to change."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.child import Child
from tests.transport.gateway.conftest import PROGRAM, Gateway
from transport.gateway.settings import GatewaySettings, InvalidSettings, read_settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has set does not count."""
    for name in GatewaySettings.model_fields:
        monkeypatch.delenv(f"TENANTRY_GATEWAY_{name.upper()}", raising=False)


def test_the_defaults_serve_a_server_of_this_machine() -> None:
    settings = read_settings([])
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.server == "tcp://127.0.0.1:5570"
    assert settings.body_bytes == 255 * 1024


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRY_GATEWAY_PORT", "1")
    monkeypatch.setenv("TENANTRY_GATEWAY_ORIGINS", '["https://a.example"]')
    settings = read_settings(["--port", "2"])
    assert (settings.port, settings.origins) == (2, ["https://a.example"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--host", "0.0.0.0"], "without TLS"),
        (["--host", "localhost"], "without TLS"),
        (["--tls-key", "k.pem"], "go together"),
        (["--port", "x"], "--port"),
        (["--trusted-proxies", "*"], "--trusted-proxies"),
        (["--metrics-networks", "10.0.0.1/8"], "--metrics-networks"),
        (["--address-rate", "-1"], "--address-rate"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], named: str) -> None:
    with pytest.raises(InvalidSettings, match=named):
        read_settings(arguments)


def test_without_tls_it_listens_to_a_proxy_if_told_so() -> None:
    assert read_settings(["--host", "0.0.0.0", "--plain"]).host == "0.0.0.0"


@pytest.mark.parametrize(
    "text",
    ["http://localhost:3000", "https://desk.example", "http://[::1]:8000", "http://192.0.2.1:3000"],
)
def test_an_origin_is_as_a_browser_sends_it(text: str) -> None:
    assert read_settings(["--origins", text]).origins == [text]


@pytest.mark.parametrize(
    "text",
    ["*", "localhost:3000", "http://localhost:3000/", "https://Desk.example", "https://*.example"],
)
def test_what_no_browser_would_send_is_no_origin(text: str) -> None:
    """It would be kept, and match nothing."""
    with pytest.raises(InvalidSettings, match="without a path"):
        read_settings(["--origins", text])


@pytest.mark.parametrize("arguments", [["--server", "nonsense"], ["--server-key", "nowhere.key"]])
def test_a_gateway_that_cannot_start_says_why(arguments: list[str]) -> None:
    with Child(*arguments, program=PROGRAM) as child:
        assert child.ended() == 78
        assert child.log().startswith("tenantry: ")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_it_speaks_https_with_the_files_that_it_is_given(tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    with Gateway(
        f"ipc://{tmp_path}/s", "--tls-certificate", str(made), "--tls-key", str(key)
    ) as gateway:
        assert gateway.address.startswith("https://")
        trust = ssl.create_default_context(cafile=str(made))
        with httpx2.Client(verify=trust, timeout=20) as client:
            answer = client.get(f"https://localhost:{gateway.port}/healthz")
        assert answer.status_code == 200
