"""Ctrl-C and the steps of optimisers: a step is taken whole, and the interrupt comes after it."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.interrupts import uninterrupted
from tensorgrad.optim import SGD


class Interrupted(SGD):
    """Is interrupted in the first of two updates: parameters of one dtype are updated as one."""

    def update(self, param, grad, state, lr):
        if param.dtype == np.float32:
            signal.raise_signal(signal.SIGINT)
        return super().update(param, grad, state, lr)


def test_ctrl_c_waits_until_all_parameters_are_changed():
    p, q = tg.Tensor(np.ones(1, np.float32)), tg.Tensor([1.0, 1.0])
    p.grad, q.grad = [1.0], [1.0, 1.0]
    optimizer = Interrupted([p, q], lr=0.5)
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    np.testing.assert_array_equal(p.data, [0.5])
    np.testing.assert_array_equal(q.data, [0.5, 0.5])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_held_back_twice_ctrl_c_comes_after_the_outer_block():
    reached = []

    def held_back_twice():
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
            reached.append("outer")
        reached.append("after")

    with pytest.raises(KeyboardInterrupt):
        held_back_twice()
    assert reached == ["outer"]


def test_ctrl_c_comes_after_an_error_in_the_block_too():
    def fails():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise ValueError

    with pytest.raises(KeyboardInterrupt) as caught:
        fails()
    assert isinstance(caught.value.__context__, ValueError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_ones_own_gets_the_signal_once():
    received = []
    previous = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            assert received == []
    finally:
        signal.signal(signal.SIGINT, previous)
    assert received == [signal.SIGINT]


def test_an_ignored_ctrl_c_stays_ignored():
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)


def test_a_step_in_another_thread():
    p = tg.Tensor([1.0])
    p.grad = [1.0]
    thread = threading.Thread(target=SGD([p], lr=0.5).step)
    thread.start()
    thread.join()
    assert p.data[0] == 0.5
