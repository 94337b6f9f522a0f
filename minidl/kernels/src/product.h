// Matrix products. The right operand is packed into panels WIDE columns wide; a tile of the result, up to ROWS x WIDE,
// stays in registers while k runs. Each number of the result is a sum over k in order, whatever the tile around it is.
#pragma once

#include "real.h"

enum { LARGE = 1 << 16 };  // numbers of a result whose rows are asked for before their sums are made

// Numbers that (K, N) takes when it is packed: N is rounded up to whole vectors
INLINE int64_t packed_size(int64_t K, int64_t N) { return K * ((N + LANES - 1) / LANES * LANES); }

// Rows k to k + count of `depth` rows of a packed B (.., N), from `count` rows that are ldb apart
static void pack(const real *B, int64_t ldb, int64_t count, int64_t N, real *P, int64_t k, int64_t depth) {
    for (int64_t n = 0; n < N; n += WIDE) {
        int64_t width = N - n > LANES ? WIDE : LANES, there = least(N - n, width);
        real *p = P + n * depth + k * width;
        for (const real *b = B + n, *end = b + count * ldb; b < end; b += ldb, p += width)
            for (int64_t j = 0; j < width; j += LANES) store(p + j, get(b + j, least(LANES, there - j)));
    }
}

// A packed Bt' (K, N), from the rows of Bt (N, K), which are ldb apart: a cache line of each row at a time
static void pack_transposed(const real *Bt, int64_t ldb, int64_t K, int64_t N, real *P) {
    for (int64_t n = 0; n < N; n += WIDE) {
        int64_t width = N - n > LANES ? WIDE : LANES, there = least(N - n, width);
        if (there < width) memset(P + n * K, 0, K * width * sizeof(real));
        for (int64_t k = 0; k < K; k += LINE)
            for (int64_t j = 0; j < there; j++)
                for (int64_t i = k; i < least(K, k + LINE); i++) P[n * K + i * width + j] = Bt[(n + j) * ldb + i];
    }
}

// Of M rows, tile i of `count` as equal ones as can be begins here
INLINE int64_t tiles(int64_t M) { return (M + ROWS - 1) / ROWS; }
INLINE int64_t tile_start(int64_t M, int64_t i) { return M * i / tiles(M); }

// The columns of A (K, M), as rows k to k + count of strips of tiles: each tile then reads one place in order
static void pack_strips(const real *A, int64_t lda, int64_t count, int64_t M, real *S, int64_t k, int64_t depth) {
    for (int64_t i = 0; i < tiles(M); i++) {
        int64_t m = tile_start(M, i), rows = tile_start(M, i + 1) - m;
        real *s = S + m * depth + k * rows;
        const real *a = A + m;
        for (int64_t n = 0; n < count; n++, s += rows, a += lda)
            for (int64_t j = 0; j < rows; j++) s[j] = a[j];
    }
}

// C (rows, vectors) = from + A P, where only `last` columns of the last vector exist: C and from may be the same
INLINE void tile(const int rows, const int vectors, const real *A, int64_t row, int64_t column, const real *P, int64_t K,
                 real *C, int64_t ldc, const real *from, int64_t ldf, int64_t last) {
    vec sum[ROWS][2];
    UNROLL
    for (int m = 0; m < rows; m++)
        UNROLL
        for (int v = 0; v < vectors; v++) sum[m][v] = (vec){0};
    for (int64_t k = 0; k < K; k++, A += column, P += vectors * LANES) {
        vec right[2];
        UNROLL
        for (int v = 0; v < vectors; v++) right[v] = load(P + v * LANES);
        UNROLL
        for (int m = 0; m < rows; m++) {
            real a = A[m * row];
            UNROLL
            for (int v = 0; v < vectors; v++) sum[m][v] += a * right[v];
        }
    }
    UNROLL
    for (int m = 0; m < rows; m++)
        UNROLL
        for (int v = 0; v < vectors; v++) {
            int64_t width = v < vectors - 1 ? LANES : last;
            put(C + m * ldc + v * LANES, get(from + m * ldf + v * LANES, width) + sum[m][v], width);
        }
}

static void copy_rows(int64_t rows, int64_t n, const real *from, int64_t ldf, real *to, int64_t ldt) {
    for (; rows; rows--, from += ldf, to += ldt) EACH(n, put(to + j, get(from + j, width), width););
}

// `width` columns of C, one or two vectors
INLINE void panel(const int vectors, int64_t M, int64_t K, const real *A, int64_t lda, const real *P, real *C, int64_t ldc,
                  const real *from, int64_t ldf, int64_t width) {
    int64_t last = width - (vectors - 1) * LANES;
    int ahead = M * ldc >= LARGE && !(lda && ldf);  // the sums of a step are in the caches, those of a run are not
    for (int64_t i = 0; i < tiles(M); i++) {
        int64_t m = tile_start(M, i), rows = tile_start(M, i + 1) - m;
        for (int64_t k = m; ahead && k < m + rows; k++)
            __builtin_prefetch(C + k * ldc, 1), __builtin_prefetch(C + k * ldc + width - 1, 1);
        switch (rows) {
#define TILE(height)                                                                                        \
    case height:                                                                                            \
        if (height > ROWS) break;                                                                           \
        if (lda) tile(height, vectors, A + m * lda, lda, 1, P, K, C + m * ldc, ldc, from + m * ldf, ldf, last); \
        else tile(height, vectors, A + m * K, 1, height, P, K, C + m * ldc, ldc, from + m * ldf, ldf, last);    \
        break;
            TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if defined __AVX512F__ || !defined OF_VECTOR
            TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
#ifdef __AVX512F__
            TILE(13) TILE(14)
#endif
        }
    }
}

// C (M, N) = from + A B: B (K, N) is packed; rows of A are lda apart, or in strips where lda is 0. from: C itself, or a row
// for all where ldf is 0
static void times(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *P, real *C, int64_t ldc,
                  const real *from, int64_t ldf) {
    for (int64_t n = 0; n < N; n += WIDE)
        if (N - n > LANES) panel(2, M, K, A, lda, P + n * K, C + n, ldc, from + n, ldf, least(N - n, WIDE));
        else panel(1, M, K, A, lda, P + n * K, C + n, ldc, from + n, ldf, N - n);
}
