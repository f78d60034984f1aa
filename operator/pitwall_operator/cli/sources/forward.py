"""Reaches a cluster's flag service from outside: finds its Service and Secret, and has kubectl forward a port."""

import base64
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from pitwall_flags.service.auth import VARIABLES, TokenScope
from pitwall_operator.cli.context import fail
from pitwall_operator.cli.sources.api import Api
from pitwall_operator.values.errors import CommandError, Exit

SERVICE = "pitwall-flags"
LABELED = {"labelSelector": "app.kubernetes.io/name=pitwall,app.kubernetes.io/component=flags"}
SECRET = "pitwall-flags-tokens"  # noqa: S105 – a name
AUTHORITY_VARIABLE = "PITWALL_FLAGS_AUTHORITY"
START_SECONDS = 20.0


def flags_authority() -> Path | None:
    """Who signed the flag service's certificate, where it has one: the chart's flags.tls."""
    given = os.environ.get(AUTHORITY_VARIABLE, "")
    return Path(given) if given else None


@contextmanager
def flag_service(
    api: Api, kubectl_options: Sequence[str], scope: TokenScope, named: str | None
) -> Iterator[tuple[str, str]]:
    """Base URL and token. `named` is a URL, NAMESPACE/SERVICE or empty: then it is looked for. Raises CommandError."""
    token = os.environ.get(VARIABLES[scope], "")
    if named and "://" in named:
        if not token:
            fail(f"a flag service that is named by its URL needs its token in {VARIABLES[scope]}", Exit.BAD_INPUT)
        yield named.rstrip("/"), token
        return
    namespace, service = _find(api, named)
    token = token or _token(api, namespace, scope)
    with _forwarded([*kubectl_options, f"--namespace={namespace}"], service) as url:
        yield url, token


def _find(api: Api, named: str | None) -> tuple[str, str]:
    if named:
        namespace, _, service = named.partition("/")
        return namespace, service or SERVICE
    hint = "name it by --flags NAMESPACE/SERVICE"
    try:
        found = [service["metadata"] for service in api.list("/api/v1/services", LABELED)]
    except CommandError as error:
        fail(f"the flag service could not be looked for: {error}; or {hint}", error.code)
    if len(found) != 1:
        places = ", ".join(f"{each['namespace']}/{each['name']}" for each in found)
        fail(
            f"the cluster should have one flag service and has {len(found)} ({places or 'none'}): {hint}",
            Exit.NOT_INSTALLED,
        )
    return found[0]["namespace"], found[0]["name"]


def _token(api: Api, namespace: str, scope: TokenScope) -> str:
    data = api.get(f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{SECRET}").get("data", {})
    if scope not in data:
        fail(f"Secret {namespace}/{SECRET} has no key {scope!r}; set {VARIABLES[scope]} instead", Exit.NOT_INSTALLED)
    return base64.b64decode(data[scope]).decode()


@contextmanager
def _forwarded(options: Sequence[str], service: str) -> Iterator[str]:
    """A port of this machine that leads to the Service, for as long as the block lasts."""
    command = ["kubectl", *options, "port-forward", "--pod-running-timeout=5s", f"service/{service}", ":http"]
    try:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603
    except FileNotFoundError:
        fail("kubectl is needed to reach the flag service and is not on PATH; install it or name a URL by --flags")
    watchdog = threading.Timer(START_SECONDS, running.kill)
    watchdog.start()
    try:
        assert running.stdout is not None
        assert running.stderr is not None
        forwarding = re.search(r"127\.0\.0\.1:(\d+)", running.stdout.readline())
        watchdog.cancel()
        if not forwarding:
            said = " ".join(running.stderr.read().split()) or f"no connection within {START_SECONDS:g} s"
            fail(
                f"the flag service cannot be reached: {said}",
                Exit.FORBIDDEN if "forbidden" in said else Exit.UNREACHABLE,
            )
        yield f"{'https' if flags_authority() else 'http'}://127.0.0.1:{forwarding[1]}"
    finally:
        watchdog.cancel()
        running.kill()
        running.communicate()
