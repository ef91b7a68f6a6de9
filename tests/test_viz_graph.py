"""Drawings of graphs: what is traced, what stands in the picture, and what happens without one."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import graphviz
import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor, Value
from tensorgrad.viz import RenderError, draw_dot, save_graph, trace
from tensorgrad.viz import render as render_module

RENDERS = bool(render_module._renderers())
needs_renderer = pytest.mark.skipif(not RENDERS, reason="no program that lays out graphs")
ROOT = Path(__file__).parents[1]


def seed_neuron():
    """Return the neuron of the seed's notebook, after its backward pass."""
    x1, w1 = Value(2.0, label="x1"), Value(-3.0, label="w1")
    x2, w2 = Value(0.0, label="x2"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1 = x1 * w1
    x1w1.label = "x1w1"
    x2w2 = x2 * w2
    x2w2.label = "x2w2"
    n = x1w1 + x2w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    o.backward()
    return o


def seed_trace(root):
    """Trace as the seed does: recursively, over `_prev`."""
    nodes, edges = set(), set()

    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(root)
    return nodes, edges


def records(dot):
    """Return the labels of the records of a drawing, in order."""
    return re.findall(r'\[label="(\{.*\})" shape=record\]', dot.source)


def texts(svg, name):
    """Return the lines of text in the node of this name."""
    found = re.search(rf'class="node">\s*<title>{name}</title>(.*?)</g>', svg, re.DOTALL)
    assert found
    lines = re.findall(r"<text[^>]*>(.*?)</text>", found[1])
    return [html.unescape(line).replace("\xa0", " ") for line in lines]


@pytest.fixture
def no_renderer(monkeypatch, tmp_path):
    """Hide every program that lays out graphs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(render_module.sysconfig, "get_path", lambda *_: str(tmp_path))


def program(folder, name, body):
    """Make a program for the test out of lines of Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return path


# ------------------------------------------------------------------ trace


def test_trace_is_the_seeds():
    o = seed_neuron()
    x = Value(2.0)
    for root in (o, x * x + x, (3 * x - 1) ** 3 + 2.0 / x, x):
        assert trace(root) == seed_trace(root)


def test_trace_gives_one_object_for_each_node_also_where_nobody_holds_it():
    x = Value(2.0, label="x")
    y = (x * x + 1) * (x * x + 1)
    nodes, edges = trace(y)
    assert (nodes, edges) == trace(y)
    # x; two squares; two numbers, which are operands of different operations; two sums; y
    assert len(nodes) == 8
    assert len(edges) == 8
    assert sorted(float(n.data) for n in nodes) == [1, 1, 2, 4, 4, 5, 5, 25]
    assert next(n for n in nodes if n.label == "x") is x


def test_trace_does_not_compute_arrays_that_were_not_kept():
    x = Tensor(np.ones(3))
    nodes, _ = trace((x + 1) * 2.0)
    middle = next(n for n in nodes if n._op == "+")
    assert not hasattr(middle, "_data")
    assert middle.data.tolist() == [2, 2, 2]


def test_trace_of_a_constant_is_the_constant():
    constant = tg.zeros(3)
    assert trace(constant) == ({constant}, set())


@pytest.mark.parametrize("call", [trace, draw_dot])
def test_what_is_no_tensor_is_refused(call):
    with pytest.raises(TypeError, match="not to ndarray"):
        call(np.ones(3))


def test_a_chain_of_100000_case_76():
    """Semantics, case 76: no recursion, in trace or in the refusal to draw."""
    y = Value(1.0)
    for _ in range(100_000):
        y = y * 1.0
    nodes, edges = trace(y)
    assert (len(nodes), len(edges)) == (200_001, 200_000)
    with pytest.raises(ValueError, match="more than 100,000 tensors") as caught:
        draw_dot(y)
    assert "max_nodes" in str(caught.value)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------ the record of numbers


def test_the_seeds_records_and_operations():
    dot = draw_dot(seed_neuron())
    assert isinstance(dot, graphviz.Digraph)
    assert dot.format == "svg"
    assert set(records(dot)) == {
        "{ x1 | data 2.0000 | grad -1.5000 }",
        "{ w1 | data -3.0000 | grad 1.0000 }",
        "{ x2 | data 0.0000 | grad 0.5000 }",
        "{ w2 | data 1.0000 | grad 0.0000 }",
        "{ b | data 6.8814 | grad 0.5000 }",
        "{ x1w1 | data -6.0000 | grad 0.5000 }",
        "{ x2w2 | data 0.0000 | grad 0.5000 }",
        "{  | data -6.0000 | grad 0.5000 }",
        "{ n | data 0.8814 | grad 0.5000 }",
        "{ o | data 0.7071 | grad 1.0000 }",
    }
    operations = re.findall(r'^\top\d+ \[label="?([^"\]]*)"?\]', dot.source, re.M)
    assert sorted(operations) == ["*", "*", "+", "+", "tanh"]
    assert "rankdir=LR" in dot.source
    assert dot.source.count("->") == 5 + 9


def test_edges_go_from_an_input_over_the_operation_to_the_result():
    a = Value(2.0)
    source = draw_dot(a * a).source
    # Used twice and drawn once, as in the seed.
    assert re.findall(r"\w+ -> \w+", source) == ["op1 -> 1", "0 -> op1"]


def test_gradients_are_zero_before_a_backward_pass_and_after_zero_grad():
    x = Value(3.0)
    y = x * x
    assert all("grad 0.0000" in record for record in records(draw_dot(y)))
    y.backward()
    assert any("grad 6.0000" in record for record in records(draw_dot(y)))
    x.zero_grad()
    assert "{  | data 3.0000 | grad 0.0000 }" in records(draw_dot(y))


def test_drawing_changes_nothing():
    x = Value(3.0)
    y = x * x
    draw_dot(y)
    assert not x.has_grad
    y.backward()
    assert x.grad == 6.0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (np.nan, "nan"),
        (np.inf, "inf"),
        (-np.inf, "-inf"),
        (1e300, "1.0000e+300"),
        (-0.0, "-0.0000"),
    ],
)
def test_numbers_that_are_not_ordinary(number, text):
    assert records(draw_dot(Value(number))) == [f"{{  | data {text} | grad 0.0000 }}"]


