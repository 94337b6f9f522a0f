// Matrix products. The right operand is packed into panels WIDE columns wide; a tile of the result, up to ROWS x WIDE,
// stays in registers while k runs. Each number of the result is a sum over k in order, whatever the tile around it is.
#ifndef PRODUCT_H
#define PRODUCT_H

#include "real.h"

// Numbers that (K, N) takes when it is packed: N is rounded up to whole vectors
INLINE int64_t packed_size(int64_t K, int64_t N) { return K * ((N + LANES - 1) / LANES * LANES); }

// Rows k to k + count of `depth` rows of a packed B (.., N), from `count` rows that are ldb apart
static void pack(const real *B, int64_t ldb, int64_t count, int64_t N, real *P, int64_t k, int64_t depth) {
    for (int64_t n = 0; n < N; n += WIDE) {
        int64_t width = N - n > LANES ? WIDE : LANES, there = least(N - n, width);
        real *p = P + n * depth + k * width;
        const real *b = B + n;
        if (there == WIDE)
            for (int64_t i = 0; i < count; i++, p += WIDE, b += ldb) {
                store(p, load(b));
                store(p + LANES, load(b + LANES));
            }
        else
            for (int64_t i = 0; i < count; i++, p += width, b += ldb)
                for (int64_t j = 0; j < width; j++) p[j] = j < there ? b[j] : 0;
    }
}

// A packed Bt' (K, N), from the rows of Bt (N, K), which are ldb apart: float in blocks of 4 x 4
static void pack_transposed(const real *Bt, int64_t ldb, int64_t K, int64_t N, real *P) {
    for (int64_t n = 0; n < N; n += WIDE) {
        int64_t width = N - n > LANES ? WIDE : LANES, there = least(N - n, width), k = 0;
        real *p = P + n * K;
        const real *from = Bt + n * ldb;
        if (there < width) memset(p, 0, K * width * sizeof(real));
#if BITS == 32
        for (; k + 4 <= K; k += 4, p += 4 * width) {
            int64_t j = 0;
            for (const real *b = from + k; j + 4 <= there; j += 4, b += 4 * ldb) {
                quarter r0 = load4(b), r1 = load4(b + ldb), r2 = load4(b + 2 * ldb), r3 = load4(b + 3 * ldb);
                quarter low0 = SHUFFLE(r0, r1, 0, 4, 1, 5), high0 = SHUFFLE(r0, r1, 2, 6, 3, 7);
                quarter low1 = SHUFFLE(r2, r3, 0, 4, 1, 5), high1 = SHUFFLE(r2, r3, 2, 6, 3, 7);
                store4(p + j, SHUFFLE(low0, low1, 0, 1, 4, 5));
                store4(p + width + j, SHUFFLE(low0, low1, 2, 3, 6, 7));
                store4(p + 2 * width + j, SHUFFLE(high0, high1, 0, 1, 4, 5));
                store4(p + 3 * width + j, SHUFFLE(high0, high1, 2, 3, 6, 7));
            }
            for (; j < there; j++)
                for (int i = 0; i < 4; i++) p[i * width + j] = from[j * ldb + k + i];
        }
#endif
        for (; k < K; k++, p += width)
            for (int64_t j = 0; j < there; j++) p[j] = from[j * ldb + k];
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

// C (rows, width) = from + edge: a tile of which not all columns exist
static __attribute__((noinline)) void put_edge(int rows, const real *edge, real *C, int64_t ldc, const real *from, int64_t ldf,
                                               int64_t width) {
    for (; rows; rows--, edge += WIDE, C += ldc, from += ldf) {
        int64_t j = 0;
        for (; j + LANES <= width; j += LANES) store(C + j, load(from + j) + load(edge + j));
        if (j < width) store_part(C + j, load_part(from + j, width - j) + load(edge + j), width - j);
    }
}

// C (rows, width) = from + A P, with `vectors` vectors a row: C and from may be the same
INLINE void tile(const int rows, const int vectors, const real *A, int64_t row, int64_t column, const real *P, int64_t K,
                 real *C, int64_t ldc, const real *from, int64_t ldf, int64_t width) {
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
    if (width < vectors * LANES) {
        real edge[ROWS * WIDE];
        UNROLL
        for (int m = 0; m < rows; m++)
            UNROLL
            for (int v = 0; v < vectors; v++) store(edge + m * WIDE + v * LANES, sum[m][v]);
        put_edge(rows, edge, C, ldc, from, ldf, width);
        return;
    }
    UNROLL
    for (int m = 0; m < rows; m++)
        UNROLL
        for (int v = 0; v < vectors; v++) store(C + m * ldc + v * LANES, load(from + m * ldf + v * LANES) + sum[m][v]);
}

INLINE void panel(const int vectors, const int strips, int64_t M, int64_t K, const real *A, int64_t lda, const real *P,
                  real *C, int64_t ldc, const real *from, int64_t ldf, int64_t width) {
    for (int64_t i = 0; i < tiles(M); i++) {
        int64_t m = tile_start(M, i), rows = tile_start(M, i + 1) - m;
        real *c = C + m * ldc;
        const real *f = from + m * ldf;
#define TILE(height)                                                                                        \
    case height:                                                                                            \
        if (height > ROWS) break;                                                                           \
        if (strips) tile(height, vectors, A + m * K, 1, height, P, K, c, ldc, f, ldf, width);               \
        else tile(height, vectors, A + m * lda, lda, 1, P, K, c, ldc, f, ldf, width);                       \
        break;
        switch (rows) {
            TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if defined __AVX512F__ || defined __aarch64__
            TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
#ifdef __AVX512F__
            TILE(13) TILE(14)
#endif
        }
#undef TILE
    }
}

// C (M, N) = from + A B: B (K, N) is packed, rows of A are lda apart. from: C itself, or a row for all where ldf is 0
static void times(int64_t M, int64_t N, int64_t K, const real *A, int64_t lda, const real *P, real *C, int64_t ldc,
                  const real *from, int64_t ldf) {
    for (int64_t n = 0; n < N; n += WIDE)
        if (N - n > LANES) panel(2, 0, M, K, A, lda, P + n * K, C + n, ldc, from + n, ldf, least(N - n, WIDE));
        else panel(1, 0, M, K, A, lda, P + n * K, C + n, ldc, from + n, ldf, N - n);
}

// The same, where A is packed in strips
static void strips_times(int64_t M, int64_t N, int64_t K, const real *S, const real *P, real *C, int64_t ldc,
                         const real *from, int64_t ldf) {
    for (int64_t n = 0; n < N; n += WIDE)
        if (N - n > LANES) panel(2, 1, M, K, S, 0, P + n * K, C + n, ldc, from + n, ldf, least(N - n, WIDE));
        else panel(1, 1, M, K, S, 0, P + n * K, C + n, ldc, from + n, ldf, N - n);
}

#endif
