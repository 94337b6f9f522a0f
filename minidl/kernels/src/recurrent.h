// What recurrent layers have in common: the products of a step, the gradients of a run of steps, shares of a batch.
//
// A thread computes the sequences lo to hi of a batch. Gradients of weights are sums over shares of the sequences, which
// are the same for any number of threads; each share has its own place in dWx, dWh, db and dbh.
#pragma once

#include "functions.h"
#include "product.h"
#include "rows.h"

// Time-major and contiguous: x (T, B, F) or ids (T, B), Wx (F, G), Wh (H, G), h and c (T + 1, B, H), gates (T, B, G), s, y
// (T, B, H), with G columns of gates; gradients of weights (shares, ...); first states h0 and c0, and gradients of the last
// ones, (B, H). Of lengths (B), dx, gates that nobody reads, and what has to do with first and last states any may be
// missing, and so may Wh: then nothing of the past is in the gates.
STRUCT(Recurrent, int64_t T, B, F, H, G, shares, relu;
       const real *x; const int64_t *ids, *lengths;
       const real *Wx, *Wh, *b, *bh, *h0, *c0;
       real *h, *c, *gates, *s;
       const real *dy, *dh_last, *dc_last;
       real *dx, *dWx, *dWh, *db, *dbh, *dh0, *dc0;)

enum { RUN = 256 };  // rows of gradients of a share that are kept until the products of weight gradients are done

// Where the sequences of a share begin
INLINE int64_t share_start(int64_t B, int64_t shares, int64_t s) { return B * s / shares; }

// Do something for each `row` of (T, B), share s by share, each in order of time
#define EACH_ROW(T, B, shares, ...)                                                                           \
    for (int64_t s = 0; s < (shares); s++)                                                                    \
        for (int64_t t = 0; t < (T); t++)                                                                     \
            for (int64_t row = t * (B) + share_start(B, shares, s); row < t * (B) + share_start(B, shares, s + 1); row++) { \
                __VA_ARGS__                                                                                   \
            }

INLINE void add_row(int64_t n, const real *x, real *y) {
    EACH(n, put(y + j, get(y + j, width) + get(x + j, width), width););
}

// y = W[ids] + b, a row for each id
static void look_up(int64_t rows, int64_t n, const int64_t *ids, const real *W, const real *b, real *y) {
    for (int64_t i = 0; i < rows; i++, y += n)
        EACH(n, put(y + j, get(W + ids[i] * n + j, width) + get(b + j, width), width););
}

// to = from, or 0 where there is none
INLINE void set(int64_t n, const real *from, real *to) {
    if (from) memcpy(to, from, n * sizeof(real));
    else memset(to, 0, n * sizeof(real));
}

// ---- sequences that have ended before a step: what x holds there is not read ----

INLINE int ended(const Recurrent *r, int64_t t, int64_t n) { return r->lengths && t >= r->lengths[n]; }

// The rows of x at a step; a copy with zeros where sequences have ended, in `room`
static const real *input_rows(const Recurrent *r, int64_t t, int64_t lo, int64_t hi, real *room) {
    const real *x = r->x + (t * r->B + lo) * r->F;
    for (int64_t n = lo; n < hi && r->lengths; n++)
        set(r->F, ended(r, t, n) ? NULL : x + (n - lo) * r->F, room + (n - lo) * r->F);
    return r->lengths ? room : x;
}

// The rows of sequences that have ended become those of last, or 0
static void set_ended(const Recurrent *r, int64_t t, int64_t lo, int64_t hi, int64_t width, const real *last, real *rows) {
    for (int64_t n = lo; n < hi && r->lengths; n++, rows += width)
        if (ended(r, t, n)) set(width, last ? last + n * width : NULL, rows);
}

// ---- one sequence at one step: where its arrays are, and gradients of states, which the step before goes on with ----

typedef struct {
    const real *h_prev, *c_prev, *dy;
    real *h, *c, *gates, *s, *past, *dh, *dc, *room;  // past: share of the past in the gates, where it stands apart
} Row;

INLINE real *place(const real *array, int64_t i) { return array ? (real *)array + i : NULL; }

INLINE Row row_of(const Recurrent *r, int64_t t, int64_t n) {
    int64_t H = r->H, now = t * r->B + n, next = now + r->B;
    return (Row){.h_prev = place(r->h, now * H), .c_prev = place(r->c, now * H), .dy = place(r->dy, now * H),
                 .h = place(r->h, next * H), .c = place(r->c, next * H),
                 .gates = place(r->gates, now * r->G), .s = place(r->s, now * H)};
}

// ---- forward ----

