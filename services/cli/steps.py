"""Long steps on standard error: a line that moves on a terminal, a line per step elsewhere."""

from __future__ import annotations

from types import TracebackType

from services.cli.show import err


class Steps:
    """Tells what is being done, from any thread."""

    def __init__(self) -> None:
        self._status = err.status("starting") if err.is_terminal else None
        self._last = ""

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        """Show a step, with how far it is when that is known."""
        text = f"{step}: {done} of {total}" if total > 1 else step
        if self._status:
            self._status.update(f"{text} …")
        elif step != self._last or done == total > 1:
            err.print(text)
        self._last = step

    def __enter__(self) -> Steps:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the moving line away."""
        if self._status:
            self._status.stop()
