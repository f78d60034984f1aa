"""What a variant may name as its language model's server and as its encoder's weights.

Regular expressions that Python and RE2 read alike: the API server checks them too, as rules in CEL.
"""

import re
from typing import Final

_HOST: Final = r"(\[[0-9A-Za-z:.%]+\]|[^\x00-\x20\x7f/?#@:\\\[\]]+)"
_SERVER: Final = rf"^https?://{_HOST}(:[0-9]{{1,5}})?(/[^\x00-\x20\x7f?#]*)?$"
_NO_WEIGHTS: Final = r"(^|[/:\\])[.][.]([/:\\]|$)|://|[\x00-\x1f\x7f]"

SERVER_WORDS: Final = (
    "answer.endpointUrl must be http:// or https:// and a host, without user name, query and blanks, "
    "such as http://vllm:8000/v1"
)
"""Without the value, which may hold a password."""
WEIGHTS_WORDS: Final = (
    "encoder.weights must be a tag such as webli, hf-hub:ORGANIZATION/NAME, or a checkpoint's path without .. in it"
)

SERVER_RULE: Final = (
    f"!has(self.endpointUrl) || self.endpointUrl == '' || self.endpointUrl.matches(r'{_SERVER}')",
    SERVER_WORDS,
)
WEIGHTS_RULE: Final = (f"!has(self.weights) || !self.weights.matches(r'{_NO_WEIGHTS}')", WEIGHTS_WORDS)


def checked_server(url: str) -> str:
    """The base URL of a server, or none. Raises ValueError."""
    if url and not re.fullmatch(_SERVER, url):
        raise ValueError(SERVER_WORDS)
    return url


def checked_weights(weights: str) -> str:
    """A tag, a hub's name or a path that leads to nowhere else. Raises ValueError."""
    if re.search(_NO_WEIGHTS, weights):
        raise ValueError(WEIGHTS_WORDS)
    return weights
