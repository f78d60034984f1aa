"""To prepare a film is nobody's fault for ten minutes; whoever has not prepared it by then does not get it done."""

from pitwall_gateway.serve.answering import sparing
from pitwall_gateway.serve.answering.sparing import MOST_SECONDS, REMEMBERED, Sparing


def test_a_film_is_new_to_a_variant_for_ten_minutes_from_its_first_failure():
    now = [100.0]
    films = Sparing(lambda: now[0])
    seen = []
    for _ in range(3):
        seen.append(films.is_new("aks-v2", "film-1"))
        now[0] += MOST_SECONDS / 2

    assert seen == [True, True, False]
    assert films.is_new("aks-v2", "film-2")
    assert films.is_new("dpp-v1", "film-1")


def test_so_many_films_are_remembered():
    films = Sparing()
    for number in range(REMEMBERED + 1):
        films.is_new("aks-v2", f"film-{number}")

    assert len(films._since) == sparing.REMEMBERED
