"""Compact canonical bytes: variable-length integers, texts and multisets. Equal values, equal bytes."""

from __future__ import annotations

from collections.abc import Mapping


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

    def big(self, value: int) -> None:
        """A long integer ≥ 0 without its low zero bits: forward-decayed sums end in hundreds of them."""
        zeros = max((value & -value).bit_length() - 1, 0)
        value >>= zeros
        length = (value.bit_length() + 7) >> 3
        self.uint(zeros)
        self.uint(length)
        self.raw += value.to_bytes(length, "little")

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
        """Integers ≥ 0 with their counts > 0: ascending, as differences; a count of one is one bit."""
        self.uint(len(multiset))
        previous = 0
        for value in sorted(multiset):
            count = multiset[value]
            step = (value - previous) << 1
            previous = value
            if count == 1:
                self.uint(step)
            else:
                self.uint(step | 1)
                self.uint(count)


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

    def big(self) -> int:
        zeros = self.uint()
        return int.from_bytes(self._take(self.uint()), "little") << zeros

    def text(self) -> str:
        length = self.uint()
        if length == 0:
            return _uuid_text(self._take(16))
        return self._take(length - 1).decode("utf-8", "surrogatepass")

    def counts(self) -> dict[int, int]:
        multiset: dict[int, int] = {}
        value = 0
        for _ in range(self.uint()):
            step = self.uint()
            value += step >> 1
            multiset[value] = self.uint() if step & 1 else 1
        return multiset

    def end(self) -> None:
        """Raises PackError unless everything was read."""
        if self._at != len(self._raw):
            raise PackError("bytes left over")


def _uuid_bytes(text: str) -> bytes | None:
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == 16 and _uuid_text(raw) == text else None


def _uuid_text(raw: bytes) -> str:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
