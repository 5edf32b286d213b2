"""A JSON list is taken apart into the very bytes of its elements, whatever is in them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.api import json_elements as module
from worker.api.json_elements import elements

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(values, min_size=1, max_size=5), st.sampled_from(["", " ", "\r\n\t"]), st.booleans())
def test_the_elements_come_as_they_were_written(parts: list[object], space: str, is_ascii: bool) -> None:
    written = [json.dumps(each, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass") for each in parts]
    gap = space.encode()
    body = gap + b"[" + gap + (gap + b"," + gap).join(written) + gap + b"]" + gap
    assert elements(body) == written
    assert module._split(body.strip()) == written


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"[]", []),
        (b"\xef\xbb\xbf[{}]", [b"{}"]),
        (b'[{"a":NaN},{"b":1}]', [b'{"a":NaN}', b'{"b":1}']),
        (b'[{} x, {"\xff,]":1}]', [b"{} x", b'{"\xff,]":1}']),
        (b"[{}, ]", [b"{}", b""]),
    ],
)
def test_what_is_no_json_is_split_too(body: bytes, found: list[bytes]) -> None:
    assert elements(body) == found


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"{}", b'"[]"', b"[{}] 1", b"[}", b"[{]", b"[{}]]", b"7", b"null", b"\xff", b"[" * 9_999],
)
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a list"):
        elements(body)
