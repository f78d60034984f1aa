"""`pitwall-runtime COMMAND`: what a runtime image can do by itself; `python -m pitwall_runtime` is the same."""

import runpy
import sys
from collections.abc import Mapping
from typing import Final

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("pitwall_runtime.serve.__main__", "serve one SamplerVariant over HTTP"),
    "ask": ("pitwall_runtime.ask.__main__", "ask one question about one video"),
    "catalogue": ("pitwall_runtime.plugins.describe", "list the samplers that are built in or installed"),
    "new-sampler": ("pitwall_runtime.plugins.scaffold", "write a package with a sampler to begin with"),
    "sample": ("pitwall_runtime.plugins.sample", "choose frames from plain arrays"),
    "check-sampler": ("pitwall_runtime.plugins.check_sampler", "try a sampler in every situation"),
}


def main() -> None:
    """Run the command's own module; without a known one, say which there are and end with 2."""
    command, *arguments = sys.argv[1:] or [""]
    if command not in COMMANDS:
        lines = [f"  {name:14} {about}" for name, (_, about) in COMMANDS.items()]
        print("\n".join(["usage: pitwall-runtime COMMAND …", *lines]), file=sys.stderr)
        sys.exit(0 if command in {"-h", "--help"} else 2)
    module, _ = COMMANDS[command]
    sys.argv = [f"pitwall-runtime {command}", *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
