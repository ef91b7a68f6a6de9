"""The seed's network, one Value for each weight; the cells of the seed's notebook run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Value
from tensorgrad.scalar import MLP, Layer, Module, Neuron
from tensorgrad.viz import draw_dot, trace

NOTEBOOK = Path(__file__).parents[1] / "examples" / "seed_notebook.ipynb"

SEED_NEURON = """
x1 = Value(2.0, label="x1")
w1 = Value(-3.0, label="w1")
x2 = Value(0.0, label="x2")
w2 = Value(1.0, label="w2")
b = Value(6.8813735870195432, label="b")
x1w1 = x1 * w1; x1w1.label="x1w1"
x2w2 = x2 * w2; x2w2.label="x2w2"
x1w1x2w2 = x1w1 + x2w2; x1w1x2w2.label="x1w1x2w2"
n = x1w1x2w2 + b; n.label="n"
o = n.tanh(); o.label="o"
o.backward()
drawing = draw_dot(o)
"""

SEED_TRAINING = """
xs = [
  [2.0, 3.0, -1.0],
  [3.0, -1.0, 0.5],
  [0.5, 1.0, 1.0],
  [1.0, 1.0, -1.0],
]
ys = [1.0, -1.0, -1.0, 1.0]
model = MLP(3, [4, 4, 1])
model(xs[0])
epochs = 100
step = 0.1
losses = []
for k in range(epochs):
    ypred = [model(x) for x in xs]
    loss = sum((yout - ygt)**2 for ygt, yout in zip(ys, ypred))

    model.zero_grad()
    assert sum([p.grad for p in model.parameters()]) == 0

    loss.backward()

    for p in model.parameters():
        p.data += (-step) * p.grad

    losses.append(loss.data)
drawing = draw_dot(loss)
"""

# The seed's own drawing, to run on these Values.
SEED_DRAWING = """
def trace(root):
  nodes, edges = set(), set()
  def build(v):
    if v not in nodes:
      nodes.add(v)
      for child in v._prev:
        edges.add((child, v))
        build(child)
  build(root)
  return nodes, edges

def draw_dot(root):
  dot = Digraph(format='svg', graph_attr={'rankdir': 'LR'})
  nodes, edges = trace(root)
  for n in nodes:
    uid = str(id(n))
    dot.node(name = uid, label = "{ %s | data %.4f | grad %.4f }" % (n.label, n.data, n.grad), shape='record')
    if n._op:
      dot.node(name = uid + n._op, label = n._op)
      dot.edge(uid + n._op, uid)
  for n1, n2 in edges:
    dot.edge(str(id(n1)), str(id(n2)) + n2._op)
  return dot
