"""One request: who is given the token, which redirects are followed, what a refusal becomes, and what a file is called."""

from email.message import Message

import pytest

from core.base.http import WebError, content_range, file_name, opened, safe_name, shown_address, validator_of
from tests.core.dataset.sources.web import Page, Web


@pytest.fixture
def two():
    with Web() as near, Web() as far:
        yield near, far


def headers(**values):
    message = Message()
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


def test_the_token_goes_along_on_its_host_and_is_not_given_back_on_the_way_home(two):
    near, far = two
    near.pages["/a"] = Page(status=302, headers={"Location": "/b"})
    near.pages["/b"] = Page(status=302, headers={"Location": f"{far.address}/c"})
    far.pages["/c"] = Page(status=302, headers={"Location": f"{near.address}/d"})
    near.pages["/d"] = Page(b"whole")
    with opened(f"{near.address}/a", token="secret") as answer:
        assert answer.read() == b"whole"
    given = [(path, said.get("authorization")) for path, said in near.asked]
    assert given == [("/a", "Bearer secret"), ("/b", "Bearer secret"), ("/d", None)]
    assert "authorization" not in far.asked[0][1]


def test_a_redirect_away_is_the_answer_where_it_is_not_to_be_followed(two):
    near, far = two
    near.pages["/a"] = Page(status=307, headers={"Location": "/b"})
    near.pages["/b"] = Page(status=302, headers={"Location": f"{far.address}/c", "X-Linked-Size": "5"})
    with opened(f"{near.address}/a", method="HEAD", away=False) as answer:
        assert answer.headers["X-Linked-Size"] == "5" and answer.status == 302
    assert far.asked == []


def test_a_refusal_tells_its_code_its_headers_and_its_reason(two):
    near, _ = two
    near.pages["/a"] = Page(b'{"message": "no"}', 403, {"X-Error-Code": "GatedRepo"})
    with pytest.raises(WebError, match="may not be read") as told, opened(f"{near.address}/a?token=abc"):
        pass
    assert (told.value.code, told.value.headers["X-Error-Code"], told.value.body) == (403, "GatedRepo", b'{"message": "no"}')
    assert "abc" not in str(told.value)
    near.pages["/busy"] = Page(status=503)
    with pytest.raises(ConnectionError, match="503"), opened(f"{near.address}/busy"):
        pass
    with pytest.raises(WebError, match="leads to ftp://"), opened(_leads(near, "ftp://127.0.0.1/x")):
        pass


def _leads(web, place):
    web.pages["/out"] = Page(status=302, headers={"Location": place})
    return f"{web.address}/out"


@pytest.mark.parametrize(("said", "name"), [
    ("a/b\\model.safetensors", "model.safetensors"), ("../../x.ckpt", "x.ckpt"), ("con.bin", "_con.bin"), ("290640", "290640"),
    ("名前.safetensors", "名前.safetensors"), ("...", "download")])
def test_a_name_is_made_safe_and_keeps_its_ending(said, name):
    assert safe_name(said) == name


def test_what_headers_say(two):
    assert file_name(headers(Content_Disposition='attachment; filename="a b.safetensors"'), "https://x/290640") == "a b.safetensors"
    assert file_name(headers(), "https://x/y%20z.safetensors?a=b") == "y z.safetensors"
    assert content_range(headers(Content_Range="bytes 5-9/10")) == (5, 10) and content_range(headers()) is None
    assert validator_of(headers(ETag='W/"1"', Last_Modified="Mon")) == "Mon" and validator_of(headers(ETag='"1"')) == '"1"'
    assert shown_address("https://me:you@x.org/a?sig=1&b=2") == "https://x.org/a?sig=***&b=2"
