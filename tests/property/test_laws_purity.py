"""Law 8: the domain reads no clock, no randomness, no environment, and no platform's libm."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOMAIN = sorted((ROOT / "services" / "scoring" / "domain").glob("*.py"))
FORBIDDEN_MODULES = {"time", "random", "secrets", "os", "io", "pathlib", "socket", "asyncio", "threading"}
FORBIDDEN_NAMES = {"uuid1", "uuid4", "utcnow", "today", "getenv", "open", "input", "id", "hash"}
LIBM = {"exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "pow", "sqrt", "fsum", "hypot"}
ALLOWED_CALLS = {("attributes.py", "hash"), ("numbers.py", "exp"), ("hours.py", "open")}
"""`__hash__` of a value, which no score reads; `decimal`'s correctly rounded exponential; the time zones of
the pinned package, which are constants."""

DIGEST = """
import hashlib, random
from services.scoring.domain.customer import fold_all
from services.scoring.domain.explain import explain
from services.scoring.domain.model import day_zero
from services.scoring.domain.score import score
from services.scoring.policy_files import shipped
from tests.property.histories import END, history
policy = shipped()
model = day_zero(policy)
digest = hashlib.sha256()
for seed in range(20):
    customer = fold_all(history(random.Random(seed)), policy, END)
    scores = score(customer.state, customer.live, customer.attributes, policy, model, END)
    digest.update(customer.state.pack())
    digest.update(repr(scores).encode())
    digest.update(repr(explain(customer, policy, model, END).published()).encode())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.name)
def test_8_domain_imports_and_calls_nothing_impure(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {name.name.partition(".")[0] for name in node.names} & FORBIDDEN_MODULES
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert module.partition(".")[0] not in FORBIDDEN_MODULES
            assert (
                module.partition(".")[0] not in ("math", "cmath")
                or not {name.name for name in node.names} & LIBM
            )
            assert not module.startswith("services.") or module.startswith("services.scoring.domain")
            assert not module.startswith("shared.") or module.startswith("shared.events")
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            impure = called in FORBIDDEN_NAMES or called in LIBM
            assert not impure or (path.name, called) in ALLOWED_CALLS, called


@pytest.mark.slow
def test_8_bits_do_not_depend_on_the_process() -> None:
    """Another hash seed is another order of every set and dictionary of texts."""
    digests = {_digest(seed) for seed in ("0", "1", "4242")}
    assert len(digests) == 1


def _digest(hash_seed: str) -> str:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], env=env, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()
