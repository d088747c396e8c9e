"""Which values of ``.env`` files no record may hold, and how the files are read."""

from __future__ import annotations

import pytest

from finestflow.dotenv import private_values


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("API_TOKEN=correct-horse", {"correct-horse"}),
        ("export API_TOKEN='correct horse'  ", {"correct horse"}),
        ('  API_TOKEN = "correct \\"horse\\"" # mine', {'correct \\"horse\\"', 'correct "horse"'}),
        ("API_TOKEN=abc#def # mine", {"abc#def", "abc#def # mine"}),
        ("DB_PASS=hunter2", {"hunter2"}),
        ("OPENAI_KEY=plain-words", {"plain-words"}),
        ("WHATEVER=aGVsbG8gd29ybGQ0NTY=", {"aGVsbG8gd29ybGQ0NTY="}),
        ("URL=https://ada:let-me-in@host/x", {"let-me-in"}),
        ('PEM="first1line2\nsecond1line2"', {"first1line2\nsecond1line2", "first1line2", "second1line2"}),
        ("# TOKEN=correct-horse", set()),
        ("API_TOKEN=short", set()),
        ("API_TOKEN=", set()),
        ("no assignment", set()),
    ],
)
def test_a_secret_is_found_as_it_stands_and_as_a_program_gets_it(tmp_path, line, found):
    (tmp_path / ".env").write_text(f"A=1\r\n{line}\nB=2\n")
    assert set(private_values(tmp_path)) == found


@pytest.mark.parametrize(
    "value",
    ["gpt-4o-mini", "us-east-1", "all-MiniLM-L6-v2", "development", "2026-11-01", "127.0.0.1:8080", "/data/x1y2z3a4b5"],
)
def test_what_is_no_secret_by_its_name_and_reads_like_a_setting_stays(tmp_path, value):
    (tmp_path / ".env").write_text(f"SETTING={value}\nOTHER='{value}'\n")
    assert private_values(tmp_path) == ()


def test_files_at_the_top_count_by_their_names_and_what_cannot_be_read_holds_nothing(tmp_path):
    """Patterns for others to fill in hold no secrets; a folder may have such a name; a file may be no text."""
    for name in (".env", ".env.local", "prod.env", ".env.example", "env", ".envrc", "sub/.env"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"TOKEN=secret-of{name.replace('/', '-')}")
    (tmp_path / "venv.env").mkdir()
    (tmp_path / "binary.env").write_bytes(b"\xff\xfe\x00TOKEN=\xff")
    (tmp_path / "gone.env").symlink_to("nowhere")

    assert set(private_values(tmp_path)) == {"secret-of.env", "secret-of.env.local", "secret-ofprod.env"}
    assert private_values(tmp_path / "missing") == ()
