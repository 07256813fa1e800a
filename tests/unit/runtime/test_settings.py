"""Settings: from the environment, checked, and secrets stay secret."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from shared.runtime.settings import ServiceSettings, decode_key

KEY = base64.b64encode(b"\xfb\xff" * 16).decode()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush@db/x")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "k1:9092,k2:9092")
    monkeypatch.setenv("CXLOOP_SECRET_KEY", KEY)
    for name in ("CXLOOP_PORT", "CXLOOP_HOST", "CXLOOP_LOG_LEVEL", "CXLOOP_LOG_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CXLOOP_PORT", "8123")
    settings = ServiceSettings.load()
    assert settings.database_url == "postgresql://me:hush@db/x"
    assert settings.kafka_bootstrap_servers == "k1:9092,k2:9092"
    assert (settings.host, settings.port, settings.log_format) == ("127.0.0.1", 8123, "json")


def test_overrides_by_name_win(environment: pytest.MonkeyPatch) -> None:
    settings = ServiceSettings.load(port=1, database_url="postgresql:///y")
    assert (settings.port, settings.database_url) == (1, "postgresql:///y")


def test_secrets_are_not_shown(environment: pytest.MonkeyPatch) -> None:
    assert KEY not in repr(ServiceSettings.load())
    assert "hush" not in repr(ServiceSettings.load())


@pytest.mark.parametrize("key", ["", "short", "!" * 44, base64.b64encode(b"x" * 31).decode(), f"{KEY},short"])
def test_a_bad_key_is_refused_without_showing_it(environment: pytest.MonkeyPatch, key: str) -> None:
    environment.setenv("CXLOOP_SECRET_KEY", key)
    with pytest.raises(ValidationError) as caught:
        ServiceSettings.load()
    assert "openssl rand" in str(caught.value)
    assert not key or key not in str(caught.value)


def test_both_alphabets_of_base64_are_keys() -> None:
    raw = b"\xfb\xff" * 16
    assert decode_key(KEY) == decode_key(base64.urlsafe_b64encode(raw).decode()) == raw
    assert decode_key(KEY.rstrip("=")) == raw


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "CXLOOP_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValidationError) as caught:
        ServiceSettings.load()
    assert "DATABASE_URL" in str(caught.value)


def test_a_process_ends_with_a_line_for_each(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://me:hu/sh@db/x")
    environment.setenv("CXLOOP_PORT", "99999")
    environment.delenv("CXLOOP_SECRET_KEY")
    with pytest.raises(SystemExit) as ended:
        ServiceSettings.of_environment()
    first, *lines = str(ended.value.code).splitlines()
    assert first.endswith("missing or wrong:")
    assert [line.split(":")[0].strip() for line in lines] == [
        "DATABASE_URL",
        "CXLOOP_PORT",
        "CXLOOP_SECRET_KEY",
    ]
    assert "is a number" in lines[0] and "postgresql://user" in lines[0] and "Base64" in lines[2]
    assert "sh@db" not in str(ended.value.code) and "99999" not in str(ended.value.code)
