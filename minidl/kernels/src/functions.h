// tanh, sigmoid and exp of vectors. NaN stays NaN.
//
// Errors in float, over all numbers: tanh at most 6 units in the last place (3 where |x| < 2), sigmoid at most 2e-7, exp
// at most 5 units in the last place; in double at most 4 units.
#pragma once

#include "real.h"

// tanh x = p / q: a quotient, so that several functions can share one division
typedef struct { vec p, q; } Quotient;

INLINE vec all(real x) { return x - (vec){0}; }
INLINE vec clamp(vec x, real size) { return min(all(size), max(all(-size), x)); }

#if BITS == 32
#define MAGIC 12582912.0f  // 1.5 2^23: a number with it added is rounded to a whole one, which is in the last bits
#define MANTISSA 23
#define EXPONENT_OF_ONE 0x3f800000u
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define SMALLEST -87.0f  // whose exponential is a normal number

// x P(x^2) / Q(x^2), of degree 4 by 4, fitted to the least relative error on [-9, 9]; beyond that +-1
INLINE Quotient tanh_quotient(vec x) {
    x = clamp(x, 9);
    vec u = x * x;
    vec p = ((1.3384008568095851e-08f * u + 2.0635621694964357e-05f) * u + 0.003497445723041892f) * u + 0.13382677733898163f;
    vec q = ((7.790134191054676e-07f * u + 0.00032884973916225135f) * u + 0.025884315371513367f) * u + 0.4671599864959717f;
    return (Quotient){x + x * u * p, 1 + u * q};
}

// exp r - 1 for |r| <= ln 2 / 2 (Moshier, Cephes, expf)
INLINE vec expm1_polynomial(vec r) {
    vec p = ((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f;
    p = (p * r + 1.6666665459e-1f) * r + 5.0000001201e-1f;
    return p * r * r + r;
}
#else
#define MAGIC 6755399441055744.0  // 1.5 2^52
#define MANTISSA 52
#define EXPONENT_OF_ONE 0x3ff0000000000000u
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define SMALLEST -708.0

// exp r - 1 for |r| <= ln 2 / 2, by Taylor's series
INLINE vec expm1_polynomial(vec r) {
    vec p = (r * (1.0 / 6227020800) + 1.0 / 479001600) * r + 1.0 / 39916800;
    p = ((p * r + 1.0 / 3628800) * r + 1.0 / 362880) * r + 1.0 / 40320;
    p = ((p * r + 1.0 / 5040) * r + 1.0 / 720) * r + 1.0 / 120;
    p = ((p * r + 1.0 / 24) * r + 1.0 / 6) * r + 0.5;
    return p * r * r + r;
}
#endif

// 2^n and exp(r) - 1 with exp(x) = 2^n exp(r), where n is whole and |r| <= ln 2 / 2
INLINE vec split_exponent(vec x, vec *power) {
    vec shifted = x * (real)1.44269504088896341 + MAGIC, n = shifted - MAGIC;
    *power = (vec)(((bits_vec)shifted << MANTISSA) + EXPONENT_OF_ONE);
    return expm1_polynomial((x - n * LN2_HIGH) - n * LN2_LOW);
}

#if BITS == 64
// e / (e + 2), where e = exp(2 |x|) - 1
INLINE Quotient tanh_quotient(vec x) {
    bits_vec sign = (bits_vec)x & (bits)1 << 63;
    vec power, rest = split_exponent(2 * min(all(20), (vec)((bits_vec)x ^ sign)), &power);
    vec e = power * rest + (power - 1);
    return (Quotient){(vec)((bits_vec)e | sign), e + 2};
}
#endif

INLINE vec tanh_of(vec x) {
    Quotient y = tanh_quotient(x);
    return clamp(y.p / y.q, 1);
}

INLINE vec sigmoid_from_tanh(vec y) { return (real)0.5 + (real)0.5 * y; }

// exp x for x <= 0
INLINE vec exp_of(vec x) {
    vec power, rest = split_exponent(max(all(SMALLEST), x), &power), y = power * rest + power;
    return (vec)((bits_vec)y & ~(bits_vec)(x < SMALLEST));
}

// y = tanh x, where two vectors share a division
static void tanh_row(int64_t n, const real *x, real *y) {
    for (; n >= WIDE; n -= WIDE, x += WIDE, y += WIDE) {
        Quotient a = tanh_quotient(load(x)), b = tanh_quotient(load(x + LANES));
        vec inverse = 1 / (a.q * b.q);
        store(y, clamp(a.p * (b.q * inverse), 1));
        store(y + LANES, clamp(b.p * (a.q * inverse), 1));
    }
    EACH(n, put(y + j, tanh_of(get(x + j, width)), width););
}

// The largest of a row, of those that are not NaN
static real largest_of(int64_t V, const real *v) {
    vec most = all(v[0]);
    for (int64_t k = 0; k + LANES <= V; k += LANES) most = max(load(v + k), most);
    if (V >= LANES) most = max(load(v + V - LANES), most);  // some of them for the second time
    else for (int64_t k = 0; k < V; k++) most = max(all(v[k]), most);
    real largest = most[0];
    for (int i = 1; i < LANES; i++) largest = most[i] > largest ? most[i] : largest;
    return largest;
}
