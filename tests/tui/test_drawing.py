"""Graphs as text: no node lies over another, lines lead exactly where edges do, the same graph gives the same drawing."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from finestflow_tui.layout.canvas import Canvas
from finestflow_tui.layout.dag import draw_dag
from finestflow_tui.layout.rails import draw_rails

DIGITS = (
    ["load", "split", "scale", "svm", "forest", "logistic", "pick", "report"],
    [
        tuple(edge.split(">"))
        for edge in [
            "load>split",
            "split>scale",
            "scale>svm",
            "scale>forest",
            "scale>logistic",
            "svm>pick",
            "forest>pick",
            "logistic>pick",
            "scale>pick",
            "pick>report",
            "scale>report",
        ]
    ],
)


@st.composite
def graphs(draw):
    """Graphs whose edges go from earlier to later nodes."""
    count = draw(st.integers(1, 14))
    nodes = [f"n{at}" for at in range(count)]
    pairs = [(nodes[a], nodes[b]) for a in range(count) for b in range(a + 1, count)]
    return nodes, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []


def plain(drawing) -> list[str]:
    return ["".join(text for text, _ in pieces).rstrip() for pieces in drawing.rows]


def test_branches_that_merge_are_drawn_as_people_draw_them():
    nodes, edges = DIGITS
    drawing = draw_dag(nodes, edges, {node: f"● {node}" for node in nodes})
    assert drawing.crossings == 0
    lines = plain(drawing)
    assert lines[0].strip() == "● load"
    assert "● svm   ● forest   ● logistic" in "\n".join(lines)
    assert lines[-1].strip() == "● report"
    turned = plain(draw_dag(nodes, edges, {node: f"● {node}" for node in nodes}, turned=True))
    assert any("● load───● split───● scale" in line for line in turned)


def test_nodes_are_drawn_in_boxes_that_lines_join():
    nodes, edges = ["load", "make", "send"], [("load", "make"), ("make", "send")]
    labels = {node: f"● {node}" for node in nodes}
    upright = plain(draw_dag(nodes, edges, labels, boxed=True))
    assert upright[:4] == ["╭────────╮", "│ ● load │", "╰────┬───╯", "     │"]
    lying = plain(draw_dag(nodes, edges, labels, turned=True, boxed=True))
    assert lying[1] == "│ ● load ├───┤ ● make ├───┤ ● send │"


def test_rails_have_one_line_a_node():
    nodes, edges = DIGITS
    rails = draw_rails(nodes, edges, dict.fromkeys(nodes, "●"))
    assert [text for text, _ in rails] == ["●", "●", "●", "├─●", "├─│─●", "├─│─│─●", "├─●─┴─╯", "●─╯"]


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_no_node_lies_over_another(graph):
    nodes, edges = graph
    for turned, boxed in product((False, True), repeat=2):
        drawing = draw_dag(nodes, edges, {node: f"● {node}" for node in nodes}, turned=turned, boxed=boxed)
        taken = set()
        for node, box in drawing.boxes.items():
            wide, high = (2, 1) if boxed else (0, 0)
            cells = set(
                product(
                    range(box.x - wide, box.x + box.width + wide),
                    range(box.y - high, box.y + 1 + high),
                )
            )
            assert not cells & taken, node
            taken |= cells
        assert set(drawing.boxes) == set(nodes)
        text = plain(drawing)
        for node, box in drawing.boxes.items():
            assert text[box.y][box.x : box.x + box.width] == f"● {node}"


@settings(max_examples=15, deadline=None)
@given(graphs())
def test_the_same_graph_gives_the_same_drawing(graph):
    nodes, edges = graph
    labels = {node: f"● {node}" for node in nodes}
    assert plain(draw_dag(nodes, edges, labels)) == plain(draw_dag(nodes, edges, labels))


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_edges_lead_down_and_rails_have_every_node(graph):
    nodes, edges = graph
    drawing = draw_dag(nodes, edges, {node: node for node in nodes})
    for source, target in edges:
        assert drawing.boxes[source].y < drawing.boxes[target].y
    rails = draw_rails(nodes, edges, dict.fromkeys(nodes, "●"))
    assert len(rails) == len(nodes)
    for text, column in rails:
        assert len(text) <= column or text[column] == "●" or column >= 48


def test_lines_of_one_net_join_and_those_of_two_cross():
    canvas = Canvas()
    canvas.line((0, 1), (4, 1), "a")
    canvas.line((2, 0), (2, 2), "b")
    assert ["".join(text for text, _ in pieces) for pieces in canvas.rows()] == ["  ╷  ", "╶─│─╴", "  ╵  "]
    canvas = Canvas()
    canvas.line((0, 1), (4, 1), "a")
    canvas.line((2, 0), (2, 2), "a")
    assert ["".join(text for text, _ in pieces) for pieces in canvas.rows()][1] == "╶─┼─╴"


def test_a_cycle_is_drawn_without_the_edge_that_closes_it():
    assert set(draw_dag(["a", "b"], [("a", "b"), ("b", "a")], {"a": "a", "b": "b"}).boxes) == {"a", "b"}
