"""Integer powers and logarithms against correctly rounded decimals."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain import numbers as n

LARGE = st.integers(1, 10**300)
SMALL = st.integers(1, 10**18)
CLOSE = Decimal("1e-16")


@pytest.mark.parametrize(
    ("num", "den", "rounded"),
    [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (6, 4, 2), (9, 4, 2), (11, 4, 3), (0, 7, 0), (-1, 3, 0)],
)
def test_rounding_is_half_to_even(num: int, den: int, rounded: int) -> None:
    assert n.rdiv(num, den) == rounded


def test_whole_powers_are_exact() -> None:
    assert [n.exp2_neg(k, 1) for k in range(4)] == [n.NANO, n.NANO // 2, n.NANO // 4, n.NANO // 8]
    assert n.exp2_neg(64, 1) == 0
    assert n.ln(1) == 0
    assert n.log2(1024) == 10 * n.NANO
    assert n.log2(1, 1024) == -10 * n.NANO


@given(st.integers(0, 10**15), SMALL)
def test_power_of_two(num: int, den: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(2) ** (-Decimal(num) / Decimal(den))
        assert abs(Decimal(n.exp2_neg_raw(num, den)) / n.ONE - exact) < CLOSE


@given(LARGE, LARGE)
def test_logarithms(num: int, den: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = (Decimal(num) / Decimal(den)).ln()
        assert abs(Decimal(n.ln_raw(num, den)) / n.ONE - exact) < CLOSE
        assert abs(Decimal(n.ln(num, den)) / n.NANO - exact) <= Decimal("5.1e-10")
        assert abs(Decimal(n.log2(num, den)) / n.NANO - exact / Decimal(2).ln()) <= Decimal("5.1e-10")


@given(st.integers(-60 * n.NANO, 60 * n.NANO))
def test_logistic(x: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = 1 / (1 + (-Decimal(x) / n.NANO).exp())
        assert abs(Decimal(n.logistic(x)) / n.NANO - exact) <= Decimal("5.1e-10")
    assert n.logistic(x) + n.logistic(-x) in (n.NANO - 1, n.NANO, n.NANO + 1)


@given(st.integers(n.NANO // 1000, n.NANO - n.NANO // 1000))
def test_logit_is_the_inverse(p: int) -> None:
    assert abs(n.logistic(n.logit(p)) - p) <= 1


@given(SMALL, st.data())
def test_mantissas_lie_between_one_and_two(den: int, data: st.DataObject) -> None:
    num = data.draw(st.integers(0, den - 1))
    assert n.ONE <= n.exp2_mantissa(num, den) < 2 * n.ONE


def test_products_and_quotients_in_nano() -> None:
    assert n.mul(n.NANO // 2, n.NANO // 2) == n.NANO // 4
    assert n.div(n.NANO, 3 * n.NANO) == 333_333_333
