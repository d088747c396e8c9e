"""Graphs as text, as pictures and in the notations of others."""

import random
from xml.etree import ElementTree as ET

import pytest

from finestflow.drawing.notation import draw_dot, draw_mermaid
from finestflow.drawing.svg import draw_svg
from finestflow.drawing.text import draw_rows, marks
from finestflow.graph import Edge, Graph, GraphNode, fold, fold_items, graph_of_nodes
from finestflow.model import InputRecord, NodeRecord, NodeStatus


def graph_of(text, **kinds):
    """Return a graph from ``a>b b>c``; a dotted edge is ``a~b``."""
    nodes, edges = {}, []
    for word in text.split():
        kind = "control" if "~" in word else "data"
        ends = word.replace("~", ">").split(">")
        nodes.update(dict.fromkeys(ends))
        if len(ends) == 2:
            edges.append(Edge(*ends, name="" if kind == "control" else "x", kind=kind))
    made = [GraphNode(path=path, **kinds.get(path, {})) for path in nodes]
    return Graph(nodes=tuple(made), edges=tuple(edges))


def lines(graph):
    return [f"{row.lanes} {row.label}{marks(row.node)}" for row in draw_rows(graph)]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("a>b b>c", ["● a", "● b", "● c"]),
        ("a b", ["● a", "  ● b"]),
        ("a>b a>c b>d c>d", ["● a", "├─● b", "╰─● c", "  ● d"]),
        ("a>b a>c b>d c>d a>d", ["● a", "├─● b", "├─● c", "●─╯ d"]),
        ("a>b a>c b>d c>e", ["● a", "├─● b", "● │ c", "│ ● d", "● e"]),
        ("a b a>c b>c", ["● a", "│ ● b", "●─╯ c"]),
        ("a~b", ["● a", "● b"]),
        ("a>b a~c b>c", ["● a", "├─● b", "╰┄● c"]),
    ],
)
def test_lanes_join_nodes_to_what_takes_from_them(text, drawn):
    assert lines(graph_of(text)) == drawn


def test_looks_are_dotted():
    assert lines(graph_of("a>b b>c a~c")) == ["● a", "├─● b", "╰┄● c"]
    assert lines(graph_of("a>b b>c c>d a~d")) == ["● a", "├─● b", "┊ ● c", "╰┄● d"]


def test_branches_that_go_the_same_way_share_a_lane():
    names = [f"fit{number}" for number in range(50)]
    graph = graph_of(" ".join(f"load>{name} {name}>pick" for name in names))
    ordered = Graph(
        nodes=(graph.nodes[0], *(n for n in graph.nodes if n.path.startswith("fit")), graph.nodes[2]), edges=graph.edges
    )

    assert max(len(row.lanes) for row in draw_rows(ordered)) == 3
    assert lines(ordered)[-2:] == ["╰─● fit49", "  ● pick"]


def random_graph(seed, size):
    choose = random.Random(seed)
    nodes = tuple(GraphNode(path=f"t{number}") for number in range(size))
    edges = {
        Edge(f"t{source}", f"t{target}", "x", kind=choose.choice(["data", "data", "control"]))
        for target in range(1, size)
        for source in choose.choices(range(max(0, target - 8), target), k=choose.randint(0, 3))
    }
    return Graph(nodes=nodes, edges=tuple(sorted(edges)))


@pytest.mark.parametrize("seed", range(25))
def test_every_edge_is_in_a_lane_from_its_source_to_its_target(seed):
    graph = random_graph(seed, 30)
    rows = list(draw_rows(graph))
    into = {node.path: {edge.source for edge in graph.edges if edge.target == node.path} for node in graph.nodes}
    out = {edge.source for edge in graph.edges}

    assert [row.node.path for row in rows] == [node.path for node in graph.nodes]
    for row, above in zip(rows, rows[:1] + rows, strict=False):
        at = max(row.lanes.find("●"), row.lanes.find("○"))
        assert at % 2 == 0
        for column, sign in enumerate(row.lanes):
            if sign in "├┤┼╰╯┴│┊" and row is not rows[0]:
                assert above.lanes[column : column + 1] in set("├┤┼│┊●○"), (above.lanes, row.lanes)
        joints = sum(sign in "├┤┼╰╯┴" for sign in row.lanes)
        assert joints <= len(into[row.node.path])
        if into[row.node.path] and not joints:
            assert above.lanes[at : at + 1] in set("├┤┼│┊●○"), (above.lanes, row.lanes)
    assert sum(bool(row.inputs) for row in rows) == sum(bool(sources) for sources in into.values())
    assert out <= {row.node.path for row in rows}


