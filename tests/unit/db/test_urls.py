"""Every way to write the address of a database."""

from __future__ import annotations

import pytest

from shared.db.urls import asyncpg_url


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql://u:p@h:5433/d"),
        ("postgres://h/d", "postgresql://h/d"),
        ("postgresql+asyncpg://h/d?sslmode=require", "postgresql://h/d?sslmode=require"),
        ("postgresql://postgres@/postgres?host=/run/x", "postgresql://postgres@/postgres?host=/run/x"),
        ("postgresql:///d?host=/run/x", "postgresql:///d?host=/run/x"),
        ("postgresql://u:p%2F%40@h/d", "postgresql://u:p%2F%40@h/d"),
        ("postgresql://u:p@[::1]:5433,h:5434,i/d", "postgresql://u:p@[::1]:5433,h:5434,i/d"),
        ("postgresql://u@[::1]/d", "postgresql://u@[::1]/d"),
    ],
)
def test_written_as_the_driver_reads_it(given: str, asked: str) -> None:
    assert asyncpg_url(given) == asked


@pytest.mark.parametrize("url", ["", "mysql://h/d", "/run/x", "h:5432/d"])
def test_what_is_no_address_of_postgresql(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        asyncpg_url(url)


@pytest.mark.parametrize("place", ["u:p@h:port", "u:p@h:65536", "u:p@h,i:5432x", "u:se/cret@h", "u@[::1]:x"])
def test_a_port_is_a_number_and_what_may_be_a_password_is_not_told(place: str) -> None:
    with pytest.raises(ValueError, match="the port in a database URL") as raised:
        asyncpg_url(f"postgresql://{place}/d")
    assert place not in str(raised.value) and "se" not in str(raised.value).split()