// a = x Wx + b, and 0 where a sequence has ended; Wx is packed, x is room for rows
static void input_product(const Recurrent *r, int64_t t, int64_t lo, int64_t hi, const real *Wx, real *x, real *a) {
    if (r->x) times(hi - lo, r->G, r->F, input_rows(r, t, lo, hi, x), r->F, Wx, a, r->G, r->b, 0);
    else look_up(hi - lo, r->G, r->ids + t * r->B + lo, r->Wx, r->b, a);
    set_ended(r, t, lo, hi, r->G, NULL, a);
}

// A step of a sequence from a, the sums of its gates
typedef void Step(const Recurrent *r, Row at, const real *a);

// All steps forward, for some sequences
INLINE int forward(const Recurrent *r, int64_t lo, int64_t hi, Step *step, int with_past) {
    int64_t n = hi - lo, F = r->F, H = r->H, G = r->G, many = r->B > 1 && r->Wh;
    int64_t sizes[] = {r->x ? packed_size(F, G) : 0, many ? packed_size(H, G) : 0, r->lengths ? n * F : 0, (1 + with_past) * n * G};
    real *room[4];
    if (!allocate_all(4, sizes, room)) return 1;
    real *Wx = room[0], *Wh = room[1], *x = room[2], *a = room[3], *past = with_past ? a + n * G : a;
    if (r->x) pack(r->Wx, G, F, G, Wx, 0, F);
    if (many) pack(r->Wh, G, H, G, Wh, 0, H);
    if (r->h0) set(n * H, r->h0 + lo * H, r->h + lo * H);
    if (r->c0) set(n * H, r->c0 + lo * H, r->c + lo * H);
    for (int64_t t = 0; t < r->T; t++) {
        int64_t now = (t * r->B + lo) * H, next = now + r->B * H;
        input_product(r, t, lo, hi, Wx, x, a);
        for (int64_t k = 0; k < n && with_past; k++) set(G, r->bh, past + k * G);
        if (many) times(n, G, H, r->h + now, H, Wh, past, G, past, G);  // a += h Wh
        else if (r->Wh) add_row_times(H, G, r->h + now, r->Wh, past);
        for (int64_t k = 0; k < n; k++) {
            Row at = row_of(r, t, lo + k);
            at.past = past + k * G;
            if (!r->gates) at.gates = a + k * G;  // nobody reads them
            step(r, at, a + k * G);
        }
        if (r->c) set_ended(r, t, lo, hi, H, NULL, r->c + next);
        set_ended(r, t, lo, hi, H, NULL, r->h + next);
    }
    free(room[0]);
    return 0;
}

// ---- backward ----

// The steps start to stop of sequences lo to lo + n; input and past: gradients at the sums of the gates (steps, n, wide),
// by way of the input, and of the past where that stands apart; dh, dc: of states (n, H); Wx, Wh: packed; the rest is room.
// wide: G and a little more, as rows that are a power of two apart would take the same places of a cache
typedef struct {
    int64_t lo, n, start, stop, wide;
    real *input, *past, *dh, *dc, *row, *Wx, *Wh, *x, *packed, *strips, *zeros;
} Run;

// A step back: from dh and dc to da, the gradients at the sums of the gates, and to those of the states before
typedef void StepBack(const Recurrent *r, Row at, real *da);

// dW = x' da (first run), or dW += x' da, for the sequences from to `to`: x is the input, or else h (K columns)
static void weight_gradient(const Recurrent *r, const Run *run, int64_t from, int64_t to, int64_t K, const real *h, const real *da,
                            real *dW) {
    int64_t n = to - from, steps = run->stop - run->start, rows = steps * n, G = r->G;
    int64_t group = n == r->B && !r->lengths ? steps : 1;  // steps whose rows follow one another
    int new = run->stop == r->T;
    for (int64_t t = run->start, k = 0; t < run->stop; t += group, k += group * n) {
        pack(da + ((t - run->start) * run->n + from - run->lo) * run->wide, run->wide, group * n, G, run->packed, k, rows);
        const real *left = h ? h + (t * r->B + from) * K : input_rows(r, t, from, to, run->x);
        pack_strips(left, K, group * n, K, run->strips, k, rows);
    }
    times(K, G, rows, run->strips, 0, run->packed, dW, G, new ? run->zeros : dW, new ? 0 : G);
}

