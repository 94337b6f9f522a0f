"""tanh, σ and exp for compiled kernels: in float32 as quotients and polynomials, which become vector code.

Errors, over all of float32: tanh at most 6 units in the last place (3 where |x| < 2), σ at most 2e-7, exp at most 5
units in the last place. In float64 they are those of the C library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from minidl.kernels.compiler import by_type

f4 = np.float32


def tanh(x: Any) -> Any:
    """The hyperbolic tangent of a scalar, inside of a kernel."""
    raise NotImplementedError


def sigmoid(x: Any) -> Any:
    """σ(x) = ½ tanh(½ x) + ½ of a scalar, inside of a kernel."""
    raise NotImplementedError


def exp(x: Any) -> Any:
    """The exponential function of a scalar that is at most 0, inside of a kernel."""
    raise NotImplementedError


def _maximum(typing: Any, a: Any, b: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = args[0].type
        function = builder.module.declare_intrinsic("llvm.maximum", [real], ir.FunctionType(real, [real, real]))
        return builder.call(function, args)

    return a(a, a), generate


# The larger of two reals, or NaN: LLVM makes vector code of a loop over it, as it does not over max().
larger: Callable[..., Any] = intrinsic(_maximum)


@by_type(tanh)
def _tanh(x: Any) -> Any:
    return _tanh_quotient if x == types.float32 else lambda x: np.tanh(x)


def _tanh_quotient(x: Any) -> Any:
    """x P(x²) / Q(x²), of degree 4 by 4, fitted to the least relative error on [-9, 9]; beyond that ±1."""
    x = min(max(x, f4(-9)), f4(9))
    u = x * x
    p = ((f4(1.3384008568095851e-08) * u + f4(2.0635621694964357e-05)) * u + f4(0.003497445723041892)) * u
    q = ((f4(7.790134191054676e-07) * u + f4(0.00032884973916225135)) * u + f4(0.025884315371513367)) * u
    y = (x + x * u * (p + f4(0.13382677733898163))) / (f4(1) + u * (q + f4(0.4671599864959717)))
    return min(max(y, f4(-1)), f4(1))


@by_type(sigmoid)
def _sigmoid(x: Any) -> Any:
    if x == types.float32:
        return lambda x: f4(0.5) + f4(0.5) * tanh(f4(0.5) * x)
    return lambda x: 0.5 + 0.5 * np.tanh(0.5 * x)


@by_type(exp)
def _exp(x: Any) -> Any:
    return _exp_polynomial if x == types.float32 else lambda x: np.exp(x)


def _exp_polynomial(x: Any) -> Any:
    """2ⁿ eʳ, where n is whole and r lies within ±½ ln 2: a polynomial for eʳ, and n goes into the exponent's bits.

    Coefficients: Moshier, Cephes, expf.
    """
    x = max(x, f4(-87))
    n = np.floor(x * f4(1.44269504088896341) + f4(0.5))
    r = x - n * f4(0.693359375)
    r = r + n * f4(2.12194440e-4)
    p = ((f4(1.9875691500e-4) * r + f4(1.3981999507e-3)) * r + f4(8.3334519073e-3)) * r + f4(4.1665795894e-2)
    p = (p * r + f4(1.6666665459e-1)) * r + f4(5.0000001201e-1)
    bits = np.int32((n + f4(127)) * f4(2**23))
    return (p * r * r + r + f4(1)) * bits.view(np.float32)
