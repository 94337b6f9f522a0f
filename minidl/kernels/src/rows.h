// Products of a single row and a matrix, as one stream needs them: they take as long as it takes to read the matrix.
#pragma once

#include "real.h"

// `count` vectors of y += h W, from the columns at W on; the last vector has only `last` columns
INLINE void add_columns(const int count, int64_t K, const real *h, const real *W, int64_t ldw, real *y, int64_t last) {
    vec sum[REGISTERS], other[REGISTERS];  // two sums where there are so few that they would wait for themselves
    const int twice = count <= 6;
#define WIDTH(v) (v < count - 1 ? LANES : last)
    UNROLL
    for (int v = 0; v < count; v++) sum[v] = get(y + v * LANES, WIDTH(v)), other[v] = (vec){0};
    int64_t k = 0;
    if (twice)
        for (; k + 2 < K; k += 2, W += 2 * ldw)
            UNROLL
            for (int v = 0; v < count; v++) {
                sum[v] += h[k] * load(W + v * LANES);
                other[v] += h[k + 1] * load(W + ldw + v * LANES);
            }
    for (; k + 1 < K; k++, W += ldw)  // reads a little of the next row where the last vector is not whole
        UNROLL
        for (int v = 0; v < count; v++) sum[v] += h[k] * load(W + v * LANES);
    UNROLL
    for (int v = 0; v < count; v++) {
        sum[v] += h[k] * get(W + v * LANES, WIDTH(v));
        put(y + v * LANES, twice ? sum[v] + other[v] : sum[v], WIDTH(v));
    }
#undef WIDTH
}

// y (N) += h W, with h (K), W (K, N): sums of equal blocks of columns stay in registers
static void add_row_times(int64_t K, int64_t N, const real *h, const real *W, real *y) {
    int64_t vectors = (N + LANES - 1) / LANES, blocks = (vectors + REGISTERS - 1) / REGISTERS;
    for (int64_t i = 0; i < blocks; i++) {
        int64_t v = vectors * i / blocks, count = vectors * (i + 1) / blocks - v, n = v * LANES;
        int64_t last = least(LANES, N - n - (count - 1) * LANES);
        switch (count) {
#define BLOCK(number)                                                         \
    case number:                                                              \
        if (number <= REGISTERS) add_columns(number, K, h, W + n, N, y + n, last); \
        break;
            BLOCK(1) BLOCK(2) BLOCK(3) BLOCK(4) BLOCK(5) BLOCK(6) BLOCK(7) BLOCK(8) BLOCK(9) BLOCK(10) BLOCK(11) BLOCK(12)
            BLOCK(13) BLOCK(14) BLOCK(15) BLOCK(16) BLOCK(17) BLOCK(18) BLOCK(19) BLOCK(20) BLOCK(21) BLOCK(22) BLOCK(23)
            BLOCK(24)
#undef BLOCK
        }
    }
}

// y = d W', or += where `add` is true, for some rows of W (K, N), whose sums do not wait for each other
INLINE void add_products(const int rows, int64_t N, const real *d, const real *W, real *y, int add) {
    int64_t whole = N / LANES * LANES;
    vec sum[8] = {{0}};
    for (int64_t n = 0; n < whole; n += LANES)
        UNROLL
        for (int r = 0; r < rows; r++) sum[r] += load(d + n) * load(W + r * N + n);
    UNROLL
    for (int r = 0; r < rows; r++) y[r] = (add ? y[r] : 0) + sum_of(sum[r]);
    for (int r = 0; r < rows; r++)
        for (int64_t n = whole; n < N; n++) y[r] += d[n] * W[r * N + n];
}

// y (K) = d W', or += where `add` is true, with d (N), W (K, N)
static void row_times_transposed(int64_t N, int64_t K, const real *d, const real *W, real *y, int add) {
    int64_t k = 0;
    for (; k + 8 <= K; k += 8) add_products(8, N, d, W + k * N, y + k, add);
    for (; k < K; k++) add_products(1, N, d, W + k * N, y + k, add);
}
