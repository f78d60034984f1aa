"""The table of what the runtime has built in, which others read without the runtime."""

import pytest

from pitwall_crds import builtin
from pitwall_runtime.reduce import REDUCERS
from pitwall_runtime.samplers.catalogue import SAMPLERS


def test_the_table_has_the_catalogues_names():
    assert set(SAMPLERS) == set(builtin.SAMPLERS)
    assert set(REDUCERS) == builtin.REDUCERS
    assert builtin.DEFAULT_SAMPLER in SAMPLERS


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_the_table_has_the_samplers_parameters(name):
    fields = SAMPLERS[name].parameters.model_fields.items()

    assert {info.alias or field for field, info in fields} == builtin.SAMPLERS[name]
