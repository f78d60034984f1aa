"""Users' YAML files, read with every problem told in the file's own words."""