def test_a_tensor_that_does_not_record_is_one_record():
    assert records(draw_dot(tg.tensor(2.0))) == ["{  | data 2.0000 | grad 0.0000 }"]
    dot = draw_dot(tg.tensor([True, False]))
    assert records(dot) == [r"{  | (2,)\nbool | data mean 0.5\nstd 0.5 }"]
    assert "->" not in dot.source


def test_the_source_is_the_same_in_another_process_case_106():
    """Semantics, case 106: neither addresses nor the order of sets show."""
    code = (
        "from tensorgrad import Value; from tensorgrad.viz import draw_dot\n"
        "x = Value(2.0, label='x'); y = Value(3.0)\n"
        "print(draw_dot((x * y + 1.0).tanh() * x + y / x).source)"
    )
    sources = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(sources) == 1
    assert "tanh" in sources.pop()


# ------------------------------------------------------------------ the record of arrays


def test_arrays_show_shape_dtype_and_statistics():
    w = Tensor(np.array([[1.0, 3.0], [5.0, 7.0]]), label="w")
    loss = (w * w).sum()
    assert records(draw_dot(loss))[0] == r"{ w | (2, 2)\nfloat64 | data mean 4\nstd 2.236 }"
    loss.backward()
    first, square, last = records(draw_dot(loss))
    assert first.endswith(r"| grad mean 8\nstd 4.472 }")
    assert "grad" not in square  # nobody asked for it to be kept
    assert last == "{  | data 84.0000 | grad 1.0000 }"


def test_values_in_between_come_from_the_graph_or_are_computed_once():
    x = Tensor(np.arange(4.0))
    calls = []

    def counted(a):
        calls.append(1)
        return a + 1.0

    from tensorgrad.op import op

    plus_one = op(counted, lambda g, _out, _x: g, name="plus_one", elementwise=True)
    y = x
    for _ in range(100):
        y = plus_one(y)
    calls.clear()
    assert r"data mean 2.5\nstd 1.118" in records(draw_dot(y))[1]
    assert len(calls) == 99  # the last one is held


def test_a_value_whose_constant_is_gone_says_so():
    x = Tensor(np.ones(3))
    y = (x + np.ones(3)) + np.ones(3)
    middle = records(draw_dot(y))[1]
    assert middle == r"{  | (3,)\nfloat64 | data not kept }"
    # What a rule will read is there.
    assert r"data mean 2\nstd 0" in records(draw_dot((x + np.ones(3)).square()))[1]


def test_a_value_is_not_computed_from_a_leaf_that_has_changed():
    x = Tensor(np.ones(3))
    y = (x + 1.0) + 1.0
    assert r"data mean 2\n" in records(draw_dot(y))[2]
    x.data = np.full(3, 5.0)
    assert "not kept" in records(draw_dot(y))[2]


