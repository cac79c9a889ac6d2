"""JAX on the CPU: everything compiled by jit, FAVOR+ with the stabilisers of the authors' code."""

import os

import jax
import jax.numpy as jnp
import numpy as np

NAME = "JAX"
CHUNK = 128


def version():
    return jax.__version__


def set_threads(threads):
    # XLA sizes its pool when it starts: by NPROC if that is set.
    os.environ["NPROC"] = str(threads)
    jax.config.update("jax_platforms", "cpu")
    jax.devices()
    return threads


def on_device(values, *shape):
    return jnp.asarray(np.frombuffer(values, dtype=np.float32).reshape(shape))


def repeated(form, compute, *inputs):
    """One (form, run, read) that keeps the last result; compute is compiled by its first run."""
    compiled = jax.jit(compute)
    last = {}

    def run():
        last["out"] = compiled(*inputs).block_until_ready()

    return form, run, lambda: np.asarray(last["out"]).tobytes()


def gemm(problem):
    a, b = on_device(problem.a, problem.m, problem.k), on_device(problem.b, problem.k, problem.n)
    return [repeated("", jnp.matmul, a, b)]


def attention_inputs(problem):
    shape = (problem.heads, problem.length, problem.dHead)
    return [on_device(values, *shape) for values in (problem.q, problem.k, problem.v)]


def exact(problem):
    def attend(q, k, v):
        scores = q @ k.swapaxes(1, 2) * problem.dHead**-0.5
        if problem.causal:
            scores = jnp.where(jnp.tri(problem.length, dtype=bool), scores, -jnp.inf)
        return jax.nn.softmax(scores) @ v

    return [repeated("", attend, *attention_inputs(problem))]


def log_features(x, projection):
    scaled = x * x.shape[-1] ** -0.25
    return scaled @ projection.T - jnp.sum(scaled**2, -1, keepdims=True) / 2


def favor(problem):
    def attend(q, k, v, projection):
        queries, keys = log_features(q, projection), log_features(k, projection)
        queries = jnp.exp(queries - queries.max(-1, keepdims=True))
        keys = jnp.exp(keys - keys.max((1, 2), keepdims=True))
        if problem.causal:
            return causal(queries, keys, v)
        out = queries @ (keys.swapaxes(1, 2) @ v)
        return out / (queries @ keys.sum(1)[..., None])

    projection = on_device(problem.projection, problem.numFeatures, problem.dHead)
    return [repeated("", attend, *attention_inputs(problem), projection)]


def causal(queries, keys, v):
    """Chunk by chunk: the quadratic form inside, the sums so far for what lies before."""
    heads, length, num_features = queries.shape
    padding = -length % CHUNK
    values = jnp.concatenate([v, jnp.ones((heads, length, 1), v.dtype)], -1)
    chunks = [
        jnp.pad(x, ((0, 0), (0, padding), (0, 0))).reshape(heads, -1, CHUNK, x.shape[-1]).swapaxes(0, 1)
        for x in (queries, keys, values)
    ]

    def step(sums, chunk):
        q, k, x = chunk
        inside = jnp.tril(q @ k.swapaxes(1, 2))
        return sums + k.swapaxes(1, 2) @ x, q @ sums + inside @ x

    start = jnp.zeros((heads, num_features, values.shape[-1]), v.dtype)
    _, out = jax.lax.scan(step, start, tuple(chunks))
    out = out.swapaxes(0, 1).reshape(heads, length + padding, -1)[:, :length]
    return out[..., :-1] / out[..., -1:]
