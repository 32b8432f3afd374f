"""Signing in to Kafka: what settings are refused, and what each client is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.settings import Settings, SettingsError, load
from jobs.tables import KafkaTables
from operators.kafka_access import KafkaAccess

SECRET = 'it\'s "my" \\pass4711'
SASL = {
    "HEADRACE_KAFKA__BROKERS": "k1:9093, k2:9093",
    "HEADRACE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
    "HEADRACE_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
    "HEADRACE_KAFKA__SASL_USERNAME": "headrace",
    "HEADRACE_KAFKA__SASL_PASSWORD": SECRET,
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def authorities(tmp_path: Path) -> Path:
    file = tmp_path / "authorities.pem"
    file.write_text("PEM")
    return file


def access(**more: str) -> KafkaAccess:
    return load(
        variables=SASL | {f"HEADRACE_KAFKA__{name.upper()}": value for name, value in more.items()}
    ).kafka.access()


def test_without_settings_clients_are_told_the_brokers_alone() -> None:
    plain = Settings().kafka.access()
    assert plain.client() == {"bootstrap_servers": ["127.0.0.1:9092"]}
    assert plain.properties() == {"bootstrap.servers": "127.0.0.1:9092"}


def test_the_python_client_is_told_how_to_sign_in(authorities: Path) -> None:
    assert access(ssl_cafile=str(authorities), ssl_certfile="authorities.pem").client() == {
        "bootstrap_servers": ["k1:9093", "k2:9093"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "headrace",
        "sasl_plain_password": SECRET,
        "ssl_cafile": str(authorities),
        "ssl_certfile": str(authorities),
    }


def test_flinks_client_is_told_the_same_in_its_own_words(authorities: Path) -> None:
    properties = access(ssl_cafile=str(authorities), ssl_certfile=str(authorities)).properties()
    assert properties.pop("sasl.jaas.config") == (
        "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule required"
        ' username="headrace" password="it\'s \\"my\\" \\\\pass4711";'
    )
    assert properties == {
        "bootstrap.servers": "k1:9093, k2:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authorities),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authorities),
    }


def test_every_table_on_kafka_signs_in() -> None:
    tables = KafkaTables(
        access(), "group", "events", "catalog", "control", "recommendations", ("drift",), gather_ms=20
    )
    on_kafka = [ddl for ddl in tables.all() if "'kafka'" in ddl]
    assert len(on_kafka) == 4
    for ddl in on_kafka:
        assert "'properties.security.protocol' = 'SASL_SSL'" in ddl
        assert 'password="it\'\'s \\"my\\" \\\\pass4711";' in ddl


def test_brokers_gather_events_and_answer_with_configuration_at_once() -> None:
    tables = KafkaTables(access(), "g", "events", "catalog", "control", "recommendations", (), gather_ms=7)
    events, configuration = list(tables.all())[:2]
    assert "'properties.fetch.max.wait.ms' = '7'" in events
    assert "'properties.fetch.min.bytes' = '65536'" in events
    assert "fetch" not in configuration
    at_once = KafkaTables(access(), "g", "events", "catalog", "control", "recommendations", (), gather_ms=0)
    assert "fetch" not in next(at_once.all())


def test_the_password_is_not_printed() -> None:
    chosen = load(variables=SASL)
    made = access()
    tables = KafkaTables(made, "group", "events", "catalog", "control", "recommendations", (), gather_ms=20)
    for shown in (repr(chosen), str(chosen.model_dump()), chosen.model_dump_json(), repr(made), repr(tables)):
        assert "4711" not in shown


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"SASL_PASSWORD": None}, "security_protocol SASL_SSL needs sasl_password"),
        ({"SASL_MECHANISM": None}, "security_protocol SASL_SSL needs sasl_mechanism"),
        (
            {"SECURITY_PROTOCOL": None},
            "sasl_mechanism is of no use with security_protocol PLAINTEXT:"
            " set that to SASL_SSL or SASL_PLAINTEXT, or leave sasl_mechanism out",
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SSL_CAFILE": "ca.pem"},
            "ssl_cafile is of no use with security_protocol SASL_PLAINTEXT: set that to SSL or SASL_SSL,"
            " or leave ssl_cafile out",
        ),
        ({"SSL_CAFILE": "nowhere.pem"}, "ssl_cafile nowhere.pem is no file"),
        ({"SASL_MECHANISM": "GSSAPI"}, "should be 'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(changed: dict[str, str | None], line: str) -> None:
    variables = SASL | {f"HEADRACE_KAFKA__{name}": value for name, value in changed.items()}
    with pytest.raises(SettingsError) as refused:
        load(variables={name: value for name, value in variables.items() if value is not None})
    assert str(refused.value).startswith("HEADRACE_KAFKA__")
    assert str(refused.value).endswith(line)
    assert "4711" not in str(refused.value)
