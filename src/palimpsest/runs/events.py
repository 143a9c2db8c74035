"""events.jsonl: one JSON object a line."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from palimpsest.core.files import no_space


@dataclass(frozen=True)
class Events:
    """The log of a run. Each line is written whole and at once."""

    path: Path

    def write(self, event: str, **facts: object) -> None:
        """Append one line: what happened, when (seconds since 1970), and its facts."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **facts}) + "\n"
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise no_space(error, self.path, len(line)) from error

    @property
    def size(self) -> int:
        """Bytes so far: a checkpoint remembers them."""
        return self.path.stat().st_size if self.path.exists() else 0

    def truncate(self, size: int) -> None:
        """Drop what was written after a checkpoint that is gone back to."""
        if self.size > size:
            os.truncate(self.path, size)


def read_events(path: Path) -> list[dict]:
    """All whole lines of a log; a last line that was cut off is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