"""  # noqa: E501


def run(code, **names):
    """Run the cells and return their names."""
    namespace = {"Value": Value, "MLP": MLP, "draw_dot": draw_dot, **names}
    exec(code, namespace)
    return namespace


def test_the_seeds_neuron():
    found = run(SEED_NEURON)
    grads = {name: float(found[name].grad) for name in ("x1", "w1", "x2", "w2", "b", "n", "o")}
    expected = {"x1": -1.5, "w1": 1.0, "x2": 0.5, "w2": 0.0, "b": 0.5, "n": 0.5, "o": 1.0}
    assert grads == pytest.approx(expected, abs=1e-12)
    assert found["o"].data == pytest.approx(np.tanh(0.8813735870195432), abs=1e-15)
    assert "{ x1 | data 2.0000 | grad -1.5000 }" in found["drawing"].source


@pytest.mark.parametrize("seed", range(5))
def test_the_seeds_training_loop(seed):
    tg.manual_seed(seed)
    found = run(SEED_TRAINING)
    assert len(found["losses"]) == 100
    assert found["losses"][-1] < 0.05
    assert [np.sign(y.data) for y in found["ypred"]] == found["ys"]
    assert found["drawing"].source.count("shape=record") == len(trace(found["loss"])[0])


def test_the_seeds_own_drawing_has_the_same_records():
    graphviz = pytest.importorskip("graphviz")
    own = run(SEED_DRAWING + SEED_NEURON, Digraph=graphviz.Digraph)["drawing"].source
    ours = run(SEED_NEURON)["drawing"].source

    def records(source):
        return sorted(re.findall(r'label="(\{[^"]*)"', source))

    assert records(own) == records(ours)
    assert own.count("->") == ours.count("->")


def test_a_network_equals_numpy():
    model = MLP(3, [4, 2], rng=0)
    x = np.array([0.3, -1.2, 2.0])
    h = x
    for layer in model.layers:
        weights = np.array([[w.data for w in neuron.w] for neuron in layer.neurons])
        h = np.tanh(weights @ h + [neuron.b.data for neuron in layer.neurons])
    outs = model(x.tolist())
    assert [o.data for o in outs] == pytest.approx(h, rel=1e-14)
    assert [o.data for o in model(x)] == [o.data for o in outs]
    assert all(type(o) is Value for o in outs)


def test_gradients_equal_differences():
    model = MLP(2, [3, 1], rng=3)
    x = [0.5, -1.5]
    model(x).backward()
    for p in model.parameters():
        at, grad = p.data, p.grad
        p.data = at + 1e-6
        above = model(x).data
        p.data = at - 1e-6
        below = model(x).data
        p.data = at
        assert grad == pytest.approx((above - below) / 2e-6, rel=1e-6, abs=1e-9)


def test_the_number_and_order_of_parameters():
    model = MLP(3, [4, 4, 1])
    assert len(model.parameters()) == 16 + 20 + 5
    first = model.layers[0].neurons[0]
    assert all(a is b for a, b in zip(model.parameters(), [*first.w, first.b], strict=False))
    assert Module().parameters() == []


def test_weights_are_uniform_on_minus_one_to_one():
    weights = np.array([float(p.data) for p in Layer(100, 50, rng=0).parameters()])
    assert weights.min() >= -1
    assert weights.max() <= 1
    assert abs(weights.mean()) < 0.03
    assert weights.std() == pytest.approx(1 / np.sqrt(3), rel=0.03)


def test_randomness_comes_from_rng_or_the_default_generator():
    def weights(model):
        return [float(p.data) for p in model.parameters()]

    assert weights(MLP(2, [3, 1], rng=5)) == weights(MLP(2, [3, 1], np.random.default_rng(5)))
    tg.manual_seed(5)
    assert weights(MLP(2, [3, 1])) == weights(MLP(2, [3, 1], rng=5))
    assert weights(MLP(2, [3, 1])) != weights(MLP(2, [3, 1]))


def test_one_output_is_bare_and_a_layer_of_one_may_stand_in_the_middle():
    assert type(Layer(2, 1)([1.0, 2.0])) is Value
    assert [type(o) for o in Layer(2, 2)([1.0, 2.0])] == [Value, Value]
    assert len(MLP(3, [1, 2])([1.0, 2.0, 3.0])) == 2


@pytest.mark.parametrize("make", [Neuron, lambda nin: Layer(nin, 2), lambda nin: MLP(nin, [2, 1])])
def test_a_wrong_number_of_inputs_is_refused(make):
    for x in ([1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match=f"{len(x)} inputs were given to a neuron of 2"):
            make(2)(x)


def test_a_batch_is_refused():
    with pytest.raises(ValueError, match="once for each sample"):
        MLP(3, [2, 1])(np.ones((3, 5)))


@pytest.mark.parametrize("make", [lambda: Neuron(0), lambda: Layer(2, -1), lambda: MLP(3, [4, 0])])
def test_widths_are_positive(make):
    with pytest.raises(ValueError, match=r"n(in|out) is (0|-1); expected an integer >= 1"):
        make()


def test_zero_grad_takes_the_gradients_back():
    model = MLP(2, [1], rng=0)
    model([1.0, 2.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0, 0, 0]
    assert not any(p.has_grad for p in model.parameters())


def test_reprs_are_the_calls():
    assert repr(MLP(3, [4, 4, 1])) == "MLP(3, [4, 4, 1])"
    assert [repr(Layer(3, 2)), repr(Neuron(3))] == ["Layer(3, 2)", "Neuron(3)"]


def test_the_notebook_prints_what_its_cells_print(capsys):
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    namespace = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), namespace)
    outputs = [o for cell in notebook["cells"] for o in cell.get("outputs", [])]
    (kept,) = ["".join(o["text"]) for o in outputs if o["output_type"] == "stream"]
    printed = capsys.readouterr().out

    def numbers(text):
        return np.array([line.split() for line in text.splitlines()], dtype=float)

    np.testing.assert_allclose(numbers(printed), numbers(kept), rtol=1e-9)
    bundles = [o.get("data", {}) for o in outputs]
    pictures = ["".join(b["image/svg+xml"]) for b in bundles if "image/svg+xml" in b]
    assert len(pictures) == 2
    assert "data 0.7071" in pictures[0]
    assert f"data {namespace['loss'].data:.4f}" in pictures[1]


def test_the_notebook_is_well_formed_and_of_no_machine():
    text = NOTEBOOK.read_text("utf-8")
    notebook = json.loads(text)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert not re.search(r"(/home/|/root|/tmp/|/Users/|site-packages| at 0x)", text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(o["output_type"] != "error" for cell in code for o in cell["outputs"])
