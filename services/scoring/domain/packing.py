"""Compact canonical bytes: variable-length integers, texts and multisets. Equal values, equal bytes."""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final

_FAR: Final = 0xFFFF


class PackError(ValueError):
    """The bytes were not written by this version of the packing."""


class Writer:
    """Appends values to a buffer."""

    def __init__(self) -> None:
        self.raw = bytearray()

    def uint(self, value: int) -> None:
        """An integer ≥ 0, seven bits a byte, lowest first."""
        raw = self.raw
        while value > 0x7F:
            raw.append(value & 0x7F | 0x80)
            value >>= 7
        raw.append(value)

    def sint(self, value: int) -> None:
        """Any integer, small magnitudes short."""
        self.uint(value << 1 if value >= 0 else (-value << 1) - 1)

    def bigs(self, values: Sequence[int]) -> None:
        """Long integers ≥ 0 without their low zero bits: forward-decayed sums end in hundreds of them.

        How many is the reader's to know. Two bytes say how many zero bits, two how many bytes each has.
        """
        zeros = [max((value & -value).bit_length() - 1, 0) for value in values]
        stripped = [value >> zero for value, zero in zip(values, zeros, strict=True)]
        lengths = [(value.bit_length() + 7) >> 3 for value in stripped]
        self.raw += _shorts(zeros).tobytes()
        self.raw += _shorts(lengths).tobytes()
        self.raw += b"".join([v.to_bytes(n, "little") for v, n in zip(stripped, lengths, strict=True)])

    def text(self, value: str) -> None:
        """UTF-8, lone surrogates included; a UUID in its usual spelling takes 17 bytes."""
        if len(value) == 36 and (packed := _uuid_bytes(value)):
            self.uint(0)
            self.raw += packed
            return
        encoded = value.encode("utf-8", "surrogatepass")
        self.uint(len(encoded) + 1)
        self.raw += encoded

    def counts(self, multiset: Mapping[int, int]) -> None:
        """A multiset of integers ≥ 0: the least, then the steps up to the next, 0 for a repetition.

        Steps are two bytes each; `_FAR` stands for that distance and says that the step goes on.
        """
        values = sorted(multiset)
        if len(values) != sum(multiset.values()):
            values = [value for value in values for _ in range(multiset[value])]
        self.uint(len(values))
        if not values:
            return
        self.uint(values[0])
        steps = [after - before for before, after in pairwise(values)]
        if steps and max(steps) >= _FAR:
            steps = [part for step in steps for part in (*[_FAR] * (step // _FAR), step % _FAR)]
        self.uint(len(steps))
        self.raw += _shorts(steps).tobytes()


class Reader:
    """Reads what `Writer` wrote, in the same order. Raises PackError at the end of the bytes."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def uint(self) -> int:
        raw, at = self._raw, self._at
        value = shift = 0
        try:
            while (byte := raw[at]) > 0x7F:
                value |= (byte & 0x7F) << shift
                shift += 7
                at += 1
        except IndexError:
            raise PackError("cut off") from None
        self._at = at + 1
        return value | byte << shift

    def sint(self) -> int:
        value = self.uint()
        return -((value + 1) >> 1) if value & 1 else value >> 1

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._raw):
            raise PackError("cut off")
        taken = self._raw[self._at : end]
        self._at = end
        return taken

    def bigs(self, count: int) -> list[int]:
        zeros = _shorts(self._take(2 * count))
        lengths = _shorts(self._take(2 * count))
        raw = self._take(sum(lengths))
        values = []
        start = 0
        for zero, length in zip(zeros, lengths, strict=True):
            values.append(int.from_bytes(raw[start : start + length], "little") << zero)
            start += length
        return values

    def text(self) -> str:
        length = self.uint()
        if length == 0:
            return _uuid_text(self._take(16))
        return self._take(length - 1).decode("utf-8", "surrogatepass")

    def counts(self) -> dict[int, int]:
        length = self.uint()
        if not length:
            return {}
        values = [self.uint()]
        steps = _shorts(self._take(2 * self.uint()))
        values.extend(accumulate(steps, initial=values.pop()))
        if len(values) != length:
            values = [
                values[0],
                *(value for value, step in zip(values[1:], steps, strict=True) if step != _FAR),
            ]
        multiset = dict.fromkeys(values, 1)
        if len(multiset) != length:
            multiset = dict(Counter(values))
        return multiset

    def end(self) -> None:
        """Raises PackError unless everything was read."""
        if self._at != len(self._raw):
            raise PackError("bytes left over")


def _shorts(values: Iterable[int] | bytes) -> array[int]:
    """Unsigned numbers of two bytes, little-endian on every machine."""
    steps = array("H", values)
    if sys.byteorder == "big":
        steps.byteswap()
    return steps


def _uuid_bytes(text: str) -> bytes | None:
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == 16 and _uuid_text(raw) == text else None


def _uuid_text(raw: bytes) -> str:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
