"""Who may write a state folder."""

import grp
import os
import pwd
import stat
from pathlib import Path

import pytest

from pitwall_crds.errors import UnreadableFileError
from pitwall_operator.machine import ownership

STATE = Path("/home/kim/the state")
KIM, HERS, STAFF = 1000, 1000, 50


def _user(name, uid, gid):
    return pwd.struct_passwd((name, "x", uid, gid, "", f"/home/{name}", "/bin/sh"))


@pytest.fixture
def machine(monkeypatch):
    """Makes a machine of these users and groups, on which kim runs us."""

    def make(users=(), members=(), group="kim"):
        known = {KIM: _user("kim", KIM, HERS), **{one.pw_uid: one for one in users}}
        groups = {HERS: grp.struct_group((group, "x", HERS, list(members)))}
        monkeypatch.setattr(os, "geteuid", lambda: KIM)
        monkeypatch.setattr(pwd, "getpwuid", known.__getitem__)
        monkeypatch.setattr(pwd, "getpwall", lambda: list(known.values()))
        monkeypatch.setattr(grp, "getgrgid", groups.__getitem__)

    return make


def _refuse(mode, *, uid=KIM, gid=HERS, path=STATE):
    found = os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))
    return ownership.refuse_others(STATE, {path: found})


@pytest.mark.parametrize("members", [(), ("kim",)], ids=["no member", "herself"])
def test_a_group_of_kims_own_may_write(machine, members):
    machine(members=members)

    assert _refuse(0o775) is None


@pytest.mark.parametrize(
    ("mode", "gid", "made"),
    [
        pytest.param(0o777, HERS, {}, id="everybody may"),
        pytest.param(0o775, STAFF, {}, id="a group that no list names"),
        pytest.param(0o775, HERS, {"members": ("lee",)}, id="her group has another member"),
        pytest.param(0o775, HERS, {"users": (_user("lee", 1001, HERS),)}, id="her group is another user's too"),
        pytest.param(0o775, HERS, {"group": "users"}, id="her group is one for users"),
    ],
)
def test_others_may_not(machine, mode, gid, made):
    machine(**made)

    with pytest.raises(UnreadableFileError, match="may be written by others") as refused:
        _refuse(mode, gid=gid)
    assert f"chmod -R go-w '{STATE}'; or choose another folder with --state" in str(refused.value)


def test_nor_is_roots_group_roots_alone(machine, monkeypatch):
    machine(users=(_user("root", 0, 0),))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(grp, "getgrgid", lambda group: grp.struct_group(("root", "x", group, [])))

    with pytest.raises(UnreadableFileError, match=r"of root \(mode 775\) may be written"):
        _refuse(0o775, uid=0, gid=0)


def test_another_users_is_refused_whatever_its_mode(machine):
    machine(users=(_user("lee", 1001, 1001),))

    with pytest.raises(UnreadableFileError, match=r"belongs to lee and not to kim.*with --state"):
        _refuse(0o700, uid=1001, gid=1001)


def test_who_is_in_no_list_of_users_is_called_by_number(machine, monkeypatch):
    machine()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(UnreadableFileError, match=r"of user 4711 \(mode 775\)"):
        _refuse(0o775, uid=4711)
