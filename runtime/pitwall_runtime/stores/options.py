"""The command-line options of the cache folder, and the thread that keeps it within them."""

import argparse
import logging
import shutil
import threading
from pathlib import Path
from typing import Final

from pitwall_runtime.errors import BadVariantError, install
from pitwall_runtime.stores.files.eviction import CacheLimits, Quota, disk_bytes
from pitwall_runtime.stores.network.shared import Shared, open_shared

log = logging.getLogger(__name__)

_SHARE_OF_FREE: Final = 0.8
_SWEEP_SECONDS: Final = 30.0
_DAY_SECONDS: Final = 86_400.0


def add_cache_options(parser: argparse.ArgumentParser) -> None:
    """`--cache-bytes`, `--cache-days`, `--hot-bytes`; `--shared-url` and `--hot-url` of what machines share."""
    parser.add_argument(
        "--shared-url", default="", help="object storage that machines share: s3://BUCKET/PREFIX?endpoint=URL"
    )
    parser.add_argument("--hot-url", default="", help="Redis before it, for embeddings: redis://HOST/0")
    parser.add_argument(
        "--cache-bytes",
        type=int,
        default=0,
        help="what the cache folder may hold, everything counted; 0 takes 80 %% of what the disk has free at the start",
    )
    parser.add_argument(
        "--cache-days", type=float, default=30.0, help="what nobody used for so long is deleted (default: %(default)s)"
    )
    parser.add_argument("--hot-bytes", type=int, default=1 << 30, help="of embeddings in memory (default: %(default)s)")


def shared_of(arguments: argparse.Namespace) -> Shared:
    """What the options say that machines share. Raises BadVariantError where the library for it is missing, or can make
    nothing of an address."""
    try:
        return open_shared(arguments.shared_url, arguments.hot_url)
    except ModuleNotFoundError as error:
        raise BadVariantError(f"--shared-url or --hot-url cannot be used: {error}; {install('s3,redis')}") from None
    except Exception as error:  # obstore's go on for thirty lines
        words = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadVariantError(
            f"--shared-url or --hot-url cannot be used: {words}; use s3://BUCKET/PREFIX?endpoint=URL and redis://HOST/0"
        ) from None


def make_cache_folder(cache_dir: Path) -> None:
    """Make it, where it is missing. Raises BadVariantError where it can be none."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadVariantError(
            f"--cache-dir {str(cache_dir)!r} can be no cache folder ({error.strerror}); choose another"
        ) from None


def quota_of(arguments: argparse.Namespace, cache_dir: Path) -> Quota:
    """The quota that the options ask for, which a thread keeps from now on until the process ends."""
    make_cache_folder(cache_dir)
    limit = arguments.cache_bytes or _all_there_is(cache_dir)
    quota = Quota(cache_dir, CacheLimits(limit, arguments.cache_days * _DAY_SECONDS))
    threading.Thread(target=_sweep, args=(quota,), name="sweep", daemon=True).start()
    return quota


def _all_there_is(cache_dir: Path) -> int:
    return disk_bytes(cache_dir) + int(shutil.disk_usage(cache_dir).free * _SHARE_OF_FREE)


def _sweep(quota: Quota) -> None:
    never = threading.Event()
    while True:
        try:
            quota.sweep()
        except Exception as error:  # whatever it is, the cache is swept again later
            told = None if isinstance(error, OSError) else error
            log.warning("the cache %s could not be swept: %s", quota.root, error, exc_info=told)
        never.wait(_SWEEP_SECONDS)
