"""JAX: the whole step is one compiled function that may reuse the memory of its state."""

from __future__ import annotations

import importlib
from typing import Any

from ..workloads import BETA1, BETA2, EPS, Array, Workload, batches_of, weights_of
from .shared import Case, over

jax: Any = importlib.import_module("jax")
jnp: Any = importlib.import_module("jax.numpy")


def training(workload: dict[str, Any]) -> Case:
    """Train the network of a workload; JAX has no optimiser, so it is written on its arrays."""
    found = Workload.from_fields(workload)
    jax.config.update("jax_enable_x64", found.dtype == "float64")
    # (in, out) as the framework's own examples have it.
    parameters = [jnp.asarray(part) for w, b in weights_of(found) for part in (w.T, b)]
    moments = [[jnp.zeros_like(p) for p in parameters] for _ in range(2)]
    state = (parameters, *moments, jnp.asarray(0, jnp.int32))

    def updated(state: Any, x: Any, y: Any) -> Any:
        parameters, m, v, t = state
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y, found)
        t = t + 1
        if found.optimizer == "sgd":
            parameters = jax.tree.map(lambda p, g: p - found.lr * g, parameters, gradients)
            return (parameters, m, v, t), loss
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradients)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradients)
        scale = jnp.sqrt(1 - BETA2**t)
        rate, eps = found.lr * scale / (1 - BETA1**t), EPS * scale
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * (m / (jnp.sqrt(v) + eps)), parameters, m, v
        )
        return (parameters, m, v, t), loss

    compiled = jax.jit(updated, donate_argnums=0)

    def step(x: Array, y: Array) -> Any:
        nonlocal state
        state, loss = compiled(state, x, y)
        return loss

    loop = over(batches_of(found), step)

    def run(n: int) -> Any:
        # Calls return before their work is done: what is timed ends when the last of it is.
        return jax.block_until_ready((loop(n), state))[0]

    return run


def loss_of(parameters: list[Any], x: Any, y: Any, workload: Workload) -> Any:
    """Return the loss of a batch."""
    activation = jnp.tanh if workload.activation == "tanh" else jax.nn.relu
    h = x
    for i in range(0, len(parameters), 2):
        h = h @ parameters[i] + parameters[i + 1]
        if i + 2 < len(parameters) or not workload.classifies:
            h = activation(h)
    if workload.classifies:
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(len(y)), y])
    total = jnp.sum((h[:, 0] - y) ** 2)
    return total / len(y) if workload.loss == "mean of squares" else total
