"""Refuses a state folder that somebody else than this user may write."""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from pitwall_crds.errors import UnreadableFileError


def refuse_others(folder: Path, found: Mapping[Path, os.stat_result]) -> None:
    """Raise UnreadableFileError where one of these paths of the folder is another user's or may be written by one."""
    user = os.geteuid()
    for path, status in found.items():
        if status.st_uid != user:
            owner = _called(status.st_uid)
            raise UnreadableFileError(
                f"{path} belongs to {owner} and not to {_called(user)}: who writes there says which processes run and "
                f"are ended; choose a folder of your own with --state, or run this as {owner}"
            )
    if open_to_others := [path for path, status in found.items() if _may_be_written(status, user)]:
        raise UnreadableFileError(_words(folder, open_to_others, found[open_to_others[0]], user))


def _words(folder: Path, paths: list[Path], first: os.stat_result, user: int) -> str:
    more = f", and {len(paths) - 1} more in {folder}," if len(paths) > 1 else ""
    return (
        f"{paths[0]} of {_called(user)} (mode {stat.S_IMODE(first.st_mode):o}){more} may be written by others, who "
        "could say which processes run and are ended; look at what is there, and take that from them: "
        f"chmod -R go-w {shlex.quote(str(folder))}; or choose another folder with --state, as where chmod changes "
        "nothing (drives of Windows, some network file systems)"
    )


def _may_be_written(found: os.stat_result, user: int) -> bool:
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_of_one(found.st_gid, user)


def _is_of_one(group: int, user: int) -> bool:
    """Whether nobody but this user is in the group, as where each user has one of its own and umask is 002 for that
    reason (Debian, Ubuntu, Fedora). Root's may be the group of processes that no list of users names."""
    try:
        who, members = pwd.getpwuid(user), grp.getgrgid(group)
    except KeyError:
        return False
    if not user or who.pw_gid != group or members.gr_name != who.pw_name or set(members.gr_mem) - {who.pw_name}:
        return False
    return all(other.pw_gid != group or other.pw_uid == user for other in pwd.getpwall())


def _called(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