def test_constant_arrays_stand_before_the_operation():
    x = Tensor(np.ones(3))
    source = draw_dot((x * np.ones((2, 3), np.float32)) - np.ones(3)).source
    assert re.search(r'op\d+_1 \[label="\(2, 3\)\\nfloat32" .*plaintext\]', source)
    assert re.search(r"op\d+_1 \[label=constant ", source)  # nothing reads it: it was not kept


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((0, 3)), "empty"),
        (np.array([np.nan, 1.0]), r"mean nan\nstd nan"),
        (np.full(100_000, 10.0, np.float16), r"mean 10\nstd 0"),
        (np.array([np.inf, -np.inf]), r"mean nan\nstd nan"),
    ],
    ids=["empty", "nan", "float16 sums overflow", "inf"],
)
def test_statistics_never_warn(array, text):
    assert text in records(draw_dot(Tensor(array)))[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[[0, 1, 1]].sum(),
        lambda x: x[1:, None],
        lambda x: np.where(np.array([True, False, True]), x, 0.0),
        lambda x: np.concatenate([x, np.ones(2)]),
        lambda x: np.clip(x, 0, 1),
        lambda x: x * np.float64(2) + np.array(3),
        lambda x: np.einsum("i,i->", x, x),
        lambda x: np.stack([x, x]).reshape(-1).T,
        lambda x: x.softmax() ** 2.5,
    ],
)
@needs_renderer
def test_every_kind_of_operation_is_drawn(function):
    x = Tensor(np.array([1.0, 2.0, 3.0]))
    y = function(x)
    if not y.shape:
        y.backward()
    dot = draw_dot(y)
    assert len(records(dot)) == len(trace(y)[0])
    assert dot.pipe(encoding="utf-8").rstrip().endswith("</svg>")


def test_an_assignment_is_drawn():
    out = tg.zeros(3)
    out[1] = Value(2.0, label="v")
    source = draw_dot(out).source
    assert "[]=" in source
    assert "{ v | data 2.0000 | grad 0.0000 }" in records(draw_dot(out))


# ------------------------------------------------------------------ labels


LABELS = [
    'a"b', "{x}", "<b>bold</b>", "<", ">", "a|b", "\\", "c\\d", "\\N \\G \\l \\n", "\\\\", '\\"',
    '"', "end\\", "two\nlines", "&amp; & &#33; &", "日本語", "∂L/∂w", "😀", "  two  spaces ", "'",
    "%s %d", "[x]; -> }", "{", "}", "node", "0", "-->", "é", "x" * 300,
]  # fmt: skip


@needs_renderer
@pytest.mark.parametrize("label", LABELS)
def test_labels_draw_as_themselves_case_105(label):
    """Semantics, case 105: what DOT, records, SVG or HTML would read as markup is text."""
    x = Value(2.0, label=label)
    svg = draw_dot(x).pipe(encoding="utf-8")
    assert texts(svg, "0") == [*label.split("\n"), "data 2.0000", "grad 0.0000"]


@needs_renderer
def test_symbols_of_operations_draw_as_themselves():
    from tensorgrad.op import op

    odd = op(np.sin, lambda g, _out, x: g * np.cos(x), symbol='<b>|"\\N{}&amp;', elementwise=True)
    svg = draw_dot(odd(Tensor(1.0))).pipe(encoding="utf-8")
    assert texts(svg, "op1") == ['<b>|"\\N{}&amp;']


@needs_renderer
def test_characters_that_xml_does_not_have_are_replaced():
    svg = draw_dot(Value(2.0, label="a\x00b\x1b\ud800\ufffec")).pipe(encoding="utf-8")
    assert texts(svg, "0")[0] == "a\ufffdb\ufffd\ufffd\ufffdc"


# ------------------------------------------------------------------ arguments


def test_max_nodes_counts_what_trace_collects():
    o = seed_neuron()
    count = len(trace(o)[0])
    assert len(records(draw_dot(o, max_nodes=count))) == count
    with pytest.raises(ValueError, match=f"has {count} tensors, and max_nodes={count - 1}"):
        draw_dot(o, max_nodes=count - 1)


def test_rankdir_and_format():
    x = Value(1.0)
    assert "rankdir=TB" in draw_dot(x, rankdir="TB").source
    assert draw_dot(x, format="png").format == "png"
    with pytest.raises(ValueError, match="expected 'LR', 'TB', 'RL' or 'BT'"):
        draw_dot(x, rankdir="left")
    with pytest.raises(ValueError, match="format"):
        draw_dot(x, format="jpag")


# ------------------------------------------------------------------ files and notebooks


