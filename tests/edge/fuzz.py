"""Coverage-guided fuzzing of every parser and verifier: `make fuzz`, or `python -m tests.edge.fuzz`.

Each target runs in a process of its own under atheris (libFuzzer), which ends it on the first exception
that leaves it and writes the input under build/fuzz. `--keep` writes small inputs that reached something
new into the corpus, which the ordinary tests replay.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

try:
    import atheris  # type: ignore[import-untyped,unused-ignore]
except ImportError:  # there are wheels for Linux on x86-64 alone
    sys.exit("atheris is not installed: it has wheels for Linux on x86-64 and Python below 3.14")

ROOT: Final = Path(__file__).parents[2]
WORK: Final = ROOT / "build" / "fuzz"
CHILD: Final = "--child"
LONGEST: Final = 16_384
SLOW_S: Final = 5
MEMORY_MIB: Final = 2048
KEPT: Final = 24
KEPT_BYTES: Final = 600


def _child(target: str, arguments: list[str]) -> None:
    """Inside the fuzzing process; never returns."""
    with atheris.instrument_imports(include=["services", "shared"], enable_loader_override=False):
        targets = importlib.import_module("tests.edge.fuzz_targets")
    junk = importlib.import_module("tests.edge.junk")

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        """Half of the time JSON as JSON: bytes alone seldom leave it readable."""
        rng = random.Random(seed)
        head, gap, body = data.rpartition(b"\n\n")
        if rng.random() < 0.5:
            try:
                changed: bytes = junk.encoded(rng, junk.mutated(rng, json.loads(body)))
            except (ValueError, RecursionError):
                return bytes(atheris.Mutate(data, longest))
            if len(head + gap + changed) <= longest:
                return head + gap + changed
        return bytes(atheris.Mutate(data, longest))

    atheris.Setup([sys.argv[0], *arguments], targets.TARGETS[target], custom_mutator=mutate)
    atheris.Fuzz()


def run(target: str, seconds: int, extra: tuple[str, ...] = ()) -> tuple[bool, str]:
    """Fuzz one target; whether it held, and the last lines of what the fuzzer said."""
    from tests.edge.seeds import kept, seeds

    corpus = WORK / target / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds(target) + kept(target):
        (corpus / hashlib.sha256(data).hexdigest()[:20]).write_bytes(data)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MIB}"]
    places = [f"-artifact_prefix={WORK / target}/", f"-max_len={LONGEST}", *extra, str(corpus)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.edge.fuzz", CHILD, target, *limits, *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds + 120,
    )
    lines = (done.stdout + done.stderr).splitlines()
    if done.returncode:
        return False, "\n".join([line for line in lines if not line.startswith("#")][-40:])
    return True, next((line for line in reversed(lines) if "DONE" in line), "")


def keep(target: str) -> None:
    """The smallest inputs of the corpus, as far as they are small and no seeds, into the tree."""
    from tests.edge.seeds import CORPUS, kept, seeds

    known = set(seeds(target))
    found = {path.read_bytes() for path in (WORK / target / "corpus").iterdir()} | set(kept(target))
    small = sorted(
        (one for one in found - known if 0 < len(one) <= KEPT_BYTES), key=lambda one: (len(one), one)
    )
    # Evenly over all sizes: the smallest alone would be the least deep.
    chosen = small[:: max(1, len(small) // KEPT)][:KEPT]
    lines = [base64.b64encode(one).decode() for one in chosen]
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{target}.txt").write_text("\n".join(lines) + "\n" if lines else "")


def main() -> int:
    if sys.argv[1:2] == [CHILD]:
        _child(sys.argv[2], sys.argv[3:])
    from tests.edge.fuzz_targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--keep", action="store_true", help="write what was found into the corpus")
    asked = parser.parse_args()
    broken = []
    for target in asked.target or sorted(TARGETS):
        held, told = run(target, asked.seconds)
        sys.stdout.write(f"{'held  ' if held else 'BROKEN'} {target:24} {told}\n")
        sys.stdout.flush()
        if not held:
            broken.append(target)
        elif asked.keep:
            keep(target)
    if broken:
        sys.stdout.write(f"broken: {', '.join(broken)}; inputs under {WORK.relative_to(ROOT)}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
