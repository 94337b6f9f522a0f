// Dense and Embedding: the equations of minidl/layers/dense.py and embedding.py, over rows (T, B) of a batch.
#include "recurrent.h"

// x (T, B, F) or ids (T, B), W (F, V) or, where it is tied, its transpose (V, F), b (V), y (T, B, V)
STRUCT(Dense, int64_t T, B, F, V, shares, tied;
       const real *x; const int64_t *ids; const real *W, *b; real *y;
       const real *dy; real *dW, *db, *dx;)

enum { BLOCK = 256, DEPTH = 512 };  // columns of W, and rows of dy, that are used up while they are in the cache

// y = x W + b, for rows lo to hi of T B
KERNEL(dense_forward, Dense, d) {
    int64_t F = d->F, V = d->V;
    if (d->ids) return look_up(hi - lo, V, d->ids + lo, d->W, d->b, d->y + lo * V), 0;
    if (d->T * d->B == 1 && !d->tied) return set(V, d->b, d->y), add_row_times(F, V, d->x, d->W, d->y), 0;
    real *packed = allocate(packed_size(F, least(V, BLOCK)));
    if (!packed) return 1;
    for (int64_t v = 0; v < V; v += BLOCK) {
        int64_t width = least(BLOCK, V - v);
        if (d->tied) pack_transposed(d->W + v * F, F, F, width, packed);
        else pack(d->W + v, V, F, width, packed, 0, F);
        times(hi - lo, width, F, d->x + lo * F, F, packed, d->y + lo * V + v, V, d->b + v, 0);
    }
    free(packed);
    return 0;
}

// The parts of a sum over shares, `size` numbers each, are added up in the first, in pairs: ((0 1) (2 3)) ((4 5) (6 7))
#define add_shares JOIN(add_shares, LEVEL, f, BITS)
__attribute__((visibility("default"))) void add_shares(int64_t shares, int64_t size, real *parts) {
    for (int64_t step = 1; step < shares; step *= 2)
        for (int64_t s = 0; s + step < shares; s += 2 * step) add_row(size, parts + (s + step) * size, parts + s * size);
}

// sum = the rows x (T, B, n), share by share; parts: room for shares x n numbers
static void sum_shares(int64_t T, int64_t B, int64_t shares, int64_t n, const real *x, real *parts, real *sum) {
    set(shares * n, NULL, parts);
    EACH_ROW(T, B, shares, add_row(n, x + row * n, parts + s * n);)
    add_shares(shares, n, parts);
    set(n, parts, sum);
}

// dW = x' dy for features f0 to f1 and a block of columns, and db with the first of them: share by share, some steps at a
// time. The features are packed in strips where they are new
static void block_gradient(const Dense *d, int64_t f0, int64_t f1, int new, int64_t v, int64_t width, real *strips,
                           real *packed, real *parts, real *sums, const real *zeros) {
    int64_t F = f1 - f0, V = d->V;
    set(d->shares * width, NULL, sums);
    for (int64_t s = 0; s < d->shares; s++) {
        int64_t lo = share_start(d->B, d->shares, s), n = share_start(d->B, d->shares, s + 1) - lo, run = (DEPTH + n - 1) / n;
        real *part = parts + s * F * width;
        for (int64_t t = 0; t < d->T; t += run) {
            int64_t steps = least(run, d->T - t), rows = steps * n;
            int64_t group = n == d->B ? steps : 1;  // steps whose rows follow one another
            for (int64_t i = 0; i < steps; i += group) {
                int64_t row = (t + i) * d->B + lo;
                pack(d->dy + row * V + v, V, group * n, width, packed, i * n, rows);
                if (new) pack_strips(d->x + row * d->F + f0, d->F, group * n, F, strips, i * n, rows);
                for (int64_t k = row; k < row + group * n && !f0; k++) add_row(width, d->dy + k * V + v, sums + s * width);
            }
            times(F, width, rows, strips, 0, packed, part, width, t ? part : zeros, t ? width : 0);
            strips += rows * F;
        }
    }
    add_shares(d->shares, F * width, parts);
    copy_rows(F, width, parts, width, d->dW + f0 * V + v, V);
    add_shares(d->shares, width, sums);
    if (!f0) set(width, sums, d->db + v);
}

// dW = x' dy and db = sum of dy for a part of the features of all blocks of columns, dx = dy W' for as large a part of the
// rows: lo to hi of F V
KERNEL(dense_backward, Dense, d) {
    int64_t F = d->F, V = d->V, rows = d->T * d->B, first = rows * lo / (F * V), last = rows * hi / (F * V), wide = least(V, BLOCK);
    int64_t blocks = (V + BLOCK - 1) / BLOCK, start = blocks * lo / V, stop = blocks * hi / V, most = least(F, stop - start);
    int64_t share = (d->B + d->shares - 1) / d->shares, depth = share * least(d->T, (DEPTH + share - 1) / share);
    int64_t sizes[] = {rows * most, packed_size(depth, wide), d->shares * most * wide,
                       d->dx ? packed_size(wide, F) : 0, wide > F ? wide : F, d->shares * wide};
    real *room[6];
    if (!allocate_all(6, sizes, room)) return 1;
    real *strips = room[0], *packed = room[1], *parts = room[2], *W = room[3], *zeros = room[4], *sums = room[5];
    set(sizes[4], NULL, zeros);
    for (int64_t v = 0, f0 = -1, f1 = -1; v < V; v += BLOCK, start -= F, stop -= F) {
        int64_t width = least(BLOCK, V - v), from = start > 0 ? start : 0, to = least(F, stop), new = from != f0 || to != f1;
        if (from < to) block_gradient(d, f0 = from, f1 = to, new, v, width, strips, packed, parts, sums, zeros);
        if (!d->dx) continue;
        if (d->tied) pack(d->W + v * F, F, width, F, W, 0, width);
        else pack_transposed(d->W + v, V, width, F, W);
        times(last - first, F, width, d->dy + first * V + v, V, W, d->dx + first * F, F, v ? d->dx + first * F : zeros, v ? F : 0);
    }
    free(strips);
    return 0;
}

// dW[k] = sum of the rows of dy whose id is k, for symbols lo to hi of F; each sum is over shares, in order within them.
// With the first db too, where it is asked for.
KERNEL(scatter, Dense, d) {
    int64_t V = d->V, rows = d->T * d->B, symbols = hi - lo;
    int64_t *first = malloc((symbols + rows) * sizeof(int64_t)), *next = first + symbols;  // rows of a symbol; -1 ends them
    real *parts = allocate(d->shares * V);
    if (!first || !parts) return free(first), free(parts), 1;
    for (int64_t k = 0; k < symbols; k++) first[k] = -1;
    for (int64_t row = rows - 1; row >= 0; row--) {
        int64_t k = d->ids[row] - lo;
        if (k < 0 || k >= symbols) continue;
        next[row] = first[k];
        first[k] = row;
    }
    for (int64_t k = 0; k < symbols; k++) {
        int used = first[k] >= 0;
        if (used) set(d->shares * V, NULL, parts);
        for (int64_t row = first[k], s = 0; row >= 0; row = next[row], s = 0) {
            while (row % d->B >= share_start(d->B, d->shares, s + 1)) s++;
            add_row(V, d->dy + row * V, parts + s * V);
        }
        if (used) add_shares(d->shares, V, parts);
        set(V, used ? parts : NULL, d->dW + (lo + k) * V);
    }
    if (d->db && lo == 0) sum_shares(d->T, d->B, d->shares, V, d->dy, parts, d->db);
    free(first);
    free(parts);
    return 0;
}
