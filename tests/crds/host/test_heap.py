"""What a program consists of is not searched for garbage again."""

import gc

from pitwall_crds.host import heap


def test_what_is_there_at_the_start_is_searched_no_more():
    try:
        heap.settle()
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < 1_000
    finally:
        gc.unfreeze()


def test_a_program_that_imported_without_a_search_has_it_again():
    gc.disable()
    try:
        heap.settle()
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
