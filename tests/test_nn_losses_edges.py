"""Losses at their edges: rows left out, weights, infinite logits, bad options, the modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F

BCE = F.binary_cross_entropy
LOGITS = F.binary_cross_entropy_with_logits
NAN = float("nan")

OF_LABELS = pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])


@pytest.fixture
def strict() -> Any:
    """Make NumPy raise on what it would warn of (case 98)."""
    with np.errstate(invalid="raise", divide="raise", over="raise"):
        yield


# --- rows left out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "options"),
    [(F.cross_entropy, {}), (F.cross_entropy, {"label_smoothing": 0.2}), (F.nll_loss, {})],
)
def test_a_row_left_out_has_loss_and_gradient_zero_whatever_it_holds(
    loss: Any, options: dict[str, Any]
) -> None:
    """Case 103 and rule 7."""
    x = tg.Tensor([[0.5, 1.0, -1.0], [NAN, np.inf, 1.0], [2.0, 0.0, 1.0], [-np.inf] * 3])
    with np.errstate(invalid="ignore"):
        out = loss(x, [0, -7, 2, -7], "none", ignore_index=-7, **options)
        out.sum().backward()
    assert out.data[[1, 3]].tolist() == [0.0, 0.0]
    assert x.grad[[1, 3]].tolist() == [[0.0] * 3] * 2
    kept = tg.Tensor(x.data[[0, 2]])
    alone = loss(kept, [0, 2], "none", **options)
    alone.sum().backward()
    np.testing.assert_allclose(out.data[[0, 2]], alone.data, rtol=1e-14)
    np.testing.assert_allclose(x.grad[[0, 2]], kept.grad, rtol=1e-14)


@OF_LABELS
def test_the_label_to_ignore_may_be_a_class_and_others_are_checked(loss: Any) -> None:
    """Case 29."""
    logits = np.array([[1.0, 2.0], [0.5, 0.1]])
    assert float(loss(logits, [0, 1], ignore_index=1)) == float(loss(logits[:1], [0]))
    for label in (2, -1):
        with pytest.raises(IndexError, match=rf"labels\[1\] is {label}, but there are 2 classes"):
            loss(logits, [-100, label], ignore_index=-100)
    unsigned = np.array([255, 1], np.uint8)
    assert float(loss(logits, unsigned, ignore_index=255)) == float(loss(logits[1:], [1]))


@OF_LABELS
def test_a_single_row_has_one_label(loss: Any) -> None:
    row = np.array([0.5, 1.0, -1.0])
    expected = float(loss(row[None], [1]))
    assert float(loss(row, 1, ignore_index=-1, weight=[1, 2, 3])) == pytest.approx(expected)
    assert float(loss(row, 1, "sum", ignore_index=1)) == 0


@OF_LABELS
@pytest.mark.parametrize("index", [1.0, "none", [1]])
def test_the_label_to_ignore_is_an_integer(loss: Any, index: Any) -> None:
    with pytest.raises(TypeError, match=r"ignore_index is .*; expected an integer or None"):
        loss(np.zeros((1, 2)), [0], ignore_index=index)


@OF_LABELS
def test_a_mean_over_nothing_is_an_error_and_a_sum_is_zero(loss: Any) -> None:
    """Case 103; PyTorch gives NaN."""
    x, labels = tg.Tensor(np.ones((2, 3))), np.array([-1, -1])
    with pytest.raises(ValueError, match="every label is ignored or has the weight 0"):
        loss(x, labels, ignore_index=-1)
    with pytest.raises(ValueError, match="every label is ignored or has the weight 0"):
        loss(x, [0, 0], weight=[0, 1, 1])
    with pytest.raises(ValueError, match="the mean over an empty batch is undefined"):
        loss(x[:0], labels[:0], ignore_index=-1)
    out = loss(x, labels, "sum", ignore_index=-1)
    out.backward()
    assert float(out) == 0
    assert not x.grad.any()


def test_without_ignore_index_minus_100_is_no_class() -> None:
    """Case 29: nothing is left out in silence."""
    with pytest.raises(IndexError, match=r"labels\[0\] is -100"):
        F.cross_entropy(np.zeros((1, 3)), [-100])


# --- weights, probabilities -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"weight has shape \(2,\) and there are 3 classes"),
        (np.ones((1, 3)), ValueError, r"weight has shape \(1, 3\) and there are 3 classes"),
        (2.0, ValueError, r"expected \(3,\), one number per class"),
        ([1, -1, 1], ValueError, r"weight\[1\] is -1; expected a finite number >= 0"),
        ([1, 1, NAN], ValueError, r"weight\[2\] is nan"),
        ([1, math.inf, 1], ValueError, r"weight\[1\] is inf"),
        (["a", "b", "c"], TypeError, "weight has dtype"),
    ],
)
@OF_LABELS
def test_weights_of_classes_are_checked(loss: Any, weight: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        loss(np.zeros((2, 3)), [0, 1], weight=weight)


def test_a_weight_may_be_learned() -> None:
    """Rule 9: a graph is never lost."""
    weight = tg.Tensor([1.0, 3.0])
    F.cross_entropy(np.zeros((3, 2)), [0, 0, 1], "sum", weight=weight).backward()
    np.testing.assert_allclose(weight.grad, np.log(2) * np.array([2.0, 1.0]), rtol=1e-14)


def test_a_mean_of_halves_does_not_overflow() -> None:
    """Case 69: the sum of these weights is no float16."""
    x = np.zeros((4000, 2), np.float16)
    out = F.cross_entropy(x, np.zeros(4000, int), weight=[100.0, 1.0])
    assert float(out) == pytest.approx(math.log(2), rel=2e-3)


@pytest.mark.usefixtures("strict")
def test_a_class_that_is_ruled_out_costs_nothing_where_nothing_is_asked_of_it() -> None:
    x = tg.Tensor([[0.0, 0.0, -np.inf]])
    out = F.cross_entropy(x, [[0.25, 0.75, 0.0]])
    assert float(out) == pytest.approx(math.log(2))
    out.backward()
    np.testing.assert_allclose(x.grad, [[0.25, -0.25, 0.0]], atol=1e-15)


def test_probabilities_that_record_get_their_gradient() -> None:
    """Rule 9."""
    target = tg.Tensor([[0.5, 0.5]])
    F.cross_entropy(np.zeros((1, 2)), target).backward()
    np.testing.assert_allclose(target.grad, [[math.log(2)] * 2], rtol=1e-14)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ([[0.5, 1.5]], {}, r"target\[0, 1\] is 1\.5; expected probabilities from 0 to 1"),
        ([[0.5, NAN]], {}, r"target\[0, 1\] is nan"),
        ([[1.0, 1.0]], {}, r"the sum of target\[0\] is 2\.0; expected 1: for several classes"),
        ([[0.0, 0.0]], {}, r"the sum of target\[0\] is 0\.0"),
        ([[0.5, 0.5]], {"ignore_index": 0}, "ignore_index is for labels"),
        ([[0.5, 0.5]], {"weight": [1.0]}, r"weight has shape \(1,\)"),
        ([0], {"label_smoothing": 1.0}, "label_smoothing is 1.0; expected a number >= 0 and < 1"),
        ([0], {"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ([0], {"label_smoothing": NAN}, "label_smoothing is nan"),
    ],
)
def test_probabilities_and_options_are_checked(
    target: Any, options: dict[str, Any], message: str
) -> None:
    """Case 103."""
    with pytest.raises(ValueError, match=message):
        F.cross_entropy(np.zeros((1, 2)), target, **options)


def test_answers_of_many_samples_are_not_the_probabilities_of_one() -> None:
    with pytest.raises(ValueError, match=r"the sum of target is 3\.0"):
        F.cross_entropy(np.zeros(5), np.array([0.0, 1.0, 1.0, 0.0, 1.0]))


@pytest.mark.parametrize(
    ("shape", "fits"),
    [((), True), ((3,), True), ((4, 1), True), ((4, 3), True), ((4,), False), ((2, 4, 3), False),
     ((1, 1, 1), False)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["weight", "pos_weight"])
def test_a_weight_repeats_along_the_output_and_never_enlarges_it(
    name: str, shape: tuple[int, ...], fits: bool
) -> None:
    options: Any = {name: np.ones(shape)}
    if fits:
        out = LOGITS(np.zeros((4, 3)), np.ones((4, 3)), "none", **options)
        np.testing.assert_allclose(out.data, np.full((4, 3), math.log(2)))
    else:
        with pytest.raises(ValueError, match=rf"{name} has shape .* does not repeat along"):
            LOGITS(np.zeros((4, 3)), np.ones((4, 3)), **options)


# --- the edges of the numbers ---------------------------------------------------------------------


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("options", [{"pos_weight": 3.0}, {"weight": [2.0, 2.0, 2.0, 2.0]}])
def test_weighted_losses_of_logits_are_finite(options: Any) -> None:
    """Cases 28 and 98."""
    x = tg.Tensor(np.array([1000.0, 1000.0, -1000.0, -1000.0], np.float32))
    out = LOGITS(x, [1, 0, 1, 0], "none", **options)
    out.sum().backward()
    factors = [3.0, 1.0, 3.0, 1.0] if "pos_weight" in options else [2.0] * 4
    assert out.tolist() == (np.array([0, 1000, 1000, 0]) * factors).tolist()
    assert x.grad.tolist() == (np.array([0, 1, -1, 0]) * factors).tolist()


@pytest.mark.usefixtures("strict")
def test_losses_of_labels_are_finite_with_smoothing() -> None:
    """Cases 29 and 98."""
    x = tg.Tensor(np.array([[1e4, 0.0], [-1e4, 1e4]], np.float32))
    out = F.cross_entropy(x, [1, 0], "none", label_smoothing=0.5, weight=[1, 2])
    out.sum().backward()
    assert np.isfinite(out.data).all()
    assert np.isfinite(x.grad).all()


@pytest.mark.usefixtures("strict")
def test_probabilities_of_zero_and_one_have_finite_losses() -> None:
    """Cases 8 and 98: where a logarithm is cut the gradient is 0."""
    p = tg.Tensor(np.array([0.0, 1.0, 0.0, 1.0], np.float32))
    out = BCE(p, [1, 0, 0, 1], "none")
    out.sum().backward()
    assert out.tolist() == [100.0, 100.0, 0.0, 0.0]
    assert p.grad.tolist() == [0.0, 0.0, 1.0, -1.0]


def test_a_tiny_probability_of_no_is_accurate() -> None:
    out = BCE(np.array([1e-12]), [0.0])
    assert float(out) == pytest.approx(1e-12, rel=1e-12)


def test_a_probability_outside_its_range_is_named_and_nan_shows() -> None:
    """Case 103: a network that has diverged is not blamed on its last layer."""
    with pytest.raises(ValueError, match=r"prediction\[1\] is 1\.2; expected probabilities"):
        BCE([0.5, 1.2], [1, 1])
    assert math.isnan(float(BCE([NAN, 0.5], [1, 1])))


@pytest.mark.usefixtures("strict")
def test_robust_losses_of_huge_errors_do_not_overflow() -> None:
    x = tg.Tensor(np.array([3e38, -3e38, 0.0], np.float32))
    for loss in (F.huber_loss, F.smooth_l1_loss, F.l1_loss):
        x.zero_grad()
        out = loss(x, np.zeros(3), "none")
        out.backward(np.ones(3))
        assert np.isfinite(out.data).all()
        assert x.grad.tolist() == [1.0, -1.0, 0.0]


@pytest.mark.usefixtures("strict")
def test_what_has_no_probability_does_not_diverge() -> None:
    x, target = tg.Tensor([[-np.inf, 0.0]]), tg.Tensor([[0.0, 1.0]])
    out = F.kl_div(x, target, "sum")
    assert float(out) == 0.0
    out.backward()
    assert x.grad.tolist() == [[0.0, -1.0]]
    assert target.grad.tolist() == [[0.0, 1.0]]


@pytest.mark.usefixtures("strict")
def test_vectors_of_zeros_and_equal_vectors_have_finite_gradients() -> None:
    """Case 10."""
    x = tg.Tensor([[0.0, 0.0]])
    F.triplet_margin_loss(x, x.data, [[1.0, 0.0]], eps=0.0, margin=3.0).backward()
    assert x.grad.tolist() == [[1.0, 0.0]]
    a, b = tg.Tensor([0.0, 0.0]), tg.Tensor([1.0, 2.0])
    similarity = F.cosine_similarity(a, b)
    similarity.backward()
    assert float(similarity) == 0.0
    assert np.isfinite(a.grad).all()
    assert b.grad.tolist() == [0.0, 0.0]


def test_a_triplet_that_is_far_enough_has_gradient_zero() -> None:
    """Case 13."""
    x = tg.Tensor([[0.0, 0.0]])
    F.triplet_margin_loss(x, [[0.1, 0.0]], [[9.0, 0.0]]).backward()
    assert x.grad.tolist() == [[0.0, 0.0]]


# --- refusals -------------------------------------------------------------------------------------

PAIRS: dict[str, Callable[..., Any]] = {
    "l1_loss": F.l1_loss,
    "huber_loss": F.huber_loss,
    "smooth_l1_loss": F.smooth_l1_loss,
    "kl_div": F.kl_div,
    "binary_cross_entropy": BCE,
    "cosine_similarity": F.cosine_similarity,
    "gaussian_nll_loss": lambda x, y: F.gaussian_nll_loss(x, y, np.ones_like(x)),
    "gaussian_nll_loss, var": lambda x, y: F.gaussian_nll_loss(x, np.ones_like(x), y),
    "triplet_margin_loss": lambda x, y: F.triplet_margin_loss(x, y, x),
    "triplet_margin_loss, negative": lambda x, y: F.triplet_margin_loss(x, x, y),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (3,))], ids=str)
def test_shapes_are_never_broadcast(name: str, shapes: tuple[Any, Any]) -> None:
    message = rf"^{name.split(',')[0]}: .* expected equal shapes, since nothing is broadcast"
    with pytest.raises(ValueError, match=message):
        PAIRS[name](np.ones(shapes[0]), np.ones(shapes[1]))


@pytest.mark.parametrize("name", PAIRS)
def test_the_first_argument_holds_floats(name: str) -> None:
    with pytest.raises(TypeError, match=r"dtype int64; expected floats"):
        PAIRS[name](np.ones(3, int), np.ones(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.huber_loss([1.0], [1.0], delta=0), "delta is 0; expected a finite number > 0"),
        (lambda: F.huber_loss([1.0], [1.0], delta=math.inf), "delta is inf; expected a finite"),
        (lambda: F.smooth_l1_loss([1.0], [1.0], beta=-1), "beta is -1"),
        (lambda: F.kl_div([0.0], [-0.5]), r"target\[0\] is -0\.5; expected a probability"),
        (lambda: F.kl_div(1.0, 0.5, "batchmean"), "'batchmean' divides by the length"),
        (lambda: F.kl_div(np.ones((0, 2)), np.ones((0, 2)), "batchmean"), "empty batch"),
        (lambda: F.kl_div([1.0], [0.5], "all"), "'mean', 'sum', 'none' or 'batchmean'"),
        (lambda: F.gaussian_nll_loss([1.0], [1.0], [-1.0]), r"var\[0\] is -1\.0; .* softplus"),
        (lambda: F.gaussian_nll_loss([1.0], [1.0], [1.0], eps=0), "eps is 0"),
        (lambda: F.triplet_margin_loss([1.0], [1.0], [1.0], margin=0), "margin is 0"),
        (lambda: F.triplet_margin_loss([1.0], [1.0], [1.0], p=-2), "p is -2"),
        (lambda: F.triplet_margin_loss(1.0, 1.0, 1.0), r"shape \(\); expected \(\.\.\., features"),
        (lambda: F.cosine_similarity([1.0], [1.0], axis=1), "axis 1 is out of bounds"),
        (lambda: F.cosine_similarity([1.0], [1.0], eps=0), "eps is 0"),
        (lambda: F.cross_entropy(np.zeros((1, 2)), [0], np.ones(2)), "reduction is array"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2), "label_smoothing is 2"),
        (lambda: nn.HuberLoss(delta=-1), "delta is -1"),
        (lambda: nn.SmoothL1Loss("avg"), "reduction is 'avg'"),
        (lambda: nn.MSELoss("batchmean"), "reduction is 'batchmean'"),
    ],
)
def test_bad_numbers_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_an_option_that_is_no_number_is_named() -> None:
    with pytest.raises(TypeError, match="delta is 'big'; expected a finite number > 0"):
        F.huber_loss([1.0], [1.0], delta="big")  # type: ignore[arg-type]


# --- modules --------------------------------------------------------------------------------------

X, Y = np.random.default_rng(0).uniform(0.1, 0.9, (2, 4, 3))
LABELS = np.array([0, 2, 1, -1])
MODULES = [
    (nn.NLLLoss("sum", weight=[1, 2, 3], ignore_index=-1), (X, LABELS)),
    (nn.CrossEntropyLoss(weight=[1, 2, 3], ignore_index=-1, label_smoothing=0.1), (X, LABELS)),
    (nn.BCELoss("none", weight=[1, 2, 3]), (X, Y)),
    (nn.BCEWithLogitsLoss(weight=[1, 2, 3], pos_weight=2.0), (X, Y)),
    (nn.KLDivLoss("batchmean", log_target=True), (X, Y)),
    (nn.L1Loss("sum"), (X, Y)),
    (nn.SmoothL1Loss(beta=0.3), (X, Y)),
    (nn.HuberLoss("none", delta=0.3), (X, Y)),
    (nn.GaussianNLLLoss("sum", full=True, eps=0.5), (X, Y, X)),
    (nn.TripletMarginLoss("none", margin=0.5, p=1.0, eps=0.0, swap=True), (X, Y, X[::-1])),
    (nn.CosineSimilarity(0, eps=0.1), (X, Y)),
]
NAMES = {
    "NLLLoss": "nll_loss", "CrossEntropyLoss": "cross_entropy", "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits", "KLDivLoss": "kl_div",
    "L1Loss": "l1_loss", "SmoothL1Loss": "smooth_l1_loss", "HuberLoss": "huber_loss",
    "GaussianNLLLoss": "gaussian_nll_loss", "TripletMarginLoss": "triplet_margin_loss",
    "CosineSimilarity": "cosine_similarity",
}  # fmt: skip


@pytest.mark.parametrize(("module", "given"), MODULES, ids=lambda p: type(p).__name__)
def test_modules_apply_their_functions(module: Any, given: Any) -> None:
    options = {name: value for name, value in vars(module).items() if name != "training"}
    expected = getattr(F, NAMES[type(module).__name__])(*given, **options)
    np.testing.assert_array_equal(module(*given).data, expected.data)
    assert module.parameters() == []
    assert type(module).__name__ in repr(module)


def test_the_text_of_a_module_has_its_options() -> None:
    assert repr(nn.HuberLoss(delta=2.0)) == "HuberLoss(delta=2.0)"
    assert repr(nn.CrossEntropyLoss("sum", weight=[1, 2])) == (
        "CrossEntropyLoss(reduction='sum', weight: (2,), label_smoothing=0.0)"
    )
    assert repr(nn.MSELoss()) == "MSELoss()"


def test_a_module_keeps_a_copy_of_its_weight() -> None:
    weight = np.array([1.0, 2.0])
    loss = nn.CrossEntropyLoss(weight=weight)
    before = float(loss([[0.0, 1.0], [1.0, 3.0]], [0, 1]))
    weight[:] = 0
    assert float(loss([[0.0, 1.0], [1.0, 3.0]], [0, 1])) == before
    with pytest.raises(TypeError, match="weight is a recording tensor"):
        nn.CrossEntropyLoss(weight=tg.Tensor([1.0, 2.0]))
