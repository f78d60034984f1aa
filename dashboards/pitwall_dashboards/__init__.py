"""Grafana dashboards and Prometheus rules, generated from the names that the processes export."""
