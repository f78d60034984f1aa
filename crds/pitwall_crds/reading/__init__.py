"""Reads users' YAML files and reports every problem in the file's own words."""
