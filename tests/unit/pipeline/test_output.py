"""Outputs: they are the value wherever one looks, refuse to be written, and go by reference everywhere else."""

import collections
import copy
import dataclasses
import io
import math
import operator
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finestflow.errors import UsageError
from finestflow.pipeline.output import Output, handle_of, holds_output, part_of, part_text, resolve, take_part

from .handles import output_of

Point = collections.namedtuple("Point", "x y")  # noqa: PYI024


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: object
    b: object = dataclasses.field(default=0, init=False)


@dataclasses.dataclass(slots=True)
class Slotted:
    a: object
    only_at_start: dataclasses.InitVar[int] = 0


@dataclasses.dataclass
class Late:
    a: object
    b: object = dataclasses.field(init=False)


class TestParts:
    def test_items_and_attributes_are_outputs_and_load_nothing(self):
        output = output_of({"points": [Point(1, 2)]})
        part = output["points"][0].y

        assert type(part) is Output
        assert handle_of(output).looks == 0
        assert part.value == 2
        assert part_of(part) == (("item", "points"), ("item", 0), ("attribute", "y"))
        assert part_text(part_of(part)) == "['points'][0].y"
        assert take_part({"points": [Point(1, 2)]}, part_of(part)) == 2

    def test_an_output_may_be_the_key(self):
        values = output_of([1, 2, 3, 4])

        assert values[output_of(1)] == 2
        assert values[output_of(1) : output_of(3)] == [2, 3]

    def test_unpacking_of_known_parts_loads_nothing(self):
        output = output_of(("a", "b"))
        one, other = output

        assert type(one) is Output
        assert len(output) == 2
        assert handle_of(output).looks == 0
        assert (one.value, other.value) == ("a", "b")

    def test_unpacking_of_unknown_parts_is_a_look(self):
        one, *rest = output_of((1, 2, 3), knows_children=False)

        assert (one, rest) == (1, [2, 3])

    def test_iteration_of_a_dict_gives_its_keys(self):
        output = output_of({"a": 1})

        assert list(output) == ["a"]
        assert {**output}["a"] == 1
        assert [(key, value) for key, value in output.items()] == [("a", 1)]

    def test_private_names_are_no_parts(self):
        output = output_of(Point(1, 2))

        assert not hasattr(output, "_asdict")
        assert not hasattr(output, "__len_hint__")
        with pytest.raises(AttributeError, match=r"y\.value\._asdict"):
            output._asdict()

    def test_repr_never_waits(self):
        output = output_of([1])

        assert repr(output[0]) == "<Output fit[0]: ok>"
        assert f"{output!r}" == "<Output fit: ok>"
        assert handle_of(output).looks == 0


class TestLooks:
    def test_the_class_is_never_faked(self):
        assert not isinstance(output_of(1), int)
        assert output_of(1).__class__ is Output

    @pytest.mark.parametrize(
        ("look", "value"),
        [
            (int, 3.5),
            (float, 3),
            (complex, 3),
            (bytes, [1, 2]),
            (str, 1.5),
            (bool, []),
            (hash, "a"),
            (len, {"a": 1}),
            (operator.index, 3),
            (round, 2.5),
            (lambda y: round(y, 1), 2.55),
            (math.trunc, 2.5),
            (math.floor, 2.5),
            (math.ceil, 2.5),
            (math.floor, np.float32(2.5)),
            (lambda y: pow(y, 3, 5), 7),
            (lambda y: 2**y, 5),
            (lambda y: divmod(7, y), 2),
            (lambda y: f"{y:.2f}|{y}", 1.234),
            (lambda y: "%s %d" % (y, y), 3),  # noqa: UP031
            (lambda y: list(reversed(y)), [1, 2]),
            (lambda y: sum(y), [1, 2]),
            (lambda y: sorted(y), [2, 1]),
            (lambda y: [10, 20, 30][y], 1),
            (lambda y: {1: "a"}[y], 1),
            (lambda y: list(range(y)), 3),
            (lambda y: y in [1, 2], 2),
            (lambda y: 1 in y, [1, 2]),
            (lambda y: "a" in y, {"a": 1}),
            (lambda y: y == None, None),  # noqa: E711
            (lambda y: not y, 0),
            (lambda y: y.upper(), "a"),
            (lambda y: y(2), lambda x: x * 2),
            (lambda y: y + [1], [0]),  # noqa: RUF005
            (lambda y: ",".join(y), "abc"),
            (os.fspath, Path("a")),
            (lambda y: Path(y) / "b", "a"),
            (lambda y: os.path.join(y, "b"), "a"),
            (set, (1, 2)),
        ],
    )
    def test_gives_what_the_value_gives(self, look, value):
        wanted = look(value)
        found = look(output_of(value))

        assert found == wanted
        assert type(found) is type(wanted)

    def test_both_sides_may_be_outputs(self):
        assert output_of(2) + output_of(3) == 5
        assert output_of([1]) == output_of([1])
        assert output_of(2) in output_of([1, 2])

    def test_arguments_of_a_method_may_be_outputs(self):
        assert output_of("a-b").split(output_of("-")) == ["a", "b"]

    def test_with_enters_the_value(self):
        stream = io.StringIO()
        with output_of(stream) as entered:
            assert entered is stream

        assert stream.closed

    def test_an_augmented_assignment_rebinds_the_name(self):
        output = total = output_of(2)
        total += 1

        assert (total, output.value) == (3, 2)

    def test_match_on_literals_looks(self):
        match output_of("a"):
            case "a":
                found = True
            case _:
                found = False

        assert found

    def test_an_error_of_the_task_is_raised(self):
        class Failed:
            path = "fit"

            def value(self, part):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            bool(Output(Failed()))


