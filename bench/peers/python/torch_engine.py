"""PyTorch on the CPU: its own products and fused attention, and FAVOR+ as performer-pytorch composes it."""

import ctypes
from functools import partial

import torch
import torch.nn.functional as F

NAME = "PyTorch"


def version():
    return torch.__version__


def set_threads(threads):
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return torch.get_num_threads()


def tensor(values, *shape):
    return torch.frombuffer(values, dtype=torch.float32).reshape(shape)


def repeated(form, compute):
    """One (form, run, read) that keeps the last result."""
    last = {}

    def run():
        last["out"] = compute()

    def read():
        out = last["out"].contiguous()
        return ctypes.string_at(out.data_ptr(), out.numel() * out.element_size())

    return form, run, read


def gemm(problem):
    a, b = tensor(problem.a, problem.m, problem.k), tensor(problem.b, problem.k, problem.n)
    out = torch.empty(problem.m, problem.n)
    return [repeated("", lambda: torch.mm(a, b, out=out))]


def attention_inputs(problem):
    shape = (1, problem.heads, problem.length, problem.dHead)
    return tensor(problem.q, *shape), tensor(problem.k, *shape), tensor(problem.v, *shape)


def exact(problem):
    q, k, v = attention_inputs(problem)
    attend = partial(F.scaled_dot_product_attention, q, k, v, is_causal=problem.causal)
    return [repeated("scaled_dot_product_attention", attend)]


def favor(problem):
    try:
        from performer_pytorch import performer_pytorch as library
    except ImportError as error:
        raise RuntimeError(f"{error}: run `pip install performer-pytorch setuptools` for this Python") from error
    # FastAttention adds 1e-4 to every feature, and causal 1e-6 to the sums of keys: more than the first keys themselves are. With
    # 0 it does the same work and can be checked.
    if not isinstance(library.softmax_kernel, partial):
        library.softmax_kernel = partial(library.softmax_kernel, eps=0)
    q, k, v = attention_inputs(problem)
    attention = library.FastAttention(problem.dHead, nb_features=problem.numFeatures, causal=problem.causal)
    attention.projection_matrix.copy_(tensor(problem.projection, problem.numFeatures, problem.dHead))
    if problem.causal:
        # Without a CUDA extension FastAttention takes this form of its own accord.
        attention.causal_linear_fn = partial(library.causal_linear_attention_noncuda, eps=0)
    return [repeated("performer-pytorch", partial(attention, q, k, v))]
