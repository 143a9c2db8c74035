"""Ctrl-C and SIGTERM, and the end of the study that a run belongs to: a request to stop after the step in hand, with the state saved."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STUDY = "PALIMPSEST_STUDY"  # in the environment of a study's runs: the process that started them


@dataclass
class Stop:
    """Whether somebody has asked to stop. noted: by a signal.  study: the process that started this run, where one did."""

    noted: bool = False
    study: int | None = None

    @property
    def asked(self) -> bool:
        """Also where the study that started this run is gone, for nobody would know of the run any more."""
        return self.noted or (self.study is not None and os.getppid() != self.study)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """While inside, SIGINT and SIGTERM only note the wish; a second one has its usual effect."""
    stop = Stop(study=int(os.environ[STUDY]) if STUDY in os.environ else None)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: object) -> None:
        stop.noted = True
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
