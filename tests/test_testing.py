"""check_grads: passes what is right, and finds each way of being wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.op import op
from tensorgrad.testing import check_grads

METHODS = pytest.mark.parametrize("method", ["central", "complex"])
POINTS = np.linspace(0.3, 1.4, 6).reshape(2, 3)


def values(x: Any) -> Any:
    """Return the array in a Tensor, and so lose its graph."""
    return x.data if isinstance(x, Tensor) else x


def sine(rule: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """Return the sine as a function with a rule of one's own, on Tensors and complex arrays."""
    made = op(np.sin, lambda g, _out, x: g * rule(g, x), name="sine", elementwise=True)
    return lambda x: made(x)


@METHODS
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (9, 9)], ids=str)
def test_right_gradients_pass(method: str, order: int, shape: tuple[int, ...]) -> None:
    x, y = np.full(shape, 0.7), np.linspace(0.5, 1.5, 9)[: shape[-1] if shape else 1]
    check_grads(lambda x, y: np.sin(x) * np.log(y) + x / y, x, y, order=order, method=method)


@METHODS
def test_a_wrong_gradient_is_found(method: str) -> None:
    wrong = sine(lambda _g, x: 1.01 * np.cos(x))
    pattern = (
        r"order 1, input 0 at \(0, 0\): got gradient (\S+), expected (\S+), difference \S+ "
        r"\(rtol=\S+, atol=\S+, eps=\S+\)"
    )
    with pytest.raises(AssertionError) as caught:
        check_grads(wrong, POINTS, method=method)
    found = re.fullmatch(pattern, str(caught.value))
    assert found
    assert float(found[1]) == pytest.approx(1.01 * float(found[2]), rel=1e-6)


def test_the_message_names_input_and_position() -> None:
    wrong = sine(lambda g, x: np.cos(x) + (np.arange(g.size).reshape(g.shape) == 4))
    with pytest.raises(AssertionError, match=r"order 1, input 1 at \(1, 1\): got"):
        check_grads(lambda x, y: x * wrong(y), POINTS, POINTS)


def test_one_wrong_element_of_many_is_found() -> None:
    """Large inputs are checked along random directions."""
    wrong = sine(lambda g, x: np.cos(x) + (np.arange(g.size) == 4321))
    check_grads(wrong, np.full(4321, 0.5))
    with pytest.raises(AssertionError, match="order 1, input 0 along a random direction: got"):
        check_grads(wrong, np.full(5000, 0.5))


@METHODS
def test_a_wrong_second_order_is_found(method: str) -> None:
    """The rule is right, and loses the graph of its input."""
    wrong = sine(lambda _g, x: np.cos(values(x)))
    check_grads(wrong, POINTS, order=1, method=method)
    with pytest.raises(AssertionError, match=r"order 2, input 0 at \(0, 0\): got gradient 0, "):
        check_grads(wrong, POINTS, method=method)


def test_a_wrong_third_order_is_found() -> None:
    inner = sine(lambda _g, x: np.cos(values(x)))
    wrong = sine(lambda _g, x: inner(x + np.pi / 2))
    check_grads(wrong, POINTS, order=2)
    with pytest.raises(AssertionError, match="order 3, input 0"):
        check_grads(wrong, POINTS, order=3)


def test_a_lost_graph_is_found() -> None:
    with pytest.raises(AssertionError, match=r"got gradient 0, expected -?\d"):
        check_grads(lambda x: x.detach() * 2, POINTS)


def test_a_nan_is_found() -> None:
    with pytest.raises(AssertionError, match="got gradient nan"):
        check_grads(sine(lambda _g, x: x * np.nan), 1.0)


def test_the_complex_step_sees_the_last_digits() -> None:
    slightly = sine(lambda _g, x: (1 + 1e-9) * np.cos(x))
    check_grads(slightly, POINTS, order=1)
    with pytest.raises(AssertionError, match="order 1, input 0"):
        check_grads(slightly, POINTS, order=1, method="complex")


def test_settings_are_used() -> None:
    wrong = sine(lambda _g, x: 1.01 * np.cos(x))
    check_grads(wrong, POINTS, order=1, rtol=0.02)
    check_grads(wrong, POINTS, order=1, atol=1.0)
    # A step of 1 is far from the limit.
    with pytest.raises(AssertionError, match="eps=1"):
        check_grads(np.sin, POINTS, eps=1.0)


def test_complex_inputs_move_along_both_axes() -> None:
    z = np.array([1 + 2j, -0.5 + 1j])
    check_grads(lambda z: np.sin(z) * np.abs(z), z)
    check_grads(lambda z: np.exp(1j * z.real) + z.imag, z, order=3)
    # The gradient of the real part alone is right along the real axis.
    with pytest.raises(AssertionError, match=r"order 1, input 0 at \(0,\), along i: got gradient"):
        check_grads(lambda z: z.real * z.real - (z * 1j).real.data, z)
    wrong = sine(lambda _g, x: np.conj(np.cos(x)))
    with pytest.raises(AssertionError, match=r"order 1, input 0 at \(0,\): got gradient"):
        check_grads(wrong, z)


def test_complex_results_of_real_inputs() -> None:
    check_grads(lambda x: np.exp(1j * x), POINTS)
    with pytest.raises(ValueError, match="complex step is for real results"):
        check_grads(lambda x: np.exp(1j * x), POINTS, method="complex")


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ([[1, 2]], {}, r"input 0 has dtype int64; expected floats"),
        ([1.0, [True]], {}, r"input 1 has dtype bool; expected floats"),
        ([1.0 + 1j], {"method": "complex"}, "the complex step is for real inputs"),
        ([], {}, "no inputs"),
        ([1.0], {"method": "forward"}, "method is 'forward'; expected 'central' or 'complex'"),
        ([1.0], {"order": 0}, "order is 0; expected an integer >= 1"),
        ([1.0], {"order": 1.5}, "order is 1.5; expected"),
    ],
)
def test_bad_input_is_refused(inputs: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_grads(lambda *xs: sum(xs), *inputs, **options)


def test_bad_functions_are_refused() -> None:
    with pytest.raises(TypeError, match="f returned ndarray float64; expected one Tensor"):
        check_grads(lambda x: x.data, POINTS)
    with pytest.raises(TypeError, match="f returned Tensor int64; expected one Tensor"):
        check_grads(lambda x: x.astype(int), POINTS)
    with pytest.raises(ValueError, match="returned float64 for complex input"):
        check_grads(np.abs, POINTS, method="complex")


def test_inputs_are_copied() -> None:
    """Also where the function writes to what it is given; float64 throughout."""
    array = np.array([1.0, 2.0], dtype=np.float32)
    leaf = Tensor([3.0, 4.0])
    leaf.grad = 7.0

    def writing(x: Tensor, y: Tensor) -> Tensor:
        assert x.dtype == y.dtype == np.float64
        result = x * x + y
        with tg.no_grad():
            x.grad += 1.0
        return result

    check_grads(writing, array, leaf, order=1)
    assert (array.tolist(), leaf.tolist(), leaf.grad.tolist()) == ([1, 2], [3, 4], [7, 7])
    array.flags.writeable = False
    check_grads(writing, array, leaf)


def test_randomness_is_the_callers() -> None:
    wrong = sine(lambda _g, x: 1.01 * np.cos(x))
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it is left alone

    def message(rng: Any) -> str:
        with pytest.raises(AssertionError) as caught:
            check_grads(wrong, POINTS, rng=rng)
        return str(caught.value)

    assert message(3) == message(np.random.default_rng(3)) != message(4)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
