"""Rows are of queues that were measured, and of no others."""

import json

from benchmarks.ingest_queue.__main__ import main


def test_a_queue_whose_server_is_missing_has_no_row_and_it_is_said_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PITWALL_KAFKA", str(tmp_path))
    output = tmp_path / "rows.json"

    assert main(["--quick", "--queue", "kafka", "--output", str(output)]) == 0

    assert "Kafka          is not measured: " in capsys.readouterr().out
    assert json.loads(output.read_text()) == []


def test_rows_of_queues_that_were_not_measured_now_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("PITWALL_KAFKA", str(tmp_path))
    output = tmp_path / "rows.json"
    known = [{"queue": "SQLite", "measure": "put", "value": 1.0}]
    output.write_text(json.dumps(known))

    main(["--quick", "--queue", "kafka", "--output", str(output)])

    assert json.loads(output.read_text()) == known
