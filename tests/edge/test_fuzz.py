"""Every parser on the kept corpus, and on inputs that Hypothesis makes near to it.

The search that is guided by coverage is `make fuzz`; what it found comes back here.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.edge import junk
from tests.edge.fuzz_targets import TARGETS
from tests.edge.seeds import CORPUS, kept, seeds

NAMES = sorted(TARGETS)


@pytest.mark.parametrize("name", NAMES)
def test_corpus(name: str) -> None:
    for data in seeds(name) + kept(name):
        TARGETS[name](data)


def test_corpus_has_no_strangers() -> None:
    assert {path.stem for path in CORPUS.glob("*.txt")} <= set(TARGETS)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**64), data=st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_near_the_corpus(name: str, seed: int, data: bytes) -> None:
    rng = random.Random(seed)
    TARGETS[name](data)
    known = seeds(name) + kept(name)
    for _ in range(4):
        TARGETS[name](junk.broken(rng, rng.choice(known)))
