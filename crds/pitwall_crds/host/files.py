"""Files that are whole at every moment: written beside, then renamed."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file's content in one step; readers see the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as output:
            output.write(text)
            output.flush()
            os.fsync(output.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, data: Any, *, mode: int = 0o644) -> None:
    """`write_whole` of JSON."""
    write_whole(path, json.dumps(data, indent=1), mode=mode)


def read_json(path: Path, default: Any) -> Any:
    """A JSON file's content, or the default where there is none yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
