"""The texts that no record may hold."""

from __future__ import annotations

import json

import pytest

from finestflow.blanking import Blanking, blank_addresses, blank_source
from finestflow.given import hidden_values

ODD = 'qu"ote\\slash-ü9'


@pytest.mark.parametrize("secret", ["tok-12345", ODD, "two words"])
def test_a_secret_is_found_and_blanked_wherever_it_stands(secret):
    """In names, values, and inside of texts; also in an event that was written as JSON."""
    blanking = Blanking(hidden=(secret,))
    event = {"e": "run", secret: [f"a {secret} b", {"c": (secret,)}], "n": 3}
    assert blanking.is_in(json.dumps(event))
    assert blanking.is_in(json.dumps(event, ensure_ascii=False))
    assert blanking.blank(event) == {"e": "run", "***": ["a *** b", {"c": ["***"]}], "n": 3}
    assert not blanking.is_in(json.dumps({"e": "run"}))


def test_an_ordinary_word_of_the_environment_is_blanked_only_in_what_is_said():
    """Or statuses and params of that name would be gone; a declared secret may be any word."""
    blanking = Blanking(secrets=("swordfish",), hidden=("production", "12345678"))
    assert blanking.blank("production swordfish 12345678") == "production *** 12345678"
    assert blanking.blank("production swordfish 12345678", is_said=True) == "*** *** ***"
    assert blanking.is_in("production", is_said=True)
    assert not blanking.is_in("production")


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it():
    assert Blanking(hidden=("abc-123", "abc-123-456")).blank("abc-123-456 abc-123") == "*** ***"


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("see https://ada:hunter2@host/x.", "see https://ada:***@host/x."),
        ("postgres://:pw@db redis://a:b@c", "postgres://:***@db redis://a:***@c"),
        ("https://ghp_0123456789abcdefghij@host", "https://***@host"),
        ("ssh://git@host https://ada@host", "ssh://git@host https://ada@host"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        ("mail a@b at http://host", "mail a@b at http://host"),
    ],
)
def test_passwords_of_addresses_are_blanked(text, blanked):
    assert blank_addresses(text) == blanked
    assert Blanking().is_in(text)
    assert Blanking().blank({"x": [text]}) == {"x": [blanked]}


def test_a_line_of_megabytes_is_looked_through_once():
    """From each of its letters on, it would take hours."""
    line = "x" * 5_000_000
    assert blank_addresses(f"{line} https://ada:hunter2@host") == f"{line} https://ada:***@host"


@pytest.mark.parametrize(
    ("code", "blanked"),
    [
        ('API_KEY = "sk-123456"', 'API_KEY = "***"'),
        ("os.environ['HF_TOKEN'] = 'hf_123456'", "os.environ['HF_TOKEN'] = '***'"),
        ('client(api_key="sk-123456", name="long text")', 'client(api_key="***", name="long text")'),
        ('{"password": "correct horse"}', '{"password": "***"}'),
        ('def f() -> int:\n    password = "correct horse"', 'def f() -> int:\n    password = "***"'),
        ('password: str = "correct horse"', 'password: str = "***"'),
        ('tokenizer = "bert-base"; token = "short"', 'tokenizer = "bert-base"; token = "short"'),
    ],
)
def test_code_of_a_notebook_loses_the_texts_that_are_given_to_names_of_secrets(code, blanked):
    assert blank_source(code) == blanked


def test_passwords_of_addresses_in_the_environment_are_secrets():
    environ = {"DATABASE_URL": "postgres://dora:s3cr3t-pw@db/x", "EDITOR": "vi", "API_TOKEN": "tok-12345"}
    assert set(hidden_values(environ)) == {"s3cr3t-pw", "tok-12345"}
