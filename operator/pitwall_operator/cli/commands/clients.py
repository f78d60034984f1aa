"""Prints how OpenFeature clients of each language follow the flags of the embedded mode: `pitwall clients`."""

from enum import StrEnum
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from pitwall_operator.cli.context import DEFAULT_STATE, Output, OutputOption, StateOption, fail, print_json
from pitwall_operator.machine.state_folder import StateFolder
from pitwall_operator.values.errors import Exit


class Language(StrEnum):
    """For whom there is a snippet."""

    CURL = "curl"
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    WEB = "web"
    JAVA = "java"
    GO = "go"


SNIPPETS: Final = {
    Language.CURL: """\
curl -s -H "Authorization: Bearer $token" -H "Content-Type: application/json" \\
  -d '{"context": {"targetingKey": "user-1"}}' $ofrep/ofrep/v1/evaluate/flags/$flag
""",
    Language.PYTHON: """\
# pip install openfeature-provider-ofrep
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider(OFREPProvider("$ofrep", headers_factory=lambda: {"Authorization": "Bearer $token"}))
print(api.get_client().get_string_value("$flag", "default", EvaluationContext("user-1")))
""",
    Language.JAVASCRIPT: """\
// npm install @openfeature/server-sdk @openfeature/ofrep-provider
const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');

(async () => {
  const headers = [['Authorization', 'Bearer $token']];
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: '$ofrep', headers }));
  console.log(await OpenFeature.getClient().getStringValue('$flag', 'default', { targetingKey: 'user-1' }));
})();
""",
    Language.WEB: """\
// npm install @openfeature/web-sdk @openfeature/ofrep-web-provider
// Start with `pitwall up --web-origin http://localhost:3000` (the page's own origin), so that the browser may ask.
import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const headers = [['Authorization', 'Bearer $token']];
await OpenFeature.setContext({ targetingKey: 'user-1' });
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: '$ofrep', headers, pollInterval: 5000 }));
console.log(OpenFeature.getClient().getStringValue('$flag', 'default'));
""",
    Language.JAVA: """\
// dev.openfeature:sdk, dev.openfeature.contrib.providers:ofrep
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.OpenFeatureAPI;

var headers = ImmutableMap.of("Authorization", ImmutableList.of("Bearer $token"));
var api = OpenFeatureAPI.getInstance();
api.setProviderAndWait(OfrepProvider.constructProvider(
    OfrepProviderOptions.builder().baseUrl("$ofrep").headers(headers).build()));
System.out.println(api.getClient().getStringValue("$flag", "default", new ImmutableContext("user-1")));
""",
    Language.GO: """\
// go get github.com/open-feature/go-sdk github.com/open-feature/go-sdk-contrib/providers/ofrep
package main

import (
	"context"
	"fmt"

	"github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"
)

func main() {
	provider := ofrep.NewProvider("$ofrep", ofrep.WithBearerToken("$token"))
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		panic(err)
	}
	user := openfeature.NewEvaluationContext("user-1", nil)
	value, err := openfeature.NewClient("app").StringValue(context.Background(), "$flag", "default", user)
	fmt.Println(value, err)
}
""",
}
"""By OFREP, which every language has; where flagd's provider evaluates in process, it may follow by sync instead."""


def clients(
    state: StateOption = Path(DEFAULT_STATE),
    language: Annotated[Language | None, typer.Option("--language", "-l", help="Print this snippet alone.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print where OpenFeature clients find the flags, with which token, and a snippet for each language."""
    folder = StateFolder(state.resolve())
    settings = folder.settings()
    if not settings:
        fail(f"nothing was started in {folder.state}: `pitwall up -f FILE` starts it", Exit.NOT_RUNNING)
    place = {
        "ofrep": folder.flags_url(), "sync": f"127.0.0.1:{folder.port('sync')}",
        "flag": settings["flag"], "token": folder.secrets()["evaluate"],
    }  # fmt: skip
    snippets = {name: Template(text).substitute(place) for name, text in SNIPPETS.items()}
    if output is Output.JSON:
        print_json({**place, "snippets": snippets})
    elif language is not None:
        typer.echo(snippets[language], nl=False)
    else:
        typer.echo(f"OFREP       {place['ofrep']}\nflagd sync  {place['sync']}   (flagd.sync.v1, in-process providers)")
        typer.echo(f"token       {place['token']}   (it evaluates and can do nothing else)")
        for name, text in snippets.items():
            typer.echo(f"\n--- {name} ---\n{text}", nl=False)
