"""The table of what the runtime has built in, which others read without the runtime."""

from pitwall_crds.variant import builtin
from pitwall_runtime.plugins.describe import describe
from pitwall_runtime.samplers.catalogue import BUILT_IN, find
from pitwall_runtime.stages.reduce import REDUCERS


def test_the_table_is_the_catalogue_as_it_describes_itself():
    assert [describe(find(name)) for name in BUILT_IN] == list(builtin.CATALOGUE)


def test_the_other_names_are_those_of_the_runtime():
    assert set(REDUCERS) == builtin.REDUCERS
    assert builtin.DEFAULT_SAMPLER in BUILT_IN
