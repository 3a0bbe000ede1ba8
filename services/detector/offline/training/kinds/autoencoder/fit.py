"""Trains the autoencoder with JAX: `python fit.py IN.npz OUT.npz`, in an environment of its own.

It imports nothing of Tapewatch. In are windows of scaled prints and the settings; out are the weights, how
many passes they took, and the last prints of the later day's windows as the framework gives them back. After
each pass it prints its number.
"""

import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

Weights = dict[str, Any]
Learnt = tuple[Weights, Any]
"""The weights, and the optimizer's state."""
SETTINGS = ("seed", "hidden", "batch", "rate", "passes", "patience")


def first_weights(rng: np.random.Generator, features: int, hidden: int) -> Weights:
    """Draw weights as Glorot and Bengio (2010) do; what a cell holds is kept at first (bias 1)."""

    def drawn(rows: int, columns: int) -> np.ndarray:
        limit = np.sqrt(6 / (rows + columns))
        return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)

    bias = np.zeros(4 * hidden, np.float32)
    bias[hidden : 2 * hidden] = 1.0
    return {
        "encoder.input": drawn(features, 4 * hidden),
        "encoder.recurrent": drawn(hidden, 4 * hidden),
        "encoder.bias": bias,
        "decoder.recurrent": drawn(hidden, 4 * hidden),
        "decoder.bias": bias.copy(),
        "output.weight": drawn(hidden, features),
        "output.bias": np.zeros(features, np.float32),
    }


def reconstructed(weights: Weights, windows: jax.Array) -> jax.Array:
    """Give windows back, the newest print first: shape (prints, n, features)."""
    hidden = weights["decoder.recurrent"].shape[0]

    def step(state: tuple[jax.Array, jax.Array], gates: jax.Array) -> tuple[jax.Array, jax.Array]:
        enter, keep, new, leave = jnp.split(gates, 4, axis=1)
        cell = jax.nn.sigmoid(keep) * state[1] + jax.nn.sigmoid(enter) * jnp.tanh(new)
        return jax.nn.sigmoid(leave) * jnp.tanh(cell), cell

    def encode(state: tuple[jax.Array, jax.Array], given: jax.Array) -> tuple[Any, None]:
        return step(state, given + state[0] @ weights["encoder.recurrent"]), None

    def decode(state: tuple[jax.Array, jax.Array], _: None) -> tuple[Any, jax.Array]:
        state = step(state, weights["decoder.bias"] + state[0] @ weights["decoder.recurrent"])
        return state, state[0]

    nothing = jnp.zeros((windows.shape[0], hidden))
    inputs = jnp.swapaxes(windows @ weights["encoder.input"] + weights["encoder.bias"], 0, 1)
    summary, _ = jax.lax.scan(encode, (nothing, nothing), inputs)
    _, states = jax.lax.scan(decode, summary, None, length=windows.shape[1])
    return states @ weights["output.weight"] + weights["output.bias"]


def error_of(weights: Weights, windows: jax.Array) -> jax.Array:
    """Return the mean squared error of windows."""
    return jnp.mean((reconstructed(weights, windows)[::-1] - jnp.swapaxes(windows, 0, 1)) ** 2)


def passes(
    train: np.ndarray, later: np.ndarray, settings: dict[str, float]
) -> Iterator[tuple[float, Weights]]:
    """Yield the error on the later day, and the weights, after each pass over the windows."""
    rng = np.random.default_rng(int(settings["seed"]))
    batch = int(settings["batch"])
    weights = first_weights(rng, train.shape[2], int(settings["hidden"]))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(settings["rate"]))

    def one_pass(learnt: Learnt, windows: jax.Array, order: jax.Array) -> Learnt:
        def step(learnt: Learnt, rows: jax.Array) -> tuple[Learnt, None]:
            change, state = optimizer.update(jax.grad(error_of)(learnt[0], windows[rows]), learnt[1])
            return (optax.apply_updates(learnt[0], change), state), None

        learnt, _ = jax.lax.scan(step, learnt, order)
        return learnt

    compiled, measured = jax.jit(one_pass), jax.jit(error_of)
    windows, judged = jnp.asarray(train), jnp.asarray(later)
    learnt = (weights, optimizer.init(weights))
    while True:
        order = rng.permutation(len(train))[: len(train) // batch * batch].reshape(-1, batch)
        learnt = compiled(learnt, windows, jnp.asarray(order))
        yield float(measured(learnt[0], judged)), learnt[0]


def main() -> None:
    """Learn until the later day's windows are not given back any better."""
    source, target = sys.argv[1:]
    with np.load(source) as found:
        train, later = found["train"], found["later"]
        settings = {
            name: float(found[name]) for name in ("seed", "hidden", "batch", "rate", "passes", "patience")
        }
    best, best_error, rounds = {}, np.inf, 0
    for number, (error, weights) in enumerate(passes(train, later, settings), 1):
        if error < best_error:
            best, best_error, rounds = weights, error, number
        print(number, error, flush=True)
        if number >= settings["passes"] or number >= rounds + settings["patience"]:
            break
    last = reconstructed(best, jnp.asarray(later))[0]
    np.savez(target, rounds=rounds, last=last, **best)


if __name__ == "__main__":
    main()
