"""What callers are told of a refusal: what is about their own request, and nothing of who answers it, or where."""

import time

import pytest

from pitwall_gateway.values.answer import NO_QUEUE, TRANSIENT, UNKNOWN_HOST, VariantRefusal
from pitwall_gateway.values.telling import REFUSALS, in_own_words, told
from pitwall_runtime import errors

ASKED = b'{"messages": [{"content": [{"video_url": {"url": "https://films.example:8443/a.mp4?sig=1"}}, "file:///films/a.mp4"]}]}'
NAMES = ("uniform-v1", "aks-v1")
OWN = [
    pytest.param("not_a_video", 415, "the file is a web page: give the address of the video file itself", id="a page"),
    pytest.param("media_missing", 404, "'https://films.example:8443/a.mp4?…' answered 404: check it", id="its address"),
    pytest.param("media_refused", 400, "the address names no host; write https://host/path", id="how to write it"),
    pytest.param("bad_question", 400, "no address; use http://, https:// or file:///", id="which schemes there are"),
    pytest.param("bad_question", 400, "nothing of the video between 0:10 and 1:02:03 is left", id="clocks"),
    pytest.param("media_too_large", 413, "the video has 4294967296 bytes; the limit is 1.5e9", id="numbers"),
    pytest.param("media_missing", 404, "'file:///films/a.mp4': /films/a.mp4 may not be read", id="a path"),
    pytest.param("bad_question", 400, "0/0 pictures a second, and/or no video/mp4 at 1/2", id="strokes"),
    pytest.param("media_origin", 424, "the download took longer than the limit of 600 s", id="times"),
]
OTHERS = [
    pytest.param("sampler aks-v1 says: no", id="a variant"),
    pytest.param("pod runtime-AKS-v1-6d8f-x2 refuses", id="a pod"),
    pytest.param("cannot read http://engine/v1", id="an address"),
    pytest.param("cannot connect to 10.0.7.12", id="a number"),
    pytest.param("cannot connect to [fd00::12]", id="a number of the new kind"),
    pytest.param("cannot connect to redis:6379", id="a port"),
    pytest.param("cannot connect to engine.shop.svc", id="a name of the cluster"),
    pytest.param("Invalid data found when processing input: '/cache/videos/4f3a'", id="a file of the pod"),
    pytest.param("no room in /cache", id="a folder of the pod"),
]


@pytest.mark.parametrize(("code", "status", "words"), OWN)
def test_words_about_the_callers_own_request_are_told_on(code, status, words):
    refusal = VariantRefusal(status, words, code)

    assert told(refusal, ASKED, NAMES) == refusal


@pytest.mark.parametrize("words", OTHERS)
def test_words_about_anything_else_give_way_to_those_of_the_code(words):
    plain = told(VariantRefusal(415, words, "not_a_video", "film-1"), ASKED, NAMES)

    assert plain == VariantRefusal(415, REFUSALS["not_a_video"].words, "not_a_video", "film-1")


@pytest.mark.parametrize(("code", "status"), [("y", 415), ("not_a_video", 404), ("refused", 400), ("", 418)])
def test_of_a_code_that_is_none_of_ours_only_the_status_is_told(code, status):
    for plain in (
        told(VariantRefusal(status, "anything", code), ASKED),
        in_own_words(VariantRefusal(status, "x", code)),
    ):
        assert (plain.status, plain.code) == (status, "refused")
        assert plain.message == f"the question was refused ({status})"


def test_in_our_own_words_nothing_is_of_the_runtimes():
    plain = in_own_words(VariantRefusal(404, "no such film here, says the new sampler", "media_missing"))

    assert (plain.message, plain.code) == (REFUSALS["media_missing"].words, "media_missing")


def every_refusal():
    found, todo = set(), [errors.RefusedError]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        found.add((kind.code, int(kind.status)))
    return found


OF_NO_QUESTION = {"invalid_request", "bad_variant", "outgrown"}
"""The base of all, a variant that does not load, and a decoding that is begun again."""


def test_each_refusal_of_our_runtimes_has_its_words():
    told_on = {
        (code, status)
        for code, status in every_refusal()
        if (status < 500 and status not in TRANSIENT and code not in OF_NO_QUESTION) or code in NO_QUEUE
    }

    assert told_on == {(code, own.status) for code, own in REFUSALS.items()}
    assert errors.HostUnknownError.code_for_gateways == UNKNOWN_HOST


@pytest.mark.parametrize("words", ["host 'films.example' has no public address here", "cannot read http://engine/v1"])
def test_a_host_that_nobody_knows_is_told_like_one_that_may_not_be_asked(words):
    """Else every caller could try which names there are inside."""
    unknown, refused = (VariantRefusal(400, words, code, "") for code in (UNKNOWN_HOST, "media_refused"))

    assert told(unknown, ASKED, NAMES) == told(refused, ASKED, NAMES)
    assert in_own_words(unknown) == in_own_words(refused)


def test_words_of_any_length_are_read_at_once():
    for odd in ("a:" * 500, "1." * 500, "[" * 1000, "a.b" * 333, "x://" * 250):
        began = time.thread_time()
        message = told(VariantRefusal(415, odd, "not_a_video"), ASKED, NAMES).message
        assert message in (odd, REFUSALS["not_a_video"].words)
        assert time.thread_time() - began < 2, "seconds of computing: more than linear in the words"
