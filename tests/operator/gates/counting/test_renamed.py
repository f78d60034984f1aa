"""A process whose target is renamed in mid-run is the same process."""

import pytest

from pitwall_operator.gates.counting.renamed import under_known_names

OLD = "shop/gateway-a/10.0.0.7:9464@1800000000"
NEW = "shop/gateway-a/node-3@1800000000"
ANOTHER = "shop/gateway-b/node-3@1800000000"
LATER = "shop/gateway-a/node-3@1800000060"


@pytest.mark.parametrize(
    ("shown", "known", "named"),
    [
        pytest.param([NEW], [OLD], [OLD], id="another address of the same pod"),
        pytest.param([OLD, NEW], [OLD], [OLD, NEW], id="beside the old one it is another process in the same pod"),
        pytest.param([NEW, OLD], [OLD], [NEW, OLD], id="in whatever order"),
        pytest.param([ANOTHER], [OLD], [ANOTHER], id="another pod"),
        pytest.param([LATER], [OLD], [LATER], id="another start"),
        pytest.param(["shop/10.0.0.8:9464@1"], ["shop/10.0.0.7:9464@1"], ["shop/10.0.0.8:9464@1"], id="no pod is told"),
        pytest.param(["shop/http://b/m@1"], ["shop/http://a/m@1"], ["shop/http://b/m@1"], id="an address is no pod"),
        pytest.param(["a/b/d@0"], ["a/b/c@0"], ["a/b/d@0"], id="no start is told"),
        pytest.param(["gateway"], [], ["gateway"], id="one that has no such name"),
    ],
)
def test_who_is_who(shown, known, named):
    assert list(under_known_names(dict.fromkeys(shown, 1), known)) == named
