"""The parts of `shared.parts` that need no process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.parts.errors import PartError, tail
from shared.parts.kafka_config import Node, server_properties
from shared.parts.lock import read_owner
from shared.parts.places import (
    SOCKET_NAME,
    SOCKET_PATH_MAX,
    Account,
    cache_dir,
    closed_parent,
    default_data_dir,
    socket_dir,
)
from shared.parts.proc import alive_since

STRANGER = Account("stranger", 4242, 4242)


def properties(count: int) -> dict[str, str]:
    nodes = [Node(number, 9000 + number, 9100 + number) for number in range(1, count + 1)]
    text = server_properties(nodes[0], nodes, Path("/data"))
    return dict(line.split("=", 1) for line in text.splitlines())


def test_one_node_replicates_to_nobody() -> None:
    one = properties(1)
    assert one["controller.quorum.voters"] == "1@127.0.0.1:9101"
    assert (one["default.replication.factor"], one["min.insync.replicas"]) == ("1", "1")
    assert one["auto.create.topics.enable"] == "false"


def test_three_nodes_keep_three_copies_two_of_them_in_sync() -> None:
    three = properties(3)
    assert three["controller.quorum.voters"].count("@") == 3
    assert (three["default.replication.factor"], three["min.insync.replicas"]) == ("3", "2")


def test_only_loopback_is_listened_on() -> None:
    for count in (1, 3):
        assert "0.0.0.0" not in str(properties(count))
        assert all("//127.0.0.1:" in place for place in properties(count)["listeners"].split(","))


def test_an_error_is_one_sentence_and_a_next_step() -> None:
    error = PartError("it failed", where="/there", why="of this.\n", next_step="Do that.")
    assert str(error) == "it failed (/there): of this. Do that."
    assert str(PartError("it failed", why="of this")) == "it failed: of this."


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert tail(log) == ""
    log.write_text("\n".join(str(number) for number in range(5000)) + "\n\n")
    assert tail(log, lines=2) == "4998 | 4999"


def test_a_socket_fits_however_long_the_data_path_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 120)
    monkeypatch.setattr("tempfile.tempdir", str(long))
    folder = socket_dir(long / "data", None)
    try:
        assert len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_MAX
        assert socket_dir(long / "data", None) == folder, "the same at every start"
        folder.chmod(0o777)
        with pytest.raises(PartError, match="not a private folder"):
            socket_dir(long / "data", None)
    finally:
        folder.rmdir()


def test_a_link_in_place_of_the_socket_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = socket_dir(tmp_path / "data", None)
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PartError, match="not a private folder"):
        socket_dir(tmp_path / "data", None)


def test_the_first_closed_folder_is_named(tmp_path: Path) -> None:
    # pytest's own folders above are closed to strangers already.
    inner = tmp_path / "open" / "inner"
    inner.mkdir(parents=True)
    closed = closed_parent(inner, STRANGER)
    assert closed is not None
    assert closed in inner.parents
    assert closed_parent(Path("/"), STRANGER) is None


def test_places_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.parts.places.is_root", lambda: False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.delenv("CXLOOP_CACHE_DIR", raising=False)
    assert default_data_dir() == Path("/data/cxloop")
    assert cache_dir() == Path("/cache/cxloop")
    monkeypatch.setenv("CXLOOP_CACHE_DIR", "/mine")
    assert cache_dir() == Path("/mine")
    monkeypatch.setattr("shared.parts.places.is_root", lambda: True)
    assert default_data_dir() == Path("/var/lib/cxloop")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", False),
        ("no json", False),
        ('{"pid": 1}', False),
        ('{"pid": %(pid)d, "process": 1, "started": "then"}', False),  # a reused process id
        ('{"pid": %(pid)d, "process": %(since)d, "started": "then"}', True),
        ('{"pid": 4194304, "process": null, "started": "then"}', False),
    ],
)
def test_who_owns_a_lock(tmp_path: Path, text: str, found: bool) -> None:
    path = tmp_path / "lock"
    path.write_text(text % {"pid": os.getpid(), "since": alive_since(os.getpid())} if "%" in text else text)
    assert read_owner(path) == ((os.getpid(), "then") if found else None)
