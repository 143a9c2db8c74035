"""The program: how it is called, interrupted, and ended."""

import os
import signal
import sys
from types import FrameType

from palimpsest.core.errors import Interrupted, RequestError, RunError

EARLY = "interrupted; give the same command again, or go on with `palimpsest resume RUN` where a run has begun"


def main() -> None:
    """Entry point: exit code 0 done, 2 the request is wrong, 1 it failed on the way, 130 interrupted, state saved."""
    for number in (signal.SIGINT, signal.SIGTERM):  # until a run is under way, and takes both into its own hands
        signal.signal(number, interrupt)
    # Threads that wait for each other spin a while and then sleep. By torch's default they spin for long, which makes a
    # step ten times as long where others use the cores, too; without spinning it takes twice as long on idle cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # read when torch is imported
    from palimpsest.commands.application import UsageError, call, in_one_sentence

    try:
        code = call(sys.argv[1:])
        if code == 130:  # what typer makes of a KeyboardInterrupt
            fail(EARLY, 130)
        sys.exit(code)
    except UsageError as error:
        fail(in_one_sentence(error, sys.argv[1:]), 2)
    except RequestError as error:
        fail(error, 2)
    except RunError as error:
        fail(error, 1)
    except OSError as error:
        fail(f"{error.filename} cannot be used ({error.strerror})" if error.filename else error, 1)
    except Interrupted as stopped:
        again = f"`palimpsest resume {stopped}`" if str(stopped) else "the same command"
        fail(f"interrupted; the state is saved, go on with {again}", 130)
    except KeyboardInterrupt:  # before typer has begun
        fail(EARLY, 130)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C or SIGTERM. An import may swallow an exception or make another of it, and has nothing to clean up."""
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(sys.stderr.fileno(), f"palimpsest: {EARLY}\n".encode())
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def fail(sentence: object, code: int) -> None:
    """One sentence on standard error, and the exit code."""
    print(f"palimpsest: {sentence}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
