"""Tokens: where they come from, which are refused, and that no error tells one."""

import hmac
import json
from base64 import b64encode
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.api.credentials import read_credentials
from worker.api.tokens import Scope, Token, Tokens, load_tokens
from worker.errors import ConfigurationError
from worker.settings import Settings

FIRST, SECOND = "first-secret-of-the-lms", "second-secret-of-the-lms"
READER = {"name": "dashboard", "token": FIRST, "scopes": ["read"], "courses": [3, 4]}
WRITER = {"name": "lms", "token": SECOND, "scopes": ["read", "write"]}


def listed(*tokens: object) -> Settings:
    return Settings(api_tokens=SecretStr(json.dumps(tokens)))


def file_in(directory: Path, name: str, content: object) -> Settings:
    (directory / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return Settings(api_tokens_directory=directory)


def refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_tokens(settings)
    seen, error = "", refused.value
    while error is not None:  # what a traceback would show below the message as well
        seen, error = f"{seen}{error!r}", None if error.__suppress_context__ else error.__context__  # type: ignore[assignment]
    assert FIRST not in seen
    return str(refused.value)


def test_without_settings_there_is_none() -> None:
    assert not load_tokens(Settings())
    assert load_tokens(Settings()).find(FIRST) is None


def test_the_settings_name_several_with_their_scopes_and_courses() -> None:
    tokens = load_tokens(listed(READER, WRITER))
    assert tokens
    reader, writer = tokens.find(FIRST), tokens.find(SECOND)
    assert reader is not None
    assert writer is not None
    assert (reader.name, reader.scopes, reader.courses) == ("dashboard", frozenset({Scope.READ}), frozenset({3, 4}))
    assert (writer.name, writer.scopes, writer.courses) == ("lms", frozenset(Scope), None)


def test_the_environment_carries_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file_in(tmp_path, "lms", {"token": SECOND, "scopes": ["write"]})
    monkeypatch.setenv("PROGRESS_API_TOKENS", json.dumps([READER]))
    monkeypatch.setenv("PROGRESS_API_TOKENS_DIRECTORY", str(tmp_path))
    assert [_name(load_tokens(Settings()), each) for each in (FIRST, SECOND)] == ["dashboard", "lms"]


def test_only_the_whole_token_is_found() -> None:
    tokens = load_tokens(listed(READER))
    for presented in ("", FIRST[:-1], FIRST + "x", FIRST.upper(), f" {FIRST}", "é" * 16):
        assert tokens.find(presented) is None


def test_no_courses_at_all_is_not_every_course() -> None:
    token = load_tokens(listed(READER | {"courses": []})).find(FIRST)
    assert token is not None
    assert token.courses == frozenset()


def test_a_token_may_be_of_one_connection() -> None:
    tokens = load_tokens(listed(READER, WRITER | {"connection": "moodle"}))
    found = [tokens.find(each) for each in (FIRST, SECOND)]
    assert [each and each.connection for each in found] == [None, "moodle"]
    for no_name in ("", "a\0b", "x" * 1_025, 5):
        assert "connection" in refusal(listed(WRITER | {"connection": no_name}))


def test_a_request_presents_a_token_or_a_user_and_a_token() -> None:
    def basic(pair: bytes) -> str:
        return f"Basic {b64encode(pair).decode()}"

    expected = {
        f"Bearer {FIRST}": (FIRST, None),
        f"bearer  {FIRST} ": (FIRST, None),
        basic(b"lms:a:b"): ("a:b", "lms"),
        basic(":größe".encode()): ("größe", ""),
        basic(b"lms").replace("Basic", "BASIC"): None,
        basic(b"\xff:\xff"): None,
        "Basic é": None,
        "Basic": None,
        f"Token {FIRST}": None,
        "": None,
    }
    assert {header: read_credentials(header) for header in expected} == expected


def test_a_file_is_named_by_itself_unless_it_says_otherwise(tmp_path: Path) -> None:
    file_in(tmp_path, "lms", {"token": SECOND, "scopes": ["write"]})
    tokens = load_tokens(file_in(tmp_path, "reader.json", READER))
    assert (_name(tokens, SECOND), _name(tokens, FIRST)) == ("lms", "dashboard")


def test_hidden_files_and_folders_are_bookkeeping(tmp_path: Path) -> None:
    version = tmp_path / "..2025_07_14"  # as Kubernetes mounts a secret
    version.mkdir()
    settings = file_in(version, "lms", WRITER)
    (tmp_path / "..data").symlink_to(version)
    (tmp_path / "lms").symlink_to(Path("..data", "lms"))
    (tmp_path / ".gitignore").write_text("*")
    (tmp_path / "folder").mkdir()
    settings = Settings(api_tokens_directory=tmp_path)
    assert _name(load_tokens(settings), SECOND) == "lms"


def test_a_client_may_have_two_while_it_changes_from_one_to_the_other(tmp_path: Path) -> None:
    both = load_tokens(listed(WRITER, WRITER | {"token": FIRST}))
    assert (_name(both, FIRST), _name(both, SECOND)) == ("lms", "lms")
    file_in(tmp_path, "old", WRITER)
    both = load_tokens(file_in(tmp_path, "new", WRITER | {"token": FIRST}))
    assert (_name(both, FIRST), _name(both, SECOND)) == ("lms", "lms")


def test_two_may_not_be_the_same(tmp_path: Path) -> None:
    twice = refusal(listed(READER, WRITER | {"token": FIRST}))
    assert twice == "The API tokens 'dashboard' and 'lms' are the same. Change one."
    file_in(tmp_path, "second", READER | {"name": "other"})
    settings = listed(READER).model_copy(update={"api_tokens_directory": tmp_path})
    assert "'dashboard' and 'other' are the same" in refusal(settings)


def test_every_token_is_compared_whichever_is_presented(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, compared = load_tokens(listed(READER, WRITER)), 0
    compare = hmac.compare_digest

    def counting(known: bytes, presented: bytes) -> bool:
        nonlocal compared
        compared += 1
        return compare(known, presented)

    monkeypatch.setattr("worker.api.tokens.hmac.compare_digest", counting)
    for number, presented in enumerate((FIRST, SECOND, "neither"), start=1):
        tokens.find(presented)
        assert compared == 2 * number


def test_variables_that_are_empty_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRESS_API_TOKENS", "")
    monkeypatch.setenv("PROGRESS_API_TOKENS_DIRECTORY", "")
    assert not load_tokens(Settings())


WRONG = {
    "too short": ({"token": FIRST[:15]}, "token: Use at least 16 ASCII letters, digits and symbols"),
    "with a space": ({"token": f"{FIRST} x"}, "token: Use at least 16 ASCII letters, digits and symbols"),
    "no ASCII": ({"token": f"{FIRST}é"}, "token: Use at least 16 ASCII letters, digits and symbols"),
    "a line end": ({"token": f"{FIRST}\n"}, "token: Use at least 16 ASCII letters, digits and symbols"),
    "not text": ({"token": [FIRST]}, "token: Input should be a valid string"),
    "no name": ({"name": ""}, "name: String should have at least 1 character"),
    "no scope": ({"scopes": []}, "scopes: Frozenset should have at least 1 item"),
    "unknown scope": ({"scopes": ["read", FIRST]}, "scopes.1: Input should be 'read' or 'write'"),
    "a course as text": ({"courses": ["3"]}, "courses.0: Input should be a valid integer"),
    "a course that is none": ({"courses": [0]}, "courses.0: Input should be greater than or equal to 1"),
    "unknown member": ({"course": FIRST}, "course: Extra inputs are not permitted"),
}


@pytest.mark.parametrize(("wrong", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_and_never_quoted(wrong: dict[str, object], reason: str, tmp_path: Path) -> None:
    assert refusal(listed(WRITER, READER | wrong)).startswith(f"PROGRESS_API_TOKENS: 1.{reason}")
    said = refusal(file_in(tmp_path, "reader", READER | wrong))
    assert said.startswith(f"PROGRESS_API_TOKENS_DIRECTORY: {tmp_path / 'reader'}: {reason}")


@pytest.mark.parametrize("content", [" ", FIRST, f'{{"token": "{FIRST}"', f'["{FIRST}"]', f'"{FIRST}"', "null"])
def test_what_is_not_such_a_list_or_object_is_not_quoted_either(content: str, tmp_path: Path) -> None:
    assert "PROGRESS_API_TOKENS: " in refusal(Settings(api_tokens=SecretStr(content)))
    assert f"{tmp_path / 'lms'}: " in refusal(file_in(tmp_path, "lms", content))


@pytest.mark.parametrize("place", ["nowhere", "empty", "file"])
def test_a_folder_without_a_token_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text(json.dumps(READER))
    assert f"no token in {tmp_path / place}" in refusal(Settings(api_tokens_directory=tmp_path / place))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = file_in(tmp_path, "lms", READER)

    def unreadable(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", unreadable)  # tests may run as root, who reads everything
    assert refusal(settings) == f"PROGRESS_API_TOKENS_DIRECTORY: {tmp_path / 'lms'}: Permission denied."


def test_a_token_is_not_in_what_a_program_shows_of_it() -> None:
    token = Token.model_validate(READER)
    shown = f"{token!r} {token} {listed(READER)!r} {vars(Tokens([token]))} {token.model_dump_json()}"
    assert FIRST not in shown


def _name(tokens: Tokens, presented: str) -> str | None:
    token = tokens.find(presented)
    return token.name if token else None
