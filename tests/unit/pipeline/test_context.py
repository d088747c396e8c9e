"""The context: which reads and writes of a call are seen."""

import pytest

from finestflow.pipeline.context import Context


def test_a_given_value_that_is_read_is_an_observation():
    context = Context({"a": 1, "b": 2})

    assert context["a"] == 1
    assert context.reads == {"a": (1,)}
    assert not context.is_hidden


def test_a_missing_value_is_an_observation_too():
    context = Context({})

    assert context.get("a", 3) == 3
    assert "a" not in context
    assert context.reads == {"a": ()}


def test_a_write_is_an_effect_and_seen_by_the_call_itself():
    context = Context({"a": 1})
    context["a"] = 2

    assert context["a"] == 2
    assert (context.writes, context.reads, context.is_hidden) == ({"a": 2}, {}, False)


def test_what_another_call_wrote_is_a_hidden_input():
    run = Context({})
    run.view()["a"] = 1
    view = run.view()

    assert view["a"] == 1
    assert view.is_hidden


@pytest.mark.parametrize("look", [list, len, bool, dict, lambda context: context.popitem()])
def test_which_names_there_are_is_a_hidden_input(look):
    context = Context({"a": 1})
    try:
        look(context)
    except KeyError:
        pass

    assert context.is_hidden


def test_views_have_reads_and_writes_of_their_own():
    run = Context({"a": 1})
    one, other = run.view(), run.view()
    one["b"] = 1
    assert one["a"] == 1

    assert other.reads == other.writes == run.writes == {}


def test_a_container_that_is_read_is_a_copy():
    given = {"names": ["a"]}
    context = Context(given)
    context["names"].append("b")

    assert given == {"names": ["a"]}
    assert context.reads == {"names": (["a"],)}


def test_a_container_of_another_call_is_a_copy():
    run = Context({})
    run.view()["names"] = ["a"]
    run.view()["names"].append("b")

    assert run.view()["names"] == ["a"]


def test_scopes_separate_names_and_nest():
    context = Context({"left/inner/a": 1})
    with context.scope("left"):
        context["b"] = 2
        with context.scope("inner"):
            assert context["a"] == 1
            assert list(context) == ["a"]
            view = context.view()
        assert "a" not in context

    assert context.writes == {"left/b": 2}
    assert view["a"] == 1


def test_a_scope_ends_also_when_its_body_raises():
    context = Context({})
    with pytest.raises(OSError), context.scope("left"):
        raise OSError
    context["a"] = 1

    assert context.writes == {"a": 1}


def test_a_hit_writes_under_the_full_name_whatever_the_scope():
    context = Context({})
    with context.scope("left"):
        context.replay("left/a", 1)

        assert context["a"] == 1


class TestDeletion:
    def test_of_an_own_write_leaves_nothing_to_replay(self):
        context = Context({})
        context["a"] = None
        del context["a"]

        assert context.writes == {}
        assert not context.is_hidden

    def test_of_what_another_call_wrote_cannot_be_replayed(self):
        run = Context({})
        run.view()["a"] = 1
        view = run.view()
        del view["a"]

        assert view.is_hidden
        assert "a" not in run

    def test_of_a_given_value_is_refused(self):
        with pytest.raises(KeyError):
            del Context({"a": 1})["a"]
