"""Shows and clears the cache folder: `python -m pitwall_runtime.stores show|clear`. Safe beside running servers."""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pitwall_runtime.stores.files.eviction import CacheEntry, EntryKind, disk_bytes, entries


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pitwall_runtime.stores", description="See and clear the cache.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("show", "what the cache holds, oldest use first"), ("clear", "delete what is not in use")):
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("--cache-dir", type=Path, required=True)
        command.add_argument("--kind", choices=list(EntryKind), help="only these entries")
        command.add_argument("--video", default="", help="only of the video whose hash begins so")
        command.add_argument("--unused-days", type=float, default=0.0, help="only what nobody used for so long")
        command.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def _chosen(arguments: argparse.Namespace, now: float) -> list[CacheEntry]:
    found = (
        entry
        for entry in entries(arguments.cache_dir)
        if arguments.kind in (None, entry.kind)
        and entry.video_hash.startswith(arguments.video)
        and now - entry.used_at >= arguments.unused_days * 86_400
    )
    return sorted(found, key=lambda entry: entry.used_at)


def _row(entry: CacheEntry, now: float) -> dict[str, Any]:
    return {
        "kind": entry.kind.value,
        "video": entry.video_hash,
        "name": _name(entry),
        "bytes": entry.bytes,
        "unusedSeconds": round(max(0.0, now - entry.used_at)),
    }


def _name(entry: CacheEntry) -> str:
    if entry.kind.is_small:
        return entry.path.name
    return "/".join(entry.path.parts[entry.path.parts.index(entry.video_hash) + 1 :])


def _small(chosen: Iterable[CacheEntry]) -> dict[str, dict[str, int]]:
    """Of each small kind, how many entries there are and how much they take: nobody wants to see each of them."""
    counted: dict[str, dict[str, int]] = {}
    for entry in chosen:
        if entry.kind.is_small:
            of_kind = counted.setdefault(entry.kind.value, {"entries": 0, "bytes": 0})
            of_kind["entries"] += 1
            of_kind["bytes"] += entry.bytes
    return counted


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _text(rows: Iterable[dict[str, Any]]) -> str:
    return "\n".join(
        f"{row['kind']:<11} {row['video'][:12]}  {_size(row['bytes']):>9}  unused {row['unusedSeconds'] // 60:>6} min"
        f"  {row['name']}".rstrip()
        for row in rows
    )


def _show(arguments: argparse.Namespace, chosen: list[CacheEntry], now: float) -> str:
    total, small = disk_bytes(arguments.cache_dir), _small(chosen)
    rows = [_row(entry, now) for entry in chosen if not entry.kind.is_small]
    if arguments.output == "json":
        return json.dumps({"bytes": total, "entries": rows, "small": small}, indent=2)
    lines = [f"{kind:<11} {count['entries']} files, {_size(count['bytes'])}" for kind, count in small.items()]
    return "\n".join(filter(None, (_text(rows), *lines, f"{len(chosen)} entries; the whole folder has {_size(total)}")))


def _clear(arguments: argparse.Namespace, chosen: list[CacheEntry], now: float) -> str:
    rows = [_row(entry, now) for entry in chosen]
    gone = [row for entry, row in zip(chosen, rows, strict=True) if entry.evict()]
    freed, kept = sum(row["bytes"] for row in gone), len(rows) - len(gone)
    if arguments.output == "json":
        return json.dumps({"freedBytes": freed, "deleted": gone, "inUse": kept}, indent=2)
    return f"deleted {len(gone)} entries, {_size(freed)}; {kept} are in use and stay"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is there, or delete it: 0; 2 if there is no such folder."""
    chosen_arguments = _arguments(arguments)
    if not chosen_arguments.cache_dir.is_dir():
        print(f"there is no cache folder {chosen_arguments.cache_dir}; check --cache-dir", file=sys.stderr)
        return 2
    now = time.time()
    chosen = _chosen(chosen_arguments, now)
    done = _clear if chosen_arguments.command == "clear" else _show
    print(done(chosen_arguments, chosen, now))
    return 0


if __name__ == "__main__":
    sys.exit(main())
