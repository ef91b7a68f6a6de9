"""What a compiled function shows of itself: `step.plan`, `step.memory`, `step.draw()`."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import runpy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.compiler.program import Kind
from tensorgrad.viz import RenderError, draw_plan
from tensorgrad.viz.plan import COLOURS

SCALE = 0.25
NUMBA = importlib.util.find_spec("numba") is not None


def lines_of(step, text):
    """Return the rows whose line of code has a text."""
    return [row for row in step.plan if text in row.line]


@pytest.fixture(scope="module")
def step():
    """Return a training step after its first call."""
    model = nn.MLP(4, [8, 3], activation="relu", output_activation=None, rng=0, dtype="float32")
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @tg.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss = loss * 0.5
        loss.backward()
        optimizer.step()
        return loss

    generator = np.random.default_rng(0)
    step(generator.normal(size=(5, 4)).astype(np.float32), generator.integers(0, 3, 5))
    return step


@pytest.fixture(scope="module")
def wide():
    """Return a function with chains, after its first call."""

    first, second = np.ones((400, 500)), np.ones((400, 500))

    @tg.compile
    def wide(x):
        middle = np.sqrt(first * second + 1.0)
        return middle @ x

    wide(np.ones(500))
    return wide


# --- the plan -------------------------------------------------------------------------------------


def test_rows_are_the_operations_in_order(step):
    plan = step.plan
    assert [row.number for row in plan] == list(range(1, len(plan) + 1))
    assert plan[0] is plan.rows[0]
    forward = [r for r in lines_of(step, "cross_entropy") if r.phase == "forward"]
    assert [row.operation for row in forward].count("matmul") == 2
    assert [row.operation for row in forward][:2] == ["T", "matmul"]
    assert {row.phase for row in plan} == {"forward", "backward", "update"}
    assert {row.phase for row in lines_of(step, "optimizer.step()")} == {"update"}


def test_a_row_says_what_goes_in_and_where_the_result_lives(step):
    transposed, product = step.plan[0], step.plan[1]
    shifted = next(row for row in step.plan if 2 in row.sources)
    assert transposed.inputs == ("layers.0.weight float32[8, 4]",)
    assert (transposed.lives, transposed.runs) == ("view of layers.0.weight", "once")
    assert product.inputs == ("argument[0] float32[5, 4]", "#1")
    assert product.output == "float32[5, 8]"
    assert product.sources == ("argument[0] float32[5, 4]", 1)
    assert re.fullmatch(r"buffer \d+", product.lives)
    assert shifted.lives == f"{product.lives}, in place"
    assert product.runs == "NumPy"


def test_a_row_names_gradients_and_parameters(step):
    outputs = [row.output for row in step.plan if row.phase == "backward"]
    assert "layers.0.weight.grad float32[8, 4]" in outputs
    stored = [place for row in step.plan for place in row.lives.split("; ")]
    assert stored.count("in optimizer._flats.0.data") == 1


def test_what_the_caller_gets_is_marked(step):
    (returned,) = [row for row in step.plan if row.returned]
    assert returned.line.endswith("loss = loss * 0.5")
    assert returned.lives == "a number, returned"


def test_lines_say_file_and_number(step):
    line = step.plan[0].line
    number = step._function.__code__.co_firstlineno + 3
    assert line == f"test_compile_report.py:{number}: loss = nn.cross_entropy(model(x), y)"


def test_rows_are_frozen(step):
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.plan[0].number = 2


def test_the_table_has_every_row_and_every_part(step):
    text = str(step.plan)
    assert text == repr(step.plan)
    assert text.startswith(f"{len(step.plan)} operations, ")
    for row in step.plan:
        assert re.search(rf"^ +{row.number}  {re.escape(row.operation)} ", text, re.MULTILINE)
    for title in ("forward", "backward", "update", "baked in: the same at each call"):
        assert f"\n\n{title}\n" in text
    assert "\n  layers.0.weight float32[8, 4]\n" in text


def test_a_folder_of_the_user_may_be_called_optim(tmp_path):
    (tmp_path / "optim").mkdir()
    file = tmp_path / "optim" / "mine.py"
    file.write_text("import numpy as np\ndef double(x):\n    return np.multiply(x, 2.0)\n")
    double = tg.compile(runpy.run_path(str(file))["double"])
    double(np.ones(3))
    assert {row.phase for row in double.plan} == {"forward"}


def test_guards_say_what_is_checked(step):
    texts = [note.text for note in step.plan.guards]
    numbers = {row.number: row for row in step.plan}
    (nan,) = [text for text in texts if text.startswith("no NaN")]
    joined = re.fullmatch(r"no NaN in #(\d+) \(concatenate\)", nan)
    assert numbers[int(joined[1])].operation == "concatenate"
    assert any(re.fullmatch(r"#\d+ \(greater\) is False", text) for text in texts)
    expected = [i for i in step._last().plan.order.instructions if i.kind is Kind.EXPECT]
    assert len([text for text in texts if not re.search(r"is \w+\d\[", text)]) == len(expected)


def test_captured_arrays_are_named(step):
    captured = step.plan.captured
    assert captured[:2] == ("layers.0.weight float32[8, 4]", "layers.0.bias float32[8]")
    assert "optimizer.param_groups.0.options.lr float64" in captured


def test_draws_are_listed():
    generator = np.random.default_rng(0)
    noisy = tg.compile(lambda x: x + tg.randn(3, rng=generator))
    noisy(np.ones(3))
    (note,) = noisy.plan.draws
    assert "draw standard_normal((3,)" in note.text
    assert "tg.randn" in note.line


# --- what is baked in -----------------------------------------------------------------------------


def baked(function, *args):
    """Return what is baked into a function, by the last word of its line."""
    compiled = tg.compile(function)
    compiled(*args)
    return [note.text for note in compiled.plan.baked]


def test_the_numbers_of_the_users_lines_are_baked_in(step):
    (note,) = step.plan.baked
    assert note.text == "0.5"
    assert note.line.endswith("loss = loss * 0.5")


def test_globals_clocks_and_arrays_are_baked_in():
    clock = iter([17.5])

    def function(x):
        x = x * SCALE
        x = x + next(clock)
        return x + np.linspace(0.0, 1.0, 3)

    assert baked(function, np.ones(3)) == ["0.25", "17.5", "array float64[3]"]


def test_indices_and_numpys_numbers_are_baked_in():
    assert baked(lambda x: x[1:3] * np.float64(3.0), np.ones(4)) == ["1", "3", "3.0"]


def test_numbers_given_to_a_function_are_baked_in():
    assert baked(lambda x: tg.clip(x, -1.5, 2.5).data, tg.tensor([1.0, 2.0])) == ["-1.5", "2.5"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(axis=0),
        lambda x: x.mean(),
        lambda x: x.reshape(2, 2),
        lambda x: tg.sigmoid(tg.tensor(x)),
        lambda x: x * np.sum(x),
    ],
    ids=["axis", "count", "shape", "rule", "traced"],
)
def test_what_the_user_did_not_compute_with_is_not(function):
    assert baked(function, np.ones(4)) == []


def test_what_nobody_reads_is_not_baked_in():
    def function(x):
        x * 7.0
        return x * 2.0

    assert baked(function, np.ones(3)) == ["2.0"]


def test_a_captured_array_is_not_baked_in():
    array = np.ones(3)
    assert baked(lambda x: x + array, np.ones(3)) == []


# --- chains ---------------------------------------------------------------------------------------


def test_a_chain_is_one_row_with_its_lines(wide):
    chain = wide.plan[0]
    assert chain.operation == "chain of 3"
    assert chain.lines == (
        "t1 = multiply(first, second)",
        "t2 = add(t1, 1.0)",
        "t3 = sqrt(t2) (stored)",
    )
    assert chain.sources == ("first float64[400, 500]", "second float64[400, 500]")
    assert all(line in str(wide.plan) for line in chain.lines)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_chain_says_what_runs_it(threads):
    array = np.ones(1_000_000)
    function = tg.compile(lambda: (array * 2.0 + 1.0).sum(), threads=threads)
    function()
    chain = function.plan[0]
    (runner,) = function._last().plan.runners.values()
    shared = NUMBA and threads == 2
    assert chain.runs == ("generated loop" if NUMBA else "blocks") + ", two threads" * shared
    assert not NUMBA or runner.halved(threads) is shared


@pytest.mark.skipif(not NUMBA, reason="numba is not installed")
def test_a_chain_says_why_it_is_no_loop(monkeypatch):
    from tensorgrad.compiler import loops

    monkeypatch.setattr(loops, "_kernels", {})
    monkeypatch.setattr(loops, "_compiled", lambda _: "numba failed: Boom")
    array = np.ones(100_000)
    function = tg.compile(lambda: (array * 2.0 + 1.0).sum(), threads=1)
    function()
    assert function.plan[0].runs == "blocks: numba failed: Boom"


def test_two_threads_over_one_slow_operation():
    function = tg.compile(lambda x: np.tanh(x @ x).sum(axis=0), threads=2)
    function(np.zeros((400, 400)))
    (row,) = [row for row in function.plan if row.operation == "tanh"]
    assert row.runs == "NumPy, two threads"
    assert "both(np.tanh" in function.source


# --- memory ---------------------------------------------------------------------------------------


def test_memory_by_hand():
    weight = np.ones(100)

    @tg.compile
    def function(x):
        a = x @ x
        b = a + weight
        c = b @ x
        return c * 2.0

    function(np.ones((100, 100)))
    memory, size = function.memory, 80_000
    # `b` takes the place of `a`, `c` the next buffer; what is returned is new at each call.
    assert (memory.planned, memory.buffers) == (2 * size, 2)
    assert memory.fresh == size
    assert memory.eager == 2 * size
    assert memory.captured == 800


def test_memory_agrees_with_the_plan(step):
    memory, pools = step.memory, step._last().plan.memory.pools
    assert memory.planned == sum(pools)
    assert memory.buffers == step.plan.buffers == len(pools)
    assert f"planned, in {len(pools)} buffers made once" in str(memory)


def test_eager_counts_what_chains_leave_out(wide):
    # Two arrays at a time; the chain stores one, and what is returned is new.
    assert wide.memory.eager == 2 * 400 * 500 * 8
    assert wide.memory.planned == 400 * 500 * 8


def test_memory_is_written_with_units(wide):
    assert re.search(r"^ +1\.6 MB  planned, in 1 buffer made once$", str(wide.memory), re.M)
    assert re.search(r"^ +3\.2 MB  the same results eagerly", str(wide.memory), re.M)


# --- the drawing ----------------------------------------------------------------------------------


def test_a_drawing_has_three_colours_and_a_legend(step):
    source = step.draw().source
    for phase, colour in COLOURS.items():
        count = sum(row.phase == phase and row.runs != "once" for row in step.plan)
        assert source.count(colour) == count + 1
    assert "cluster_legend" in source


def test_a_drawing_is_deterministic(step):
    assert step.draw().source == step.draw().source == draw_plan(step.plan).source


def test_a_drawing_goes_around_views_that_are_resolved_once(step):
    source = step.draw().source
    assert not re.search(r"^\t1 \[", source, re.M)
    outside = re.search(r'(outside\d+) \[label="layers\.0\.weight\\nfloat32', source)[1]
    assert f"\t{outside} -> 2\n" in source


def test_a_chain_is_one_node_with_its_lines(wide):
    source = wide.draw().source
    assert r"1  chain of 3\l" in source.replace("&#160;", " ")
    assert r"t2 = add(t1, 1.0)\lt3 = sqrt(t2) (stored)\l" in source
    assert "backward" not in source


def test_what_is_returned_has_a_thick_border(step):
    (row,) = [row for row in step.plan if row.returned]
    assert re.search(rf"^\t{row.number} \[.*penwidth=2.5", step.draw().source, re.M)


def test_what_is_read_after_a_write_comes_from_the_write():
    def function(x):
        y = x * 2.0
        y[0] = 5.0
        return y + 1.0

    compiled = tg.compile(function)
    compiled(np.ones(3))
    write, last = [row for row in compiled.plan if row.operation in ("setitem", "add")]
    assert write.lives == f"writes to #{write.sources[0]}"
    assert last.sources == (write.number,)


def test_large_plans_are_refused(step):
    drawn = sum(row.runs != "once" for row in step.plan)
    step.draw(max_nodes=drawn)
    with pytest.raises(ValueError, match=rf"{drawn} operations, and max_nodes=9: .* step\.plan"):
        step.draw(max_nodes=9)


def test_wrong_arguments_of_a_drawing(step):
    with pytest.raises(ValueError, match="rankdir is 'up'; expected 'LR', "):
        step.draw(rankdir="up")
    with pytest.raises(TypeError, match="expected the plan of a compiled function, not Compiled"):
        draw_plan(step)


def test_a_drawing_becomes_a_picture(step):
    try:
        picture = step.draw().pipe("svg")
    except RenderError:
        pytest.skip("no program that lays out graphs")
    assert b"<svg" in picture


@pytest.mark.parametrize("look", ["plan", "memory", "draw"])
def test_before_the_first_call(look):
    function = tg.compile(lambda x: x)
    with pytest.raises(RuntimeError, match="call the function first"):
        getattr(function, look)() if look == "draw" else getattr(function, look)
