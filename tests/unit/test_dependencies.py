"""What is installed is what was locked, with hashes. Licences are checked by `make lint`."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[2]
LOCKS: Final = ("requirements.lock", "requirements-run.lock")
HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}(?: |\Z)")


def locked(name: str) -> dict[str, tuple[Requirement, str]]:
    """Requirement and hashes by canonical name."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    found: dict[str, tuple[Requirement, str]] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words, _, hashes = line.partition(" --hash")
        requirement = Requirement(words.strip())
        found[canonicalize_name(requirement.name)] = (requirement, f"--hash{hashes}" if hashes else "")
    return found


def pinned(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", str(requirement)
    return specifier.version


def project() -> dict[str, list[str]]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {"run": document["dependencies"], **document["optional-dependencies"]}


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_one_version_with_its_hashes(name: str) -> None:
    for requirement, hashes in locked(name).values():
        assert pinned(requirement)
        assert requirement.url is None
        assert hashes, f"{requirement} has no hash"
        assert not HASH.sub("", hashes).strip(), f"{requirement} has something else than SHA-256"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry(name: str) -> None:
    """Whoever installs decides where from; the hashes say what."""
    text = (ROOT / name).read_text("utf-8")
    for word in ("://", "--index", "--extra-index", "--find-links", "--trusted-host", "file:", " @ "):
        assert word not in text


def test_what_runs_is_locked_like_what_is_tested() -> None:
    everything, runs = locked("requirements.lock"), locked("requirements-run.lock")
    assert {name: (pinned(r), h) for name, (r, h) in runs.items()} == {
        name: (pinned(everything[name][0]), everything[name][1]) for name in runs
    }


@pytest.mark.parametrize(("lock", "groups"), [(LOCKS[0], ("run", "dev")), (LOCKS[1], ("run",))])
def test_a_lock_is_no_older_than_what_the_project_asks_for(lock: str, groups: tuple[str, ...]) -> None:
    found = locked(lock)
    for group in groups:
        for text in project()[group]:
            wanted = Requirement(text)
            name = canonicalize_name(wanted.name)
            assert name in found, f"{name} is not in {lock}; lock again (CONTRIBUTING.md)"
            assert wanted.specifier.contains(pinned(found[name][0])), f"{lock} has an old {name}"


def test_what_is_installed_is_what_was_locked() -> None:
    wrong = []
    for name, (requirement, _) in locked("requirements.lock").items():
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "nothing"
        if installed != pinned(requirement):
            wrong.append(f"{name}: locked {pinned(requirement)}, installed {installed}")
    assert wrong == [], "run `make setup`"


def test_tools_of_development_are_not_shipped() -> None:
    named = {canonicalize_name(Requirement(text).name) for text in project()["dev"]}
    assert not named & locked("requirements-run.lock").keys()
