"""The notation of chains as text."""

import pytest

from finestflow.errors import GraphError
from finestflow.pipeline.flow import flow_text, links_of, names_of, parse_flow


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a", "a"),
        ("a>>b >>  c", "a >> b >> c"),
        ("a >> (b >> c)", "a >> b >> c"),
        ("[a, [b, c], ] >> d", "[a, b, c] >> d"),
        ("a >> [b >> c, d] >> e", "a >> [b >> c, d] >> e"),
        ("a >> b; a >> c\n", "[a >> b, a >> c]"),
        ("a\n  >> [\n b,\n c\n]\n>> d\n\n", "a >> [b, c] >> d"),
        ("load-1 >> fit_2", "load-1 >> fit_2"),
    ],
)
def test_a_flow_is_written_in_one_way_and_read_in_many(text, same):
    assert flow_text(parse_flow(text)) == same
    assert parse_flow(same) == parse_flow(text)


def test_links_go_from_the_ends_of_one_part_to_the_heads_of_the_next():
    links = links_of(parse_flow("a >> [b >> c, d] >> [e, f]"))

    sources = {name: [link.source for link in found] for name, found in links.items()}
    assert sources == {"a": [], "b": ["a"], "c": ["b"], "d": ["a"], "e": ["c", "d"], "f": ["c", "d"]}
    assert all(link.is_listed for link in links["e"])
    assert not links["b"][0].is_listed


def test_a_name_that_comes_twice_is_one_task():
    flow = parse_flow("a >> [b, c] >> d; a >> d")

    assert names_of(flow) == ("a", "b", "c", "d")
    assert [link.source for link in links_of(flow)["d"]] == ["b", "c", "a"]


@pytest.mark.parametrize(
    "text", ["", "a >>", ">> a", "a b", "[a", "a]", "a >> [b, c", "a >> (b", "a, b", "[]", "a > b", "a >> 'b'"]
)
def test_what_is_no_flow_is_refused_with_an_example(text):
    with pytest.raises(GraphError) as caught:
        parse_flow(text)
    assert ">>" in caught.value.hint
