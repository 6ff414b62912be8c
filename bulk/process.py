"""A worker as a process: ``python -m smoothserve.bulk.process``, for :mod:`.processes`.

Lines of JSON come in: the task first, then chunks. For each chunk go out: null after each image, then what
was written, or an error, which ends it. It also ends when nothing comes in any more, so it does not outlive
its job.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, TextIO

from .chunks import Chunk
from .errors import BulkError
from .job import Settings, Task
from .worker import Worker


def main(asked: TextIO, answers: TextIO) -> None:
    """Work until there is no more to do."""

    def say(what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    try:
        given = json.loads(asked.readline())
        worker = Worker(Task(**{**given, "settings": Settings(**given["settings"])}))
        for line in asked:
            say(worker.explain(Chunk(*json.loads(line)), lambda: say(None))._asdict())
    except BrokenPipeError:
        sys.exit(1)  # the job was killed
    except BulkError as error:
        say({"error": str(error)})
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the job, which ends its workers
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    with os.fdopen(out, "w") as stream:
        main(sys.stdin, stream)
