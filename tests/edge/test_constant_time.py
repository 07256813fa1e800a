"""Signatures, tokens and keys are compared in constant time: no `==` on a digest, and nothing else compares.

Read from the source as a lint would: a timing that is measured on a shared machine proves nothing.
"""

from __future__ import annotations

import ast
import base64
import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import services.ingest
import services.ingest.domain.signatures as signatures
import shared.runtime.auth
from services.ingest.domain.sender import Bad, Unsigned
from services.ingest.senders import senders
from tests.contract.senders_table import NOW, config
from tests.senders_kit import SECRETS, sign

INGEST = Path(services.ingest.__file__).parent
FILES = [
    *sorted((INGEST / "senders").glob("*.py")),
    INGEST / "domain" / "tokens.py",
    INGEST / "domain" / "signatures.py",
    Path(shared.runtime.auth.__file__),
]
SECRET_WORDS = ("signature", "digest", "hmac", "token", "secret", "expected", "password", "hexdigest")
MADE = ("hmac_hex", "hmac_base64", "_digest", "digest", "hexdigest")


def _names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id.lower()
        elif isinstance(inner, ast.Attribute):
            yield inner.attr.lower()


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id.isupper()


def _suspicious(node: ast.Compare) -> bool:
    """`==`, `!=` or `in` with something secret on a side, unless the other side is written out in the code:
    the name of a mode is no secret."""
    if not any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops):
        return False
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Constant | ast.Tuple) or _is_constant(side) for side in sides):
        return False
    return any(word in name for side in sides for name in _names(side) for word in SECRET_WORDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_secret_is_compared_by_equality(path: Path) -> None:
    tree = ast.parse(path.read_text())
    found = [
        f"{path.name}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and _suspicious(node)
    ]
    assert not found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_signature_goes_from_where_it_is_made_to_the_comparison(path: Path) -> None:
    """Whoever makes an HMAC in a sender hands it to `any_matches`."""
    tree = ast.parse(path.read_text())
    calls = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    if path.parent.name == "senders" and calls & set(MADE):
        assert "any_matches" in calls


def test_the_lint_sees_what_it_is_for() -> None:
    for text in ("signature == expected", "given in expected", "hmac_hex(a, b) != given", "digest == row"):
        (node,) = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Compare))
        assert _suspicious(node), text
    (node,) = (n for n in ast.walk(ast.parse('source.auth != "signature"')) if isinstance(n, ast.Compare))
    assert not _suspicious(node)


def test_every_pair_is_compared_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a hit, so that the time does not tell which of the active secrets it was."""
    seen: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    signatures.any_matches(["right", "other"], ["right", "wrong", "older"])
    assert len(seen) == 6


PARTS = st.one_of(
    st.sampled_from(
        ["v1", "v1a", "v2", "", ",", " ", "v1,", "v1,=", "v1a,AAAA", "v1,v1,v1", "\x7f", "é", "="]
    ),
    st.text(st.characters(max_codepoint=255), max_size=60),
    st.binary(max_size=80).map(lambda raw: "v1," + base64.b64encode(raw).decode()),
    st.binary(min_size=64, max_size=64).map(lambda raw: "v1a," + base64.b64encode(raw).decode()),
)
STAMPS = st.one_of(
    st.sampled_from(
        ["", "-1", "0", "1e9", "9" * 400, "٣", "NaN", str(int(NOW.timestamp())), " 1", "1.5", "0x1"]
    ),
    st.text(max_size=20),
)


@given(parts=st.lists(PARTS, max_size=6), stamp=STAMPS, sent=st.text(max_size=30))
@settings(max_examples=400)
def test_malformed_standard_webhooks_are_refused_and_never_raise(
    parts: list[str], stamp: str, sent: str
) -> None:
    """The reference library raises for some of these: a 500 that a stranger can cause."""
    request = sign("standard-webhooks", b"{}", SECRETS["standard-webhooks"], at=NOW).delivery(NOW)
    headers = {"webhook-id": sent, "webhook-timestamp": stamp, "webhook-signature": " ".join(parts)}
    source = config(
        "standard-webhooks", secrets=(SECRETS["standard-webhooks"], "whpk_" + "A" * 43 + "=", "whpk_!")
    )
    verdict = senders()["standard-webhooks"].verify(request._replace(headers=headers), source, NOW)
    assert isinstance(verdict, Bad | Unsigned)
