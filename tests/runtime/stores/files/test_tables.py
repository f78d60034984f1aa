"""Tables of contents: read as they were written, also those of older versions, and remembered within a bound."""

import json
from fractions import Fraction

import pytest

from pitwall_runtime.damage import told
from pitwall_runtime.media import Caption, Damage, FramePool, PoolSpec, Shot
from pitwall_runtime.stores.files.tables import PoolTable, Tables, write

SPEC = PoolSpec()
HASH = "ab" * 32


def table(count, damage=()):
    frames = tuple(range(0, count * 100, 100))
    said = (Caption(0.5, 1.0, 'Über "den"\nWolken,'),)
    pool = FramePool(HASH, SPEC, Fraction(1, 100), frames, count * 100, (Shot(0, count),), damage, (0,), said)
    return PoolTable(pool, (0,) * count, (0, 10), (7,))


def read(path, tables=None):
    return (tables or Tables()).read(path, HASH, SPEC)


def flat(found):
    return found.pool, tuple(found.pictures), tuple(found.edges), tuple(found.checks)


def test_a_table_is_read_as_it_was_written_and_is_plain_json(tmp_path):
    written = table(3, told([Damage(3.0 * at, 3.0 * at + 1) for at in range(300)]))
    write(tmp_path / "pool.json", written)
    assert flat(read(tmp_path / "pool.json")) == flat(written)
    assert len(written.pool.damage) == 100
    assert json.loads((tmp_path / "pool.json").read_text())["endPts"] == 300


def test_each_value_has_a_line_so_that_nobody_waits_for_the_whole_to_be_read(tmp_path):
    write(tmp_path / "pool.json", table(3))
    lines = (tmp_path / "pool.json").read_text().splitlines()
    assert [line.partition('"')[2].partition('"')[0] for line in lines[1:-1]] == [
        "of", "timeBase", "pts", "endPts", "shots", "damage", "keyFrames", "subtitles", "pictures", "edges", "checks",
    ]  # fmt: skip


def test_of_an_older_version_that_told_every_damaged_stretch_the_nearest_are_joined(tmp_path):
    write(tmp_path / "pool.json", table(3))
    old = json.loads((tmp_path / "pool.json").read_text())
    old["damage"] = [[3.0 * at, 3.0 * at + 1] for at in range(14_333)]
    (tmp_path / "pool.json").write_text(json.dumps(old))

    damage = read(tmp_path / "pool.json").pool.damage
    assert len(damage) == 100
    assert (damage[0].start_seconds, damage[-1].end_seconds) == (0.0, 3.0 * 14_332 + 1)
    assert sum(one.stretches for one in damage) == 14_333


@pytest.mark.parametrize("lines", [2, 4])
def test_half_a_table_is_none(tmp_path, lines):
    write(tmp_path / "pool.json", table(3))
    path = tmp_path / "pool.json"
    path.write_text("\n".join(path.read_text().splitlines()[:lines]))
    with pytest.raises(LookupError):
        read(path)


def test_of_long_films_few_tables_are_remembered_and_the_latest_always(tmp_path):
    tables = Tables(most_entries=25)
    for name, count in (("a", 10), ("b", 10), ("c", 100), ("d", 10)):
        write(tmp_path / name, table(count))
    first = read(tmp_path / "a", tables)
    assert read(tmp_path / "b", tables) is read(tmp_path / "b", tables)
    assert read(tmp_path / "a", tables) is first
    longest = read(tmp_path / "c", tables)
    assert read(tmp_path / "c", tables) is longest
    assert tables.entries == longest.entries
    assert read(tmp_path / "a", tables) is not first
    assert tables.entries == 12


def test_what_is_not_joined_is_written_as_earlier_versions_read_it(tmp_path):
    write(tmp_path / "pool.json", table(3, (Damage(1.0, 2.0), Damage(3.0, 9.0, 4, 2.5))))
    assert json.loads((tmp_path / "pool.json").read_text())["damage"] == [[1.0, 2.0], [3.0, 9.0, 4, 2.5]]