def test_inputs_are_told_in_short():
    edges = (
        Edge("load", "pick", "models[0]"),
        Edge("fit", "pick", "models[1]", "[0]"),
        Edge("fit", "pick", "table['a']"),
        Edge("fit", "pick", "prompt", kind="text"),
        Edge("fit", "pick", "one"),
        Edge("load", "pick", "one"),
        Edge("load", "pick", kind="control"),
    )
    nodes = tuple(GraphNode(path=path) for path in ("load", "fit", "pick"))
    *_, last = draw_rows(Graph(nodes=nodes, edges=edges))

    assert last.inputs == "models=[load, fit[0]], table={fit}, prompt=~fit, one=fit | load, after load"


PIPELINE = {"inner": {"kind": "pipeline"}, "inner/deep": {"kind": "pipeline"}}


def test_what_is_in_a_pipeline_stands_under_it():
    graph = graph_of(
        "load inner inner/fit inner/deep inner/deep/a load>inner/fit inner/fit>inner/deep/a inner/deep/a>end",
        **PIPELINE,
    )

    assert lines(graph) == ["● load", "│ ▾ inner", "●   fit", "│   ▾ deep", "●     a", "● end"]
    assert lines(fold(graph, 1)) == ["● load", "│ ▾ inner", "●   fit", "●   deep", "● end"]
    assert lines(fold(graph, 0)) == ["● load", "● inner", "● end"]
    assert [node.path for node in fold(graph, 2).nodes] == [node.path for node in graph.nodes]


def test_items_of_a_fan_out_are_folded():
    nodes = {
        "load": NodeRecord(path="load", task="Load", status=NodeStatus.HIT),
        "ocr": NodeRecord(path="ocr", task="Ocr", kind="map"),
        **{
            f"ocr/{number}": NodeRecord(
                path=f"ocr/{number}", task="Ocr", status=NodeStatus.OK if number else NodeStatus.FAILED,
                inputs={"x": InputRecord(digest=None, source=f"load[{number}]")}, seconds=1.0,
            )
            for number in range(9)
        },
        "end": NodeRecord(
            path="end", task="End",
            inputs={f"xs[{number}]": InputRecord(digest=None, source=f"ocr/{number}") for number in range(9)},
        ),
    }  # fmt: skip
    graph = graph_of_nodes(nodes)

    assert len(fold_items(graph, 10).nodes) == 12
    folded = fold_items(graph, 9)
    assert lines(folded) == ["● load", "● ocr ×9", "● end"]
    assert (folded.nodes[1].status, folded.nodes[1].seconds) == ("failed", 9.0)
    assert Edge("ocr", "end", "xs") in folded.edges


def test_records_in_any_order_are_drawn_from_top_to_bottom():
    nodes = {
        "b": NodeRecord(
            path="b", task="B", inputs={"x": InputRecord(digest=None, source="c.x['y'][0]")}, after=("c", "a")
        ),
        "a": NodeRecord(path="a", task="A"),
        "c": NodeRecord(path="c", task="C"),
    }
    graph = graph_of_nodes(nodes)

    assert [node.path for node in graph.nodes] == ["a", "c", "b"]
    assert graph.edges == (Edge("c", "b", "x", ".x['y'][0]"), Edge("a", "b", kind="control"))


@pytest.mark.parametrize("size", [0, 1, 3, 10, 30, 100])
def test_a_picture_has_a_box_a_node_and_a_line_an_edge(size):
    graph = random_graph(size, size)
    root = ET.fromstring(draw_svg(graph))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [tuple(float(box.get(name)) for name in ("x", "y", "width", "height")) for box in root.iter(space + "rect")]

    assert len(boxes) == size
    assert len(list(root.iter(space + "path"))) == 2 * len({(edge.source, edge.target) for edge in graph.edges})
    for index, (x, y, width, height) in enumerate(boxes):
        assert x + width <= float(root.get("width"))
        assert y + height <= float(root.get("height"))
        for other_x, other_y, other_width, other_height in boxes[:index]:
            assert (
                x >= other_x + other_width
                or other_x >= x + width
                or y >= other_y + other_height
                or other_y >= y + height
            )


def test_names_are_data_in_every_notation():
    nasty = "<script>&\"'\\|]\n"
    nodes = (GraphNode(path=nasty, task="]]>", status="ok"), GraphNode(path="b", is_maybe=True, count=0))
    graph = Graph(nodes=nodes, edges=(Edge(nasty, "b", nasty), Edge(nasty, "b", kind="control")))

    svg = draw_svg(graph)
    ET.fromstring(svg)
    assert "<script>" not in svg
    assert all("<script>" not in line and "\n" not in line for line in draw_mermaid(graph))
    assert all("\n" not in line for line in draw_dot(graph))
    assert '"b ×N maybe"' in "\n".join(draw_mermaid(graph))
    assert "style=dotted" in "\n".join(draw_dot(graph))
