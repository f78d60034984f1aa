"""`pitwall dashboard`: prints the Grafana dashboard as JSON to import, or the address where it already is."""

import json
from typing import Annotated

import typer

from pitwall_dashboards.screen import dashboard as drawn
from pitwall_operator.cli.context import console, problems


def dashboard(
    url: Annotated[
        str | None, typer.Option(envvar="PITWALL_GRAFANA_URL", help="Grafana's address: opens the dashboard there.")
    ] = None,
) -> None:
    """Print the Grafana dashboard's JSON, to be imported; or, with --url, open it in the browser."""
    content = drawn()
    if url is None:
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        if console.is_terminal:
            problems.print("in Grafana: Dashboards, New, Import; the Helm chart brings it by itself")
        return
    address = f"{url.rstrip('/')}/d/{content['uid']}"
    typer.echo(address)
    if console.is_terminal:
        typer.launch(address)