@needs_renderer
@pytest.mark.parametrize(
    ("name", "start"), [("o.svg", b"<?xml"), ("o.PNG", b"\x89PNG"), ("new/o.svg", b"<?xml")]
)
def test_a_picture_is_saved(tmp_path, name, start):
    path = save_graph(seed_neuron(), tmp_path / name)
    assert path == tmp_path / name
    assert path.read_bytes().startswith(start)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.usefixtures("no_renderer")
def test_the_source_is_saved(tmp_path):
    path = save_graph(seed_neuron(), tmp_path / "o.gv")
    assert path.read_text("utf-8") == draw_dot(seed_neuron()).source


def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"saved as \.svg, \.png, \.pdf or \.gv"):
        save_graph(seed_neuron(), tmp_path / "new" / "o.bmp")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_renderer")
def test_without_a_renderer_the_source_is_kept_and_one_line_says_what_to_install(tmp_path):
    with pytest.raises(RenderError, match=r'pip install "tensorgrad-numpy\[draw\]"') as caught:
        save_graph(seed_neuron(), tmp_path / "o.svg")
    assert str(tmp_path / "o.gv") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "o.gv").read_text("utf-8") == draw_dot(seed_neuron()).source
    assert not (tmp_path / "o.svg").exists()


@pytest.mark.usefixtures("no_renderer")
def test_a_notebook_shows_a_line_without_a_renderer():
    bundle = draw_dot(seed_neuron())._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "tensorgrad-numpy[draw]" in bundle["text/plain"]


@needs_renderer
def test_a_notebook_shows_the_picture():
    dot = draw_dot(seed_neuron())
    assert dot._repr_mimebundle_()["image/svg+xml"].startswith("<?xml")
    assert dot._repr_mimebundle_(include=["image/png"])["image/png"].startswith(b"\x89PNG")
    assert " at 0x" not in repr(dot)  # an address would change with every run of the notebook


@needs_renderer
def test_graphviz_ways_to_render(tmp_path):
    dot = draw_dot(seed_neuron())
    assert dot.render("graph", tmp_path) == str(tmp_path / "graph.svg")
    assert {p.name for p in tmp_path.iterdir()} == {"graph", "graph.svg"}
    assert dot.render(outfile=tmp_path / "b.png", cleanup=True) == str(tmp_path / "b.png")
    assert {p.name for p in tmp_path.iterdir()} == {"graph", "graph.svg", "b.png"}
    with pytest.raises(ValueError, match="not as 'doc'"):
        dot.render(outfile=tmp_path / "b.doc")


@pytest.mark.usefixtures("no_renderer")
def test_graphviz_render_keeps_the_source_without_a_renderer(tmp_path):
    with pytest.raises(RenderError, match="DOT source is in"):
        draw_dot(seed_neuron()).render(outfile=tmp_path / "o.svg", cleanup=True)
    assert [p.name for p in tmp_path.iterdir()] == ["o.gv"]


posix = pytest.mark.skipif(os.name != "posix", reason="the program is a script with a first line")


@posix
@pytest.mark.usefixtures("no_renderer")
def test_dot_comes_before_the_extra_and_the_extra_helps_where_dot_fails(tmp_path):
    program(tmp_path, "dot", "print('from dot')")
    program(tmp_path, "graphviz-pure", "print('from the extra')")
    dot = draw_dot(seed_neuron())
    assert dot.pipe() == b"from dot\n"
    program(tmp_path, "dot", "raise SystemExit('plugins are missing')")
    assert dot.pipe() == b"from the extra\n"
    (tmp_path / "graphviz-pure").unlink()
    with pytest.raises(RenderError, match="dot cannot draw this as svg: plugins are missing"):
        dot.pipe()
    with pytest.raises(RenderError, match="cannot draw PDF"):
        dot.pipe("pdf")


@posix
@pytest.mark.usefixtures("no_renderer")
def test_a_program_that_does_not_run_is_passed_over(tmp_path):
    (tmp_path / "dot").write_text("#!/nonexistent/interpreter\n")
    (tmp_path / "dot").chmod(0o755)
    with pytest.raises(RenderError, match="dot does not run"):
        draw_dot(seed_neuron()).pipe()


@posix
@pytest.mark.usefixtures("no_renderer")
def test_a_layout_that_takes_too_long_is_stopped(tmp_path):
    program(tmp_path, "dot", "import time; time.sleep(600)")
    start = time.monotonic()
    with pytest.raises(RenderError, match=r"within 0\.5 s"):
        render_module.layout("digraph {}", "svg", seconds=0.5)
    assert time.monotonic() - start < 60


def test_importing_the_package_does_not_import_graphviz():
    code = "import sys, tensorgrad, tensorgrad.viz; sys.exit('graphviz' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )
