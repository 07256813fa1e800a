"""An embedded Apache Kafka: one KRaft node as a direct child, reached on 127.0.0.1 only."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from shared.parts.archive import AFTER_S, Archive, Archiver
from shared.parts.artifacts import kafka_jars
from shared.parts.errors import PartError, tail
from shared.parts.java import Java, find_java
from shared.parts.kafka_config import HOST, Node, logging_properties, server_properties
from shared.parts.places import make_folder
from shared.parts.ports import HeldPort, hold
from shared.parts.process import Child, Plan
from shared.parts.progress import Progress, quiet

# The node alone is ready in 2 to 4 s; a recovery of unflushed segments or a loaded machine takes longer.
START_S = 90.0
FORMAT_S = 60.0
STOP_S = 8.0
STARTED = "Kafka Server started"


def new_cluster_id() -> str:
    """Return a random id of a Kafka cluster: 16 bytes in URL-safe base64.

    None begins with a hyphen: Kafka's storage tool would take it for an option.
    """
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return made


class Kafka:
    """A Kafka node whose data lies in `folder`; by itself a whole cluster, else one of `voters`.

    Its ports are remembered beside the data and taken again if they are free. They stay held from the first
    start to `close()`, so that a stopped or killed node comes back at the same address. Behind something that
    passes connections on, `advertised_port` is where clients shall come to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        log: Path | None = None,
        lock_fd: int = -1,
        progress: Progress = quiet,
        node_id: int = 1,
        cluster_id: str | None = None,
        advertised_port: int = 0,
    ) -> None:
        self.folder = folder.absolute()
        self.log = log or self.folder.with_name("logs") / f"{self.folder.name}.log"
        self.lock_fd = lock_fd
        self.node_id = node_id
        self.cluster_id = cluster_id or new_cluster_id()
        self.advertised_port = advertised_port
        self._progress = progress
        self._child: Child | None = None
        self._held: list[HeldPort] = []
        self._voters: Sequence[Node] = ()

    @property
    def node(self) -> Node:
        """Id and ports; holds the ports from the first time it is asked."""
        if not self._held:
            self._held = hold(self._remembered_ports())
        return Node(self.node_id, self._held[0].number, self._held[1].number)

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.node.port}"

    @property
    def pid(self) -> int:
        """Process id of the broker, 0 when it does not run."""
        return self._child.pid if self._child and self._child.poll() is None else 0

    def start(self) -> Kafka:
        """Start it and return when it takes clients."""
        self.prepare()
        self.spawn()
        self.wait_ready()
        return self

    def join(self, voters: Sequence[Node]) -> None:
        """Make it one of several voters; before the first start."""
        self._voters = voters

    def prepare(self) -> None:
        """Everything before the broker runs: Java, jars, ports, formatted storage. May run in any thread."""
        self._java = find_java()
        self._jars = kafka_jars(self._progress)
        self._archive = Archive(self._java, self._jars)
        make_folder(self.folder, "Kafka's data", private=True)
        make_folder(self.log.parent, "the folder for logs", private=True)
        self._write_configuration()
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def spawn(self) -> None:
        """Start the broker process; call it from the main thread."""
        self._write_configuration()
        self._output_start = self._output.stat().st_size if self._output.exists() else 0
        shared = self._archive.options(self._noted)
        self._child = Child(self._plan([*self._java_options(shared), "kafka.Kafka", str(self._config)]))

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait until it takes clients, or raise PartError with the end of its log."""
        assert self._child is not None
        deadline = time.monotonic() + timeout_s
        while not self._has_started():
            if self._child.poll() is not None:
                self._archive.discard()
                raise PartError("Kafka did not start", where=self.log, why=self._last_words())
            if time.monotonic() > deadline:
                self.stop()
                raise PartError(
                    f"Kafka was not ready within {timeout_s:.0f} s", where=self.log, why=self._last_words()
                )
            time.sleep(0.02)

    def archiver(self, after_s: float = AFTER_S) -> Archiver:
        """What makes later starts cheaper, from `after_s` on, for a node that runs."""
        options = self._java_options
        return Archiver(self._archive, self._noted, lambda shared: self._plan(options(shared)), after_s)

    def ask_to_stop(self) -> None:
        """Ask for a clean shutdown and return at once."""
        if self._child:
            self._child.ask_to_stop()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Shut it down cleanly; the address stays held for the next start."""
        if self._child:
            self._child.stop(timeout_s)
            self._child = None

    def kill(self) -> None:
        """End it as a crash would."""
        if self._child:
            self._child.kill()
            self._child = None

    def freeze(self) -> None:
        """Stop it where it stands: connections stay open and nobody answers."""
        if self._child:
            self._child.freeze()

    def resume(self) -> None:
        """Let a frozen broker go on."""
        if self._child:
            self._child.resume()

    def close(self) -> None:
        """Stop it and let its ports go."""
        self.stop()
        for port in self._held:
            port.close()
        self._held = []

    @property
    def _config(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _noted(self) -> Path:
        return self.folder / "classes"

    @property
    def _output(self) -> Path:
        return self.log.with_suffix(".out")

    def _remembered_ports(self) -> list[int]:
        try:
            ports = json.loads((self.folder / "ports.json").read_text())
            return [int(ports[0]), int(ports[1])]
        except (OSError, ValueError, LookupError, TypeError):
            return [0, 0]

    def _write_configuration(self) -> None:
        node = self.node
        voters = self._voters or [node]
        self._config.write_text(server_properties(node, voters, self.folder / "data", self.advertised_port))
        (self.folder / "log4j2.properties").write_text(logging_properties(self.log))
        (self.folder / "ports.json").write_text(json.dumps([node.port, node.controller_port]))

    def _format(self) -> None:
        arguments = ["kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c", str(self._config)]
        child = Child(self._plan([*self._java_options(), *arguments]))
        try:
            status = child.wait(FORMAT_S)
        except subprocess.TimeoutExpired:
            status = child.kill()
        if status:
            raise PartError("cannot create Kafka's storage", where=self.folder, why=self._last_words())

    def _java_options(self, more: Sequence[str] = ()) -> list[str]:
        java: Java = self._java
        options = [str(java.program), *more, "-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options += [
            "-XX:MetaspaceSize=64m",
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
        ]
        if java.major >= 24:  # older ones do not know the option and refuse to start
            options.append("--sun-misc-unsafe-memory-access=allow")
        options.append(f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}")
        return [*options, "-cp", ":".join(map(str, self._jars))]

    def _plan(self, argv: list[str]) -> Plan:
        env = {
            name: text for name, text in os.environ.items() if name not in {"JAVA_TOOL_OPTIONS", "CLASSPATH"}
        }
        return Plan(argv=argv, log=self._output, stop=signal.SIGTERM, env=env, fds=[self.lock_fd])

    def _has_started(self) -> bool:
        try:
            with self._output.open("rb") as output:
                output.seek(self._output_start)
                return STARTED.encode() in output.read()
        except OSError:
            return False

    def _last_words(self) -> str:
        return tail(self._output) or tail(self.log) or "it ended without a word"
