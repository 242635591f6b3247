"""SDK-HMAC-SHA256: the worked examples of the specification, and what is refused."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.access import signing
from calotype.access.errors import Unauthorized
from calotype.access.signing import EMPTY, UNSIGNED, Message
from tests.support import access_key
from tests.support.access_key import Pair

PAIR = Pair("AKEXAMPLE0000000001", "SKexample00000000000000000000000000000001")
DATE = "20260101T120000Z"
HOST = {b"host": b"127.0.0.1:9292", b"x-sdk-date": DATE.encode()}
PROJECT = {b"x-project-id": b"1bed856811654c1cb661a6ca845ebc77"}
JSON = {b"content-type": b"application/json"}
PATCH = {b"content-type": b"application/openstack-images-v2.1-json-patch", b"x-sdk-content-sha256": UNSIGNED}
IMAGE = b"/v2/images/33ad552d-1149-471c-8190-ff6776174a00"

# Method, path and query as they come over the wire, headers, what stands for the body, the hash of the canonical
# request, the signature.
EXAMPLES: dict[str, tuple[Any, ...]] = {
    "query": (
        "GET",
        b"/v2/cloudimages",
        b"limit=2&__imagetype=gold&name=CentOS%207.3%2064bit",
        {**HOST, **PROJECT, **JSON},
        EMPTY,
        "5a54d5c35801c8886c0ea321dde8b34fef102aeba8d5fa14ba8d260414a8d269",
        "d248b4111064d2ba8c482503db9231e588c0a2357a5080df5eee7c607d09ac5c",
    ),
    "query with plus": (
        "GET",
        b"/v2/cloudimages",
        b"name=CentOS+7.3+64bit&__imagetype=gold&limit=2",
        {**HOST, **PROJECT, **JSON},
        EMPTY,
        "5a54d5c35801c8886c0ea321dde8b34fef102aeba8d5fa14ba8d260414a8d269",
        "d248b4111064d2ba8c482503db9231e588c0a2357a5080df5eee7c607d09ac5c",
    ),
    "body": (
        "POST",
        b"/v2/images",
        b"",
        {**HOST, **PROJECT, **JSON},
        hashlib.sha256(b'{"name":"demo"}').hexdigest().encode(),
        "15c2ed7abdcbf08def0e30751236a0ef3bde2dcc21569f77dc64163f078578f9",
        "d5d9179cb00872c45b0034585469f06ef29657b0d090b5f1dd70f7e5f70367e3",
    ),
    "unsigned body": (
        "PATCH",
        IMAGE,
        b"",
        {**HOST, **PROJECT, **PATCH},
        UNSIGNED,
        "67f1fbaca07ccf790d1fab2d34f16bc050e96eb7dde837ae81ce1bcc811bc0b8",
        "b06a5283ef07ee5c7bfb9965fce648b0f2ec4bb1a0a14db78320637e66aed1af",
    ),
    "encoding": (
        "GET",
        b"/v2/images/a%20b/%E6%96%87",
        b"tag=a%3Db&tag2=%C3%A9~%2A",
        HOST,
        EMPTY,
        None,
        "b95f5d06bdac3109a2689b33060103a847fa6d3566c58247987a1f3e35d52802",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_examples(name: str) -> None:
    method, path, query, fields, payload, digest, expected = EXAMPLES[name]
    message = Message(method, path, query, fields, payload)
    names = tuple(sorted(fields))
    if digest is not None:
        assert hashlib.sha256(signing.canonical(message, names)).hexdigest() == digest
    assert signing.signature(PAIR.secret.encode(), message, names) == expected


def test_the_canonical_request_of_the_first_example() -> None:
    method, path, query, fields, payload, *_ = EXAMPLES["query"]
    assert signing.canonical(Message(method, path, query, fields, payload), tuple(sorted(fields))).decode() == (
        "GET\n/v2/cloudimages/\n__imagetype=gold&limit=2&name=CentOS%207.3%2064bit\ncontent-type:application/json\n"
        "host:127.0.0.1:9292\nx-project-id:1bed856811654c1cb661a6ca845ebc77\nx-sdk-date:20260101T120000Z\n\n"
        "content-type;host;x-project-id;x-sdk-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_the_second_form_of_a_path_is_that_of_the_first() -> None:
    """An encoded slash separates, and the slash at the end does not count (C.2)."""
    forms = (b"/v2/images/a%2Fb", b"/v2/images/a/b", b"/v2/images/a/b/", b"/v2/%69mages/a%2fb")
    found = {signing.canonical(Message("GET", form, b"", HOST, EMPTY), (b"host", b"x-sdk-date")) for form in forms}
    assert len(found) == 1


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17F), min_size=1, max_size=12)
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8).map(lambda name: f"x-other{name}")


@st.composite
def requests(draw: Any) -> tuple[str, str, list[tuple[str, str]], dict[str, str], bytes]:
    """Method, path, query, headers and body."""
    segments = draw(st.lists(words, max_size=4))
    path = "/v2/" + "/".join(segments)
    headers = {"Host": "cloud:9292", **draw(st.dictionaries(names, printable, max_size=3))}
    query = draw(st.lists(st.tuples(words.filter(bool), words), max_size=4))
    return draw(st.sampled_from(("GET", "POST", "PUT", "DELETE"))), path, query, headers, draw(st.binary(max_size=40))


def sent(request: tuple[Any, ...]) -> tuple[Message, tuple[bytes, ...], str]:
    """A request as it comes over the wire, signed by the other hand; the names it signs and the signature."""
    method, path, query, headers, body = request
    lines = access_key.signed(PAIR, method, access_key.quote(path), headers, query, body, DATE)
    fields = {name.lower().encode(): value.encode() for name, value in lines.items()}
    claim = signing.claim(fields)
    wire = "&".join(f"{access_key.quote(name, safe='~')}={access_key.quote(value, safe='~')}" for name, value in query)
    payload = hashlib.sha256(body).hexdigest().encode()
    message = Message(method, access_key.quote(path).encode(), wire.encode(), fields, payload)
    return message, claim.names, claim.signature


@given(requests())
def test_whoever_signs_by_the_specification_is_understood(request: tuple[Any, ...]) -> None:
    message, signed_names, expected = sent(request)
    assert signing.signature(PAIR.secret.encode(), message, signed_names) == expected


@given(requests(), st.data())
def test_whatever_is_changed_changes_the_signature(request: tuple[Any, ...], data: Any) -> None:
    message, signed_names, expected = sent(request)
    what = data.draw(st.sampled_from(("method", "path", "query", "payload", "secret", *signed_names)))
    secret = PAIR.secret.encode()

    def flipped(text: bytes) -> bytes:
        """One bit less or more."""
        place = data.draw(st.integers(0, len(text) - 1))
        bit = 1 << data.draw(st.integers(0, 7))
        return text[:place] + bytes((text[place] ^ bit,)) + text[place + 1 :]

    changed = message
    if what == "secret":
        secret = flipped(secret)
    elif what == "method":
        changed = message._replace(method=data.draw(st.sampled_from(("HEAD", "PATCH", "GETS"))))
    elif what == "path":
        changed = message._replace(path=message.path + b"x")
    elif what == "query":
        changed = message._replace(query=message.query + b"&added=1")
    elif what == "payload":
        changed = message._replace(payload=flipped(message.payload))
    else:
        value = flipped(message.fields[what])
        if value.strip() == message.fields[what].strip():
            return
        changed = message._replace(fields={**message.fields, what: value})
    assert signing.signature(secret, changed, signed_names) != expected


GOOD = {
    "Host": "cloud",
    "X-Sdk-Date": DATE,
    "Authorization": f"SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature={'0' * 64}",
}


def claimed(**headers: str | None) -> signing.Claim:
    whole = {**GOOD, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return signing.claim({name.lower().encode(): value.encode() for name, value in whole.items() if value is not None})


def test_a_claim() -> None:
    assert claimed() == ("AK", (b"host", b"x-sdk-date"), "0" * 64, DATE.encode(), 1767268800)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Sdk_Date": None},
        {"X_Sdk_Date": "2026-01-01T12:00:00Z"},
        {"X_Sdk_Date": "20261301T120000Z"},
        {"X_Sdk_Date": "00000101T120000Z"},
        {"X_Project_Id": "not-signed"},
        {"X_Domain_Id": "not-signed"},
        {"X_Sdk_Content_Sha256": "UNSIGNED-PAYLOAD"},
        {"X_Security_Token": "t"},
        {"Authorization": GOOD["Authorization"].replace("SDK-HMAC-SHA256", "SDK-HMAC-SM3")},
        {"Authorization": GOOD["Authorization"].replace("SDK-HMAC-SHA256", "V11-HMAC-SHA256")},
        {"Authorization": GOOD["Authorization"].replace("host;", "")},
        {"Authorization": GOOD["Authorization"].replace(";x-sdk-date", "")},
        {"Authorization": GOOD["Authorization"].replace("host;", "host;host;")},
        {"Authorization": GOOD["Authorization"].replace("Access=AK, ", "")},
        {"Authorization": GOOD["Authorization"][:-1]},
        {"Authorization": GOOD["Authorization"][:-1] + "A"},
        {"Authorization": "SDK-HMAC-SHA256"},
        {"Authorization": GOOD["Authorization"] + ", Signature=1"},
    ],
    ids=str,
)
def test_claims_that_cannot_be_right(headers: dict[str, str | None]) -> None:
    with pytest.raises(Unauthorized):
        claimed(**headers)


def test_a_signed_header_that_did_not_come() -> None:
    with pytest.raises(Unauthorized):
        signing.signature(b"s", Message("GET", b"/", b"", HOST, EMPTY), (b"host", b"x-sdk-date", b"x-other"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"SDK-HMAC-SHA256 Access=x", True), (b"V11-HMAC-SHA256 x", True), (b"Bearer x", False), (b"Basic x", False)],
)
def test_what_is_meant_as_a_signature(value: bytes, expected: bool) -> None:
    assert signing.meant(value) is expected


octets = st.binary(max_size=60)
claims = st.builds(
    lambda access, names, proof: b"SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%s" % (access, names, proof),
    st.one_of(octets, st.just(b"AK")),
    st.one_of(octets, st.just(b"host;x-sdk-date")),
    st.one_of(octets, st.just(b"0" * 64)),
)


@given(
    st.one_of(octets, claims, st.builds(lambda more: b"SDK-HMAC-SHA256 " + more, octets)),
    st.one_of(octets, st.just(DATE.encode()), st.from_regex(rb"[0-9]{8}T[0-9]{6}Z", fullmatch=True)),
    octets,
    octets,
)
def test_junk_is_refused_and_breaks_nothing(authorization: bytes, date: bytes, path: bytes, query: bytes) -> None:
    fields = {b"host": b"cloud", b"x-sdk-date": date, b"authorization": authorization}
    try:
        claim = signing.claim(fields)
    except Unauthorized:
        return
    assert signing.signature(b"s", Message("GET", path, query, fields, EMPTY), claim.names) != claim.signature
