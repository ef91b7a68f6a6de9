"""The optimisers and options that are tested, and their steps written out number by number."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from tensorgrad import optim

# Name of the class, and its arguments: the same for us and for PyTorch, which has no Lion.
RULES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.03}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.03}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 1}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "betas": (0.5, 0.9), "momentum_decay": 0.1, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.6)}),
    ("Lion", {"lr": 0.01}),
    ("Lion", {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.3}),
]
CLASSES = {name: getattr(optim, name) for name, _ in RULES}


def gradient(k, p):
    """Return the gradient of step k at p: of several signs and sizes, and somewhere zero."""
    slope = np.linspace(-2, 3, p.size, dtype=p.dtype).reshape(p.shape)
    slope[..., 0] = 0
    return (slope * np.cos(k + p)).astype(p.dtype)


def start(dtype, shape=(3, 4)):
    return np.linspace(-1, 1.5, math.prod(shape)).reshape(shape).astype(dtype)


def by_hand(name, x, count, **options):
    """Take steps number by number, as the papers write them, in Python's floats."""
    values = x.astype(float)
    flat = values.reshape(-1)
    memory = [defaultdict(float) for _ in range(x.size)]
    for t in range(1, count + 1):
        for i, g in enumerate(gradient(t - 1, values).reshape(-1).tolist()):
            p = float(flat[i])
            if name not in ("AdamW", "Lion"):
                g += options.get("weight_decay", 0) * p
            plain = {k: v for k, v in options.items() if k != "weight_decay" or name in DECOUPLED}
            flat[i] = STEPS[name](p, g, memory[i], t, **plain)
    return values


DECOUPLED = ("AdamW", "Lion")


def sgd(p, g, s, _t, lr, momentum=0.0, nesterov=False):
    s["v"] = momentum * s["v"] + g
    return p - lr * (g + momentum * s["v"] if nesterov else s["v"])


def moments(g, s, t, betas):
    s["m"] = betas[0] * s["m"] + (1 - betas[0]) * g
    s["v"] = betas[1] * s["v"] + (1 - betas[1]) * g**2
    return s["m"] / (1 - betas[0] ** t), s["v"] / (1 - betas[1] ** t)


def adam(p, g, s, t, lr, betas=(0.9, 0.999), eps=1e-8):
    mean, square = moments(g, s, t, betas)
    return p - lr * mean / (math.sqrt(square) + eps)


def adamw(p, g, s, t, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    return adam(p - lr * weight_decay * p, g, s, t, lr, betas, eps)


def rmsprop(p, g, s, _t, lr, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    s["square"] = alpha * s["square"] + (1 - alpha) * g**2
    s["mean"] = alpha * s["mean"] + (1 - alpha) * g
    spread = s["square"] - s["mean"] ** 2 if centered else s["square"]
    s["b"] = momentum * s["b"] + g / (math.sqrt(spread) + eps)
    return p - lr * s["b"]


def adagrad(p, g, s, t, lr, lr_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    s["sum"] += g**2 + (initial_accumulator_value if t == 1 else 0.0)
    return p - lr / (1 + (t - 1) * lr_decay) * g / (math.sqrt(s["sum"]) + eps)


def adadelta(p, g, s, _t, lr=1.0, rho=0.9, eps=1e-6):
    s["square"] = rho * s["square"] + (1 - rho) * g**2
    step = math.sqrt(s["moved"] + eps) / math.sqrt(s["square"] + eps) * g
    s["moved"] = rho * s["moved"] + (1 - rho) * step**2
    return p - lr * step


def adamax(p, g, s, t, lr, betas=(0.9, 0.999), eps=1e-8):
    mean, _ = moments(g, s, t, betas)
    s["u"] = max(betas[1] * s["u"], abs(g) + eps)
    return p - lr * mean / s["u"]


def nadam(p, g, s, t, lr, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3):
    def momentum(i):
        return betas[0] * (1 - 0.5 * 0.96 ** (i * momentum_decay))

    _, square = moments(g, s, t, betas)
    product = math.prod(momentum(i) for i in range(1, t + 1))
    of_m = momentum(t + 1) * s["m"] / (1 - product * momentum(t + 1))
    of_g = (1 - momentum(t)) * g / (1 - product)
    return p - lr * (of_m + of_g) / (math.sqrt(square) + eps)


def radam(p, g, s, t, lr, betas=(0.9, 0.999), eps=1e-8):
    mean, _ = moments(g, s, t, betas)
    limit = 2 / (1 - betas[1]) - 1
    length = limit - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    if length <= 5:
        return p - lr * mean
    above, below = (length - 4) * (length - 2) * limit, (limit - 4) * (limit - 2) * length
    deviation = (math.sqrt(s["v"]) + eps) / math.sqrt(1 - betas[1] ** t)
    return p - lr * mean * math.sqrt(above / below) / deviation


def lion(p, g, s, _t, lr, betas=(0.9, 0.99), weight_decay=0.0):
    c = betas[0] * s["m"] + (1 - betas[0]) * g
    s["m"] = betas[1] * s["m"] + (1 - betas[1]) * g
    return p * (1 - lr * weight_decay) - lr * np.sign(c)


STEPS = {
    "SGD": sgd, "Adam": adam, "AdamW": adamw, "RMSprop": rmsprop, "Adagrad": adagrad,
    "Adadelta": adadelta, "Adamax": adamax, "NAdam": nadam, "RAdam": radam, "Lion": lion,
}  # fmt: skip
