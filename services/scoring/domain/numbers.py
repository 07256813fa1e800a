"""Exact arithmetic of the scores: integers and tables instead of the platform's `exp` and `log`.

Every function is a function of integers to integers and gives the same bits on every machine. Powers
and logarithms use tables at 2⁶⁰ that the correctly rounded `decimal` module fills at import, and a short
polynomial below 2⁻²⁰. Their error is below 10⁻¹⁶, so a result in 10⁻⁹ is the correctly rounded one but
for values that lie that close to a tie, and there the algorithm itself is the definition.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

Nano = int
NANO: Final = 1_000_000_000
MICRO: Final = 1_000_000
"""Policy numbers are integers of 10⁻⁶."""

BITS: Final = 60
ONE: Final = 1 << BITS
"""1.0 in the fixed point of the tables."""
_STEP_BITS: Final = 10
_STEPS: Final = 1 << _STEP_BITS
_HIGH: Final = BITS - _STEP_BITS  # the first ten bits behind the point choose from the coarse table
_LOW: Final = _HIGH - _STEP_BITS  # the next ten from the fine one
_MASK: Final = _STEPS - 1
_REST: Final = (1 << _LOW) - 1


def rdiv(n: int, d: int) -> int:
    """n/d rounded to the nearest integer, ties to even; d > 0."""
    quotient, rest = divmod(n, d)
    twice = rest + rest
    if twice > d or (twice == d and quotient & 1):
        return quotient + 1
    return quotient


def mul(a: Nano, b: Nano) -> Nano:
    """Product of two numbers in 10⁻⁹, in 10⁻⁹."""
    return rdiv(a * b, NANO)


def div(a: Nano, b: Nano) -> Nano:
    """Quotient of two numbers in 10⁻⁹, in 10⁻⁹; b > 0."""
    return rdiv(a * NANO, b)


def _fixed(value: Decimal) -> int:
    return int((value * ONE).to_integral_value(rounding=ROUND_HALF_EVEN))


with localcontext() as _context:
    _context.prec = 50
    _LN2_DECIMAL: Final = Decimal(2).ln()
    LN2: Final = _fixed(_LN2_DECIMAL)
    _LN2_LONG: Final = _fixed(_LN2_DECIMAL * ONE)  # in 2⁻¹²⁰: a power of some thousand keeps its last bit
    _LOG2_E: Final = _fixed(1 / _LN2_DECIMAL)
    _EXP_COARSE: Final = tuple(_fixed((-_LN2_DECIMAL * i / _STEPS).exp()) for i in range(_STEPS))
    _EXP_FINE: Final = tuple(_fixed((-_LN2_DECIMAL * i / _STEPS**2).exp()) for i in range(_STEPS))
    _LN_COARSE: Final = tuple(_fixed((1 + Decimal(i) / _STEPS).ln()) for i in range(_STEPS))
    _LN_FINE: Final = tuple(_fixed((1 + Decimal(i) / _STEPS**2).ln()) for i in range(_STEPS))
_LN_COARSE_DIVISOR: Final = tuple(_STEPS + i for i in range(_STEPS))
_LN_FINE_DIVISOR: Final = tuple(_STEPS**2 + i for i in range(_STEPS))


def exp2_neg_fixed(fraction: int) -> int:
    """2^(-fraction/2⁶⁰) in 2⁻⁶⁰ for 0 ≤ fraction < 2⁶⁰."""
    power = _EXP_COARSE[fraction >> _HIGH] * _EXP_FINE[(fraction >> _LOW) & _MASK] >> BITS
    x = (fraction & _REST) * LN2 >> BITS  # below 2⁻²⁰, so x³/6 is below 2⁻⁶²
    return power * (ONE - x + (x * x >> (BITS + 1))) >> BITS


def exp2_neg_raw(num: int, den: int) -> int:
    """2^(-num/den) in 2⁻⁶⁰; num ≥ 0, den > 0. Exactly 0 from 64 halvings on."""
    whole, rest = divmod(num, den)
    if whole >= 64:
        return 0
    return exp2_neg_fixed((rest << BITS) // den) >> whole


def exp2_neg(num: int, den: int) -> Nano:
    """2^(-num/den) in 10⁻⁹, half to even; num ≥ 0, den > 0. `exp2_neg(age, half_life)` is what is left."""
    return rdiv(exp2_neg_raw(num, den) * NANO, ONE)


def exp2_mantissa(num: int, den: int) -> int:
    """2^(num/den) in 2⁻⁶⁰ for 0 ≤ num < den: from 2⁶⁰ up to, not including, 2⁶¹."""
    if num == 0:
        return ONE
    return exp2_neg_fixed((((den - num) << BITS) + den - 1) // den) << 1


def ln_raw(num: int, den: int) -> int:
    """ln(num/den) in 2⁻⁶⁰ for num, den > 0."""
    if num < den:
        return -ln_raw(den, num)
    power = num.bit_length() - den.bit_length()
    if power and num < den << power:
        power -= 1
    mantissa = (num << BITS) // (den << power)  # in [1, 2)
    coarse = (mantissa >> _HIGH) & _MASK
    mantissa = (mantissa << _STEP_BITS) // _LN_COARSE_DIVISOR[coarse]  # in [1, 1 + 2⁻¹⁰)
    fine = (mantissa - ONE) >> _LOW
    x = (mantissa << 2 * _STEP_BITS) // _LN_FINE_DIVISOR[fine] - ONE  # below 2⁻²⁰
    square = x * x >> BITS
    series = x - (square >> 1) + (square * x >> BITS) // 3
    return (power * _LN2_LONG >> BITS) + _LN_COARSE[coarse] + _LN_FINE[fine] + series


def ln(num: int, den: int = 1) -> Nano:
    """Natural logarithm of num/den in 10⁻⁹; num, den > 0."""
    return rdiv(ln_raw(num, den) * NANO, ONE)


def log2(num: int, den: int = 1) -> Nano:
    """Logarithm to base 2 of num/den in 10⁻⁹; num, den > 0."""
    return rdiv(ln_raw(num, den) * _LOG2_E * NANO, ONE * ONE)


def logistic(logit_nano: Nano) -> Nano:
    """1/(1 + e^-x) in 10⁻⁹ for x in 10⁻⁹ log-odds: 0 at -∞, 1 at ∞."""
    small = exp2_neg_raw(abs(logit_nano) * _LOG2_E, NANO * ONE)  # e^-|x|
    if logit_nano >= 0:
        return rdiv(ONE * NANO, ONE + small)
    return rdiv(small * NANO, ONE + small)


def logit(p_nano: Nano) -> Nano:
    """ln(p/(1-p)) in 10⁻⁹ for 0 < p < 1 in 10⁻⁹."""
    return ln(p_nano, NANO - p_nano)
