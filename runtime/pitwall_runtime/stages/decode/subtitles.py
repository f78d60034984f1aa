"""Reads a file of subtitles in a process of its own: `python -m pitwall_runtime.stages.decode.subtitles FILE`.

Such files are of anybody's making. One that hangs or crashes its reader, or eats memory, ends that process alone.
"""

import json
import os
import resource
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Final

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadSubtitlesError
from pitwall_runtime.media import Caption

WALL_SECONDS: Final = 30.0
"""On a machine that is busy; alone the longest legal file takes two."""
_CPU_SECONDS: Final = 10
_MEMORY_BYTES: Final = 384 << 20


def read_subtitles(path: Path, deadline: Deadline) -> tuple[Caption, ...]:
    """The captions of a SubRip, WebVTT or ASS file. Raises BadSubtitlesError, or TooLateError."""
    deadline.check()
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, the path is one argument
        [sys.executable, "-m", "pitwall_runtime.stages.decode.subtitles", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each of its threads reserves memory, which counts
    )
    withdraw = deadline.when_given_up(process.kill)
    try:
        written, _ = process.communicate(timeout=deadline.within(WALL_SECONDS))
    except subprocess.TimeoutExpired:
        written = b""
    finally:
        withdraw()
        process.kill()
        process.communicate()
    if process.returncode or not written:
        deadline.check()
        raise BadSubtitlesError(
            f"the subtitles took more to read than the limits of {_CPU_SECONDS} s and {_MEMORY_BYTES >> 20} MiB; "
            "send plain cues as .srt or .vtt"
        )
    told = json.loads(written)
    if isinstance(told, str):
        raise BadSubtitlesError(told)
    return tuple(Caption(*one) for one in told)


def main(arguments: list[str]) -> int:
    """Write what one file says as a line of JSON: a list of captions, or the words that refuse it."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    from pitwall_runtime.stages.decode.libav.files.captions import read_captions

    told: object
    try:
        told = [astuple(one) for one in read_captions(Path(arguments[0]).read_bytes())]
    except ValueError as error:
        told = f"the subtitles are {error}; send them as .srt or .vtt"
    except OSError:
        told = "the subtitles cannot be read; send them again"
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