// The gradients of weights, and of x, from a run of steps, for the sequences of each share
static void run_back(const Recurrent *r, int64_t first, int64_t last, const Run *run) {
    int64_t n = run->n, lo = run->lo, H = r->H, G = r->G, F = r->F, wide = run->wide;
    for (int64_t t = run->start; t < run->stop && r->dx; t++)
        times(n, F, G, run->input + (t - run->start) * n * wide, wide, run->Wx, r->dx + (t * r->B + lo) * F, F, run->zeros, 0);
    for (int64_t s = first; s < last; s++) {
        int64_t from = share_start(r->B, r->shares, s), to = share_start(r->B, r->shares, s + 1);
        real *dWx = r->dWx + s * F * G;
        if (r->Wh) weight_gradient(r, run, from, to, H, r->h, run->past ? run->past : run->input, r->dWh + s * H * G);
        if (r->x) weight_gradient(r, run, from, to, F, NULL, run->input, dWx);
        for (int64_t t = run->stop - 1; t >= run->start; t--)
            for (int64_t i = from; i < to; i++) {
                int64_t row = ((t - run->start) * n + i - lo) * wide;
                if (r->ids) add_row(G, run->input + row, dWx + r->ids[t * r->B + i] * G);
                add_row(G, run->input + row, r->db + s * G);
                if (run->past) add_row(G, run->past + row, r->dbh + s * G);
            }
    }
}

// All steps backward, for some shares: run by run, so that weight gradients use rows that are still in the cache
INLINE int backward(const Recurrent *r, int64_t first, int64_t last, StepBack *step_back, int with_past) {
    int64_t lo = share_start(r->B, r->shares, first), n = share_start(r->B, r->shares, last) - lo, F = r->F, H = r->H, G = r->G, wide = G + LINE;
    int64_t share = (r->B + r->shares - 1) / r->shares, steps = least(r->T, (RUN + share - 1) / share), many = r->B > 1 && r->Wh;
    int64_t sizes[] = {steps * n * wide, with_past ? steps * n * wide : 0, n * H, n * H, H, r->dx ? packed_size(G, F) : 0,
                       many ? packed_size(G, H) : 0, r->lengths ? n * F : 0, packed_size(steps * share, G),
                       steps * share * (F > H ? F : H), G > F ? G : F};
    real *room[11];
    if (!allocate_all(11, sizes, room)) return 1;
    Run run = {lo, n, 0, r->T, wide, room[0], with_past ? room[1] : NULL, room[2], room[3], room[4],
               room[5], room[6], room[7], room[8], room[9], room[10]};
    if (r->dx) pack_transposed(r->Wx, G, G, F, run.Wx);
    if (many) pack_transposed(r->Wh, G, G, H, run.Wh);
    set(n * H, r->dh_last ? r->dh_last + lo * H : NULL, run.dh);
    set(n * H, r->dc_last ? r->dc_last + lo * H : NULL, run.dc);
    set(sizes[10], NULL, run.zeros);
    set((last - first) * G, NULL, r->db + first * G);
    if (with_past) set((last - first) * G, NULL, r->dbh + first * G);
    if (r->ids) set((last - first) * F * G, NULL, r->dWx + first * F * G);
    for (; run.stop > 0; run.stop = run.start) {
        run.start = run.stop > steps ? run.stop - steps : 0;
        for (int64_t t = run.stop - 1; t >= run.start; t--) {
            real *input = run.input + (t - run.start) * n * wide, *past = room[1] + (t - run.start) * n * wide;
            const real *da = with_past ? past : input;
            for (int64_t k = 0; k < n; k++) {
                Row at = row_of(r, t, lo + k);
                at.past = past + k * wide, at.dh = run.dh + k * H, at.dc = run.dc + k * H, at.room = run.row;
                step_back(r, at, input + k * wide);
            }
            set_ended(r, t, lo, lo + n, wide, NULL, input);
            if (with_past) set_ended(r, t, lo, lo + n, wide, NULL, past);
            if (t == 0 && !r->dh0) break;
            // dh = da Wh', added to what reaches the step before by another way
            if (many) times(n, H, G, da, wide, run.Wh, run.dh, H, with_past ? run.dh : run.zeros, with_past ? H : 0);
            else if (r->Wh) row_times_transposed(G, H, da, r->Wh, run.dh, with_past);
            set_ended(r, t, lo, lo + n, H, r->dh_last, run.dh);
            set_ended(r, t, lo, lo + n, H, r->dc_last, run.dc);
        }
        run_back(r, first, last, &run);
    }
    if (r->dh0) set(n * H, run.dh, r->dh0 + lo * H);
    if (r->dc0) set(n * H, run.dc, r->dc0 + lo * H);
    free(room[0]);
    return 0;
}

// The two functions of a cell that Python calls
#define CELL(name, with_past)                                                                                  \
    KERNEL(name##_forward, Recurrent, r) { return forward(r, lo, hi, name##_step, with_past); }                \
    KERNEL(name##_backward, Recurrent, r) { return backward(r, lo, hi, name##_step_back, with_past); }
