"""grad and value_and_grad: what they take, what they return, and what they refuse."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor, nn

X = np.array([0.5, -1.5, 2.0])


def is_plain(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


# --- what comes back ------------------------------------------------------------------------------


def test_gradient_of_an_array() -> None:
    gradient = tg.grad(lambda x: np.sum(np.sin(x)))(X)
    assert type(gradient) is np.ndarray
    np.testing.assert_array_equal(gradient, np.cos(X))


@pytest.mark.parametrize("x", [2.0, 2, np.float64(2.0), np.array(2.0)], ids=repr)
def test_a_number_gives_a_float64_scalar(x: Any) -> None:
    value, gradient = tg.value_and_grad(lambda x: x * x)(x)
    assert type(value) is np.float64
    assert type(gradient) is np.float64
    assert (value, gradient) == (4.0, 4.0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_dtype_is_the_inputs(dtype: str) -> None:
    """Rule 9, case 66."""
    x = X.astype(dtype)
    value, gradient = tg.value_and_grad(lambda x: (x * 2.0).mean())(x)
    assert value.dtype == gradient.dtype == x.dtype
    hessian = tg.hessian(lambda x: (x**3).sum())(x)
    assert hessian.dtype == x.dtype
    wide = tg.grad(lambda x: np.sum(x * np.ones(3)))(X.astype(np.float32))
    assert wide.dtype == np.float32


def test_value_and_gradient_are_what_scipy_takes() -> None:
    value, gradient = tg.value_and_grad(lambda x: np.sum(x**2))(X)
    assert isinstance(value, float)
    assert gradient.dtype == np.float64
    assert gradient.flags.writeable
    assert gradient.flags.c_contiguous


def test_the_function_is_called_with_tensors_and_the_rest_as_it_is() -> None:
    seen: list[Any] = []

    def f(x: Any, y: Any, *, scale: Any) -> Any:
        seen.extend([type(x), y, scale])
        return (x * y).sum() * scale

    gradient = tg.grad(f)(X, 3, scale=2)
    assert seen == [Tensor, 3, 2]
    np.testing.assert_array_equal(gradient, [6.0, 6.0, 6.0])


def test_argnums() -> None:
    def f(x: Any, y: Any) -> Any:
        return np.sum(x * x * y)

    np.testing.assert_array_equal(tg.grad(f, 1)(X, X), X * X)
    np.testing.assert_array_equal(tg.grad(f, -1)(X, X), X * X)
    np.testing.assert_array_equal(tg.grad(f, argnum=1)(X, X), X * X)
    both = tg.grad(f, (1, 0))(X, X)
    assert type(both) is tuple
    np.testing.assert_array_equal(both, [X * X, 2 * X * X])
    (one,) = tg.grad(f, (0,))(X, X)
    np.testing.assert_array_equal(one, 2 * X * X)


class Pair(NamedTuple):
    left: Any
    right: Any


def test_nested_arguments() -> None:
    tree = {
        "layers": [(X, 1.0), Pair(np.ones((2, 3)), None)],
        "scale": OrderedDict(b=np.float32(2.0), a=X[0]),
        "none": None,
        "empty": [],
    }

    def f(t: Any) -> Any:
        (w, b), pair = t["layers"]
        assert isinstance(pair, Pair)
        t["scale"].move_to_end("b")
        return np.sum(pair.left @ (w * w) + b) * t["scale"]["b"] * t["scale"]["a"]

    gradient = tg.grad(f)(tree)
    assert list(gradient) == list(tree)
    assert list(gradient["scale"]) == ["b", "a"]
    assert type(gradient["scale"]) is OrderedDict
    assert gradient["none"] is None
    assert gradient["empty"] == []
    pair = gradient["layers"][1]
    assert type(pair) is Pair
    np.testing.assert_allclose(gradient["layers"][0][0], 4.0 * X)
    np.testing.assert_allclose(pair.left, np.tile(X * X, (2, 1)))
    assert gradient["scale"]["b"].dtype == np.float32
    assert gradient["layers"][0][1] == 2.0


def test_lists_are_nested_arguments_too() -> None:
    assert tg.grad(lambda x: x[0] * x[1])([2.0, 3.0]) == [3.0, 2.0]


def test_an_unused_argument_has_the_gradient_zero() -> None:
    gradients = tg.grad(lambda x, _y: x.sum(), (0, 1))(X, np.float32(2.0))
    np.testing.assert_array_equal(gradients[0], np.ones(3))
    assert gradients[1] == 0
    assert gradients[1].dtype == np.float32
    np.testing.assert_array_equal(tg.grad(lambda _x: 3.0)(X), np.zeros(3))
    np.testing.assert_array_equal(tg.grad(lambda _x: 3)(X), np.zeros(3))
    np.testing.assert_array_equal(tg.grad(lambda _x: np.float64(1))(X), np.zeros(3))
    value, _ = tg.value_and_grad(lambda _x: 3)(X)
    assert value == 3.0


def test_has_aux() -> None:
    def f(x: Any) -> Any:
        return (x * x).sum(), {"half": x / 2, "text": "t", "constant": tg.zeros(2)}

    gradient, aux = tg.grad(f, has_aux=True)(X)
    np.testing.assert_array_equal(gradient, 2 * X)
    assert type(aux["half"]) is np.ndarray
    np.testing.assert_array_equal(aux["half"], X / 2)
    assert aux["text"] == "t"
    assert type(aux["constant"]) is np.ndarray
    (value, aux), gradient = tg.value_and_grad(f, has_aux=True)(X)
    assert value == np.sum(X * X)
    assert aux["text"] == "t"
    gradient, _ = tg.grad_and_aux(f)(X)
    np.testing.assert_array_equal(gradient, 2 * X)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (1, 1)], ids=str)
def test_any_shape(shape: tuple[int, ...]) -> None:
    x = np.ones(shape)
    gradient = tg.grad(lambda x: np.sum(x * x))(x)
    np.testing.assert_array_equal(gradient, 2 * x)
    assert tg.jacobian(np.sin)(x).shape == shape + shape
    assert tg.hessian(lambda x: np.sum(x**3))(x).shape == shape + shape


def test_layouts_and_read_only_input() -> None:
    """Case 96: the input is never written to, and shares no memory with the result."""
    x = np.arange(12.0).reshape(3, 4).T[::-2]
    x.flags.writeable = False
    before = x.copy()
    gradient = tg.grad(lambda x: np.sum(x))(x)
    gradient += 1.0
    np.testing.assert_array_equal(x, before)
    first, second = tg.grad(lambda x, y: (x + y).sum(), (0, 1))(X, X)
    assert not np.may_share_memory(first, second)


def test_a_function_may_assign_to_what_it_got() -> None:
    def f(x: Any) -> Any:
        x[0] = x[1] * x[2]
        x *= 2.0
        return x.sum()

    x = X.copy()
    np.testing.assert_array_equal(tg.grad(f)(x), [0.0, 2 + 2 * X[2], 2 + 2 * X[1]])
    np.testing.assert_array_equal(x, X)
    leaf = Tensor(X)
    tg.grad(f)(leaf)
    np.testing.assert_array_equal(leaf.data, X)


def test_the_grad_of_leaves_is_left_alone() -> None:
    model = nn.Linear(3, 1, rng=0)
    x = Tensor(X)
    x.grad = np.ones(3)
    tg.grad(lambda m, x: m(x).sum(), (0, 1))(model, x)
    tg.jacobian(lambda m: m(X))(model)
    np.testing.assert_array_equal(x.grad, np.ones(3))
    assert not any(p.has_grad for p in model.parameters())


def test_names() -> None:
    def f(x: Any) -> Any:
        return x

    assert tg.grad(f).__name__ == "grad(f)"
    assert tg.hessian(f).__name__ == "hessian(f)"
    assert tg.grad(nn.Linear(1, 1)).__name__ == "grad(Linear)"


# --- Modules --------------------------------------------------------------------------------------


def test_a_module_gives_a_dict_of_names() -> None:
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 1, rng=1))

    def loss(model: Any, x: Any) -> Any:
        return (model(x) ** 2).mean()

    x = np.ones((5, 3), np.float32)
    value, gradient = tg.value_and_grad(loss)(model, x)
    assert type(value) is np.float32
    expected = tg.gradients(loss(model, x), model.parameters())
    assert list(gradient) == [name for name, _ in model.named_parameters()]
    for one, other in zip(gradient.values(), expected, strict=True):
        assert type(one) is np.ndarray
        np.testing.assert_array_equal(one, other)


def test_frozen_parameters_have_no_place() -> None:
    model = nn.Linear(2, 1, rng=0)
    model.bias.requires_grad = False
    gradient = tg.grad(lambda m: m(np.ones(2, np.float32)).sum())(model)
    assert list(gradient) == ["weight"]
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="argument 0, a Linear, has no parameter that records"):
        tg.grad(lambda m: m(np.ones(2, np.float32)).sum())(model)


def test_a_module_among_others() -> None:
    model = nn.Linear(2, 1, bias=False, rng=0)
    gradient = tg.grad(lambda t: (t["net"](t["x"]) * t["x"]).sum())(
        {"net": model, "x": np.ones(2, np.float32)}
    )
    assert list(gradient["net"]) == ["weight"]
    assert gradient["x"].shape == (2,)


def test_another_modules_parameters_are_outside() -> None:
    """The gradient by x still depends on them, and says so by being a Tensor."""
    model = nn.MLP(2, [3, 1], rng=0)
    slope = tg.grad(lambda x: model(x).sum())(np.ones((4, 2), np.float32))
    assert isinstance(slope, Tensor)
    (slope**2).sum().backward()
    assert all(p.has_grad for p in model.parameters()[:-1])
    slope = tg.grad(lambda m, x: m(x).sum(), 1)(model, np.ones((4, 2), np.float32))
    assert isinstance(slope, Tensor)


def test_hessian_of_a_module() -> None:
    model = nn.Linear(2, 1, rng=0)
    x = np.array([[1.0, 2.0]], np.float32)
    hessian = tg.hessian(lambda m: (m(x) ** 2).sum())(model)
    np.testing.assert_allclose(
        hessian["weight"]["weight"], 2 * np.outer(x, x).reshape(1, 2, 1, 2), rtol=1e-6
    )
    np.testing.assert_allclose(hessian["bias"]["weight"], 2 * x.reshape(1, 1, 2), rtol=1e-6)


def test_gradient_by_a_module_inside_of_another() -> None:
    """The inner transform's own inputs are those of the outer one too."""
    model = nn.Linear(2, 1, bias=False, rng=0)
    model.weight.data = np.array([[2.0, 3.0]])

    def loss(m: Any) -> Any:
        return (m.weight**3).sum()

    def penalty(m: Any) -> Any:
        inner = tg.grad(loss)(m)["weight"]
        assert isinstance(inner, Tensor)
        return (inner * m.weight).sum()

    gradient = tg.grad(penalty)(model)["weight"]
    assert is_plain(gradient)
    np.testing.assert_allclose(gradient, 9 * model.weight.data**2, rtol=1e-6)
    assert is_plain(tg.grad(loss)(model)["weight"])


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.grad(3.0), TypeError, r"grad takes the function itself.*grad\(f\)\(x\)"),
        (lambda: tg.grad(np.sin)(X), ValueError, r"shape \(3,\).*jacobian, or elementwise_grad"),
        (lambda: tg.grad(np.sin)(np.ones(1)), ValueError, r"shape \(1,\)"),
        (lambda: tg.grad(np.sum)(np.arange(3)), TypeError, r"dtype int64.*astype\(float\)"),
        (lambda: tg.grad(np.sum)(np.array([True])), TypeError, "argument 0 is of dtype bool"),
        (lambda: tg.grad(lambda x: x)(True), TypeError, "argument 0 is.*bool"),
        (lambda: tg.grad(lambda x: x)(np.int64(1)), TypeError, "argument 0 is.*int64"),
        (lambda: tg.grad(lambda x: x["a"])({"a": 1.0, "b": np.arange(2)}), TypeError, r"\['b'\]"),
        (lambda: tg.grad(lambda x: x)(tg.arange(3)), TypeError, "int64"),
        (lambda: tg.grad(lambda x: x)("x"), TypeError, "argument 0 is 'x'"),
        (lambda: tg.grad(lambda x: x)(None), ValueError, "nothing to differentiate by"),
        (lambda: tg.grad(lambda x: x)([]), ValueError, "nothing to differentiate by"),
        (lambda: tg.grad(lambda _x: None)(X), TypeError, "is None; expected a tensor"),
        (lambda: tg.grad(lambda x: (x[0], 1))(X), TypeError, "has_aux=True"),
        (lambda: tg.grad(lambda _x: "no")(X), TypeError, "is a str"),
        (lambda: tg.grad(np.argmax)(X), TypeError, "dtype int64, which has no derivative"),
        (lambda: tg.grad(lambda x: x[0] > 0)(X), TypeError, "dtype bool"),
        (lambda: tg.grad(lambda x: x[0], has_aux=True)(X), TypeError, "with has_aux expected"),
        (lambda: tg.grad(np.sum, 2)(X), ValueError, "argument 2.*with 1 positional argument$"),
        (lambda: tg.grad(np.sum)(), ValueError, "with 0 positional arguments"),
        (lambda: tg.grad(lambda x, _y: x, (0, -2))(1.0, 2.0), ValueError, "twice"),
        (lambda: tg.grad(np.sum, ()), ValueError, "argnums is empty"),
        (lambda: tg.grad(np.sum, "x"), TypeError, "argnums is 'x'"),
        (lambda: tg.grad(np.sum, 0.5), TypeError, "argnums is 0.5"),
        (lambda: tg.stop_gradient(nn.Linear(1, 1)), TypeError, "requires_grad_"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_complex_result_is_refused() -> None:
    """Case 72."""
    z = np.array([1.0 + 2.0j])
    with pytest.raises(ValueError, match=r"complex number.*abs"):
        tg.grad(lambda z: (z * z)[0])(z)
    with pytest.raises(TypeError, match="complex"):
        tg.jacobian(lambda z: z * z)(z)
    with pytest.raises(TypeError, match="complex"):
        tg.elementwise_grad(lambda z: z * z)(z)


def test_complex_arguments() -> None:
    """Case 72: the direction of steepest ascent, as PyTorch has it."""
    gradient = tg.grad(lambda z: np.sum(np.abs(z)))(np.array([3.0 + 4.0j]))
    np.testing.assert_allclose(gradient, [0.6 + 0.8j])
    assert tg.grad(lambda z: abs(z))(3.0 + 4.0j) == 0.6 + 0.8j


def test_stop_gradient() -> None:
    x = Tensor(X)
    stopped = tg.stop_gradient({"x": (x, X, 1, None)})
    assert stopped["x"][0].data is x.data
    assert not stopped["x"][0].requires_grad
    assert stopped["x"][1] is X
    assert stopped["x"][2:] == (1, None)