class TestNumpy:
    array = np.arange(3.0)

    @pytest.mark.parametrize(
        "use",
        [
            lambda y: np.add(y, 1),
            lambda y: np.add(1, y),
            lambda y: y + np.ones(3),
            lambda y: np.ones(3) + y,
            lambda y: np.float64(2) * y,
            lambda y: np.ones(3) < y,
            lambda y: np.ones(3) @ y,
            lambda y: np.mean(y),
            lambda y: np.concatenate([y, y]),
            lambda y: np.asarray(y),
            lambda y: np.array(y, dtype="float32"),
            lambda y: np.add.reduce(y),
            lambda y: np.stack((y, np.ones(3))),
            lambda y: np.where(y > 1, y, 0),
            lambda y: y[1:].sum(),
            lambda y: y.reshape(3, 1).shape,
            lambda y: np.linalg.norm(y),
        ],
    )
    def test_gives_what_the_array_gives(self, use):
        wanted, found = use(self.array), use(output_of(self.array))

        assert type(found) is type(wanted)
        assert np.array_equal(found, wanted)

    def test_writes_into_plain_arrays_only(self):
        target = np.zeros(3)
        np.add(output_of(self.array), 1, out=target)
        target[:] += output_of(self.array)

        assert target.tolist() == [1, 3, 5]
        with pytest.raises(UsageError, match="cannot be changed"):
            np.add(1, 1, out=output_of(target))

    def test_a_frame_stays_a_frame(self):
        frame = pd.DataFrame({"a": [1.0, 4.0]})

        assert np.sqrt(output_of(frame)).equals(np.sqrt(frame))
        assert (output_of(frame) * 2).equals(frame * 2)
        assert output_of(frame)["a"].mean() == 2.5


class TestWriting:
    @pytest.mark.parametrize(
        ("value", "write"),
        [
            ([1], lambda y: operator.setitem(y, 0, 2)),
            ([1], lambda y: operator.delitem(y, 0)),
            (Point(1, 2), lambda y: setattr(y, "x", 2)),
            (Point(1, 2), lambda y: delattr(y, "x")),
            ([1], lambda y: y.append(2)),
            ([[1]], lambda y: y[0].sort()),
            ({}, lambda y: y.update(a=1)),
            ({}, lambda y: y.setdefault("a", 1)),
            (set(), lambda y: y.add(1)),
            (bytearray(b"a"), lambda y: y.extend(b"b")),
            (collections.deque(), lambda y: y.appendleft(1)),
            (np.zeros(2), lambda y: y.fill(1)),
        ],
    )
    def test_is_refused_with_the_reason(self, value, write):
        before = copy.deepcopy(value)
        with pytest.raises(UsageError, match=r"the output of 'fit' cannot be changed.*change a copy"):
            write(output_of(value))

        assert np.array_equal(value, before)

    def test_methods_that_only_read_are_not(self):
        assert output_of({"a": 1}).get("a") == 1
        assert output_of([2, 1]).index(1) == 1
        assert output_of("a").replace("a", "b") == "b"

    @pytest.mark.parametrize("use", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_it_neither_travels_nor_is_copied(self, use):
        with pytest.raises(TypeError, match=r"use y\.value"):
            use(output_of(1))


class TestResolve:
    @pytest.mark.parametrize(
        ("make", "wanted"),
        [
            (lambda y: y, 1),
            (lambda y: [y, [y]], [1, [1]]),
            (lambda y: (y, 2), (1, 2)),
            (lambda y: Point(y, 2), Point(1, 2)),
            (lambda y: {"a": y}, {"a": 1}),
            (lambda y: collections.OrderedDict(a=y), collections.OrderedDict(a=1)),
            (lambda y: Slotted(y), Slotted(1)),
            (lambda y: Frozen([y]), Frozen([1])),
            (lambda y: Late(y), None),
            (lambda y: [Frozen({"a": (y,)})], [Frozen({"a": (1,)})]),
        ],
    )
    def test_finds_outputs_in_containers_and_keeps_their_class(self, make, wanted):
        given = make(output_of(1))
        found = resolve(given)

        assert holds_output(given)
        assert not holds_output(found)
        assert (found.a if wanted is None else found) == (1 if wanted is None else wanted)
        assert type(found) is int or type(found) is type(given)
        assert holds_output(given)

    def test_keeps_a_field_that_only_init_false_knows(self):
        late = Late(output_of(1))
        late.b = output_of(2)

        assert (resolve(late).a, resolve(late).b) == (1, 2)

    def test_a_default_dict_keeps_its_factory(self):
        found = resolve(collections.defaultdict(list, a=output_of(1)))

        assert found["new"] == []

    def test_copies_nothing_that_holds_no_output(self):
        given = [{"a": [1]}]

        assert resolve(given) is given

    def test_loads_as_told(self):
        assert resolve([output_of(1)], lambda output: "loaded") == ["loaded"]

    @pytest.mark.parametrize(
        "given", [3, "a", None, [1], {"a": {"b": 1}}, Frozen, object(), np.zeros(3), range(3), Point]
    )
    def test_other_values_hold_none(self, given):
        assert not holds_output(given)
        assert resolve(given) is given

    def test_a_list_that_holds_itself_is_no_trap(self):
        ring = [1]
        ring.append(ring)

        assert not holds_output(ring)

    @pytest.mark.parametrize("make", [lambda y: {y}, lambda y: [frozenset([y])], lambda y: {y: 1}])
    def test_in_a_set_or_as_a_key_it_is_refused(self, make):
        with pytest.raises(UsageError, match=r"put its value there: y\.value"):
            resolve(make(output_of(1)))
