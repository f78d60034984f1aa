"""Tells gateways from all else that Prometheus scrapes, by labels that no scraped process can give itself.

What gates weigh only gateways can know, while a pod of the namespace is somebody else's image and may show anything
under the same names. Pure: no clock, chance or I/O.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pitwall_crds.names import GATEWAY_END

_OF_NAMES: Final = "[bcdfghjklmnpqrstvwxz2456789]"
"""What Kubernetes makes the ends of pods' names of."""
GATEWAYS: Final = f'pod=~".+{GATEWAY_END}-{_OF_NAMES}{{1,10}}-?{_OF_NAMES}{{5}}"'
"""The pods of the chart's gateways, whatever release they are of. Of a long name Kubernetes drops the last hyphen."""
MATCHERS: Final = re.compile(
    r'[A-Za-z_]\w*(=~|!~|!=|=)"([^"\\]|\\.)+"(,[A-Za-z_]\w*(=~|!~|!=|=)"([^"\\]|\\.)+")*', re.ASCII
)

Target = tuple[str, str]
"""Job and instance, which Prometheus puts on whatever it scrapes."""


def matchers(text: str) -> str:
    """PromQL's label matchers without braces, as they are. Raises ValueError where they are none."""
    if not MATCHERS.fullmatch(text):
        raise ValueError(f'{text} are no label matchers such as job="pitwall",pod=~"pitwall-gateway-.+"')
    return text


def gateways_query(gateways: str, where: str) -> str:
    """One series of each target `where` that is a gateway by its own labels.

    `up` is Prometheus' word and bears the target's labels alone. A process may show an `up` too, with labels that its
    target lacks; so a target of which any `up` has not the labels of a gateway is none.
    """
    return f"up{{{where},{gateways}}} unless on (job, instance) (up unless up{{{gateways}}})"


def targets_of(series: Iterable[tuple[Mapping[str, str], float]]) -> Mapping[Target, str]:
    """The targets of these series, and the namespace of each."""
    return {target(labels): labels.get("namespace", "") for labels, _ in series}


def down(up: Iterable[tuple[Mapping[str, str], float]]) -> frozenset[str]:
    """The pods, as `namespace/pod`, of which no target could be scraped; one of several ports need not be for that."""
    reached: dict[str, bool] = {}
    for labels, value in up:
        pod = f"{labels.get('namespace', '')}/{labels.get('pod', '')}"
        reached[pod] = reached.get(pod, False) or value > 0
    return frozenset(pod for pod, is_reached in reached.items() if not is_reached and not pod.endswith("/"))


def target(labels: Mapping[str, str]) -> Target:
    """Which target a series is of."""
    return labels.get("job", ""), labels.get("instance", "")
