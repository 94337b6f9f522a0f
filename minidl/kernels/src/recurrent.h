// What RNN, GRU, LSTM, MinGRU and MinLSTM have in common: the products of a step, the gradients of a run of steps, shares of a batch.
//
// A thread computes the sequences lo to hi of a batch. Gradients of weights are sums over shares of the sequences, which
// are the same for any number of threads; each share has its own place in dWx, dWh, db and dbh.
#ifndef RECURRENT_H
#define RECURRENT_H

#include "functions.h"
#include "product.h"
#include "rows.h"

// Time-major and contiguous: x (T, B, F) or ids (T, B), Wx (F, G), Wh (H, G), h and c (T + 1, B, H), gates (T, B, G), s, y
// (T, B, H), with G columns of gates; gradients of weights (shares, ...); first states h0 and c0, and gradients of the last
// ones, (B, H). Of lengths (B), dx, and what has to do with first and last states any may be missing, and so may Wh:
// then nothing of the past is in the gates.
#define RECURRENT(ARRAY)                                                                                                \
    ARRAY(int64_t, T) ARRAY(int64_t, B) ARRAY(int64_t, F) ARRAY(int64_t, H) ARRAY(int64_t, G) ARRAY(int64_t, shares)     \
    ARRAY(int64_t, relu) ARRAY(const real *, x) ARRAY(const int64_t *, ids) ARRAY(const int64_t *, lengths)              \
    ARRAY(const real *, Wx) ARRAY(const real *, Wh) ARRAY(const real *, b) ARRAY(const real *, bh) ARRAY(real *, h)      \
    ARRAY(real *, c) ARRAY(real *, gates) ARRAY(real *, s) ARRAY(const real *, dy) ARRAY(real *, dx)                     \
    ARRAY(real *, dWx) ARRAY(real *, dWh) ARRAY(real *, db) ARRAY(real *, dbh) ARRAY(const real *, h0) ARRAY(const real *, c0) \
    ARRAY(const real *, dh_last) ARRAY(const real *, dc_last) ARRAY(real *, dh0) ARRAY(real *, dc0)
STRUCT(Recurrent, RECURRENT)

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

// Whether a sequence has ended before a step: what x holds there is not read
INLINE int ended(const Recurrent *r, int64_t t, int64_t n) { return r->lengths && t >= r->lengths[n]; }

// The rows of x at a step; a copy with zeros where sequences have ended, in `room`
static const real *input_rows(const Recurrent *r, int64_t t, int64_t lo, int64_t hi, real *room) {
    const real *x = r->x + (t * r->B + lo) * r->F;
    if (!r->lengths) return x;
    for (int64_t n = lo; n < hi; n++, x += r->F)
        if (ended(r, t, n)) memset(room + (n - lo) * r->F, 0, r->F * sizeof(real));
        else memcpy(room + (n - lo) * r->F, x, r->F * sizeof(real));
    return room;
}

INLINE void add_row(int64_t n, const real *x, real *y) {
    EACH(n, put(y + j, get(y + j, width) + get(x + j, width), width););
}

// ---- weights in the form in which a window uses them ----

typedef struct {
    real *Wx, *Wh, *x, *rest;  // packed weights, unless there is a single sequence; room for rows of x, and for others
} Room;

static int open_room(const Recurrent *r, int64_t rows, int64_t rest, Room *room) {
    int64_t sizes[] = {r->x ? packed_size(r->F, r->G) + packed_size(r->G, r->F) : 0,
                       r->B > 1 && r->Wh ? packed_size(r->H, r->G) + packed_size(r->G, r->H) : 0, r->lengths ? rows * r->F : 0, rest};
    real *arrays[4];
    int there = allocate_all(4, sizes, arrays);
    *room = (Room){arrays[0], arrays[1], arrays[2], arrays[3]};
    return there;
}

static void pack_weights(const Recurrent *r, const Room *room) {
    if (r->x) pack(r->Wx, r->G, r->F, r->G, room->Wx, 0, r->F);
    if (r->B > 1 && r->Wh) pack(r->Wh, r->G, r->H, r->G, room->Wh, 0, r->H);
}

static void pack_weights_back(const Recurrent *r, const Room *room) {
    if (r->x && r->dx) pack_transposed(r->Wx, r->G, r->G, r->F, room->Wx);
    if (r->B > 1 && r->Wh) pack_transposed(r->Wh, r->G, r->G, r->H, room->Wh);
}

// ---- a step forward ----

// The rows of sequences that have ended become those of last, or 0
static void set_ended(const Recurrent *r, int64_t t, int64_t lo, int64_t hi, int64_t width, const real *last, real *rows) {
    for (int64_t n = lo; n < hi && r->lengths; n++, rows += width)
        if (!ended(r, t, n)) continue;
        else if (last) memcpy(rows, last + n * width, width * sizeof(real));
        else memset(rows, 0, width * sizeof(real));
}

// The states of some sequences at step 0, where they are given
static void begin(const Recurrent *r, int64_t lo, int64_t hi) {
    if (r->h0) memcpy(r->h + lo * r->H, r->h0 + lo * r->H, (hi - lo) * r->H * sizeof(real));
    if (r->c0) memcpy(r->c + lo * r->H, r->c0 + lo * r->H, (hi - lo) * r->H * sizeof(real));
}

// a = x Wx + b, and 0 where a sequence has ended
static void input_product(const Recurrent *r, int64_t t, int64_t lo, int64_t hi, const Room *room, real *a) {
    if (r->x) times(hi - lo, r->G, r->F, input_rows(r, t, lo, hi, room->x), r->F, room->Wx, a, r->G, r->b, 0);
    else
        for (int64_t n = lo; n < hi; n++) {
            const real *row = r->Wx + r->ids[t * r->B + n] * r->G;
            real *sum = a + (n - lo) * r->G;
            EACH(r->G, put(sum + j, get(row + j, width) + get(r->b + j, width), width););
        }
    set_ended(r, t, lo, hi, r->G, NULL, a);
}

// a += h Wh
static void add_past(const Recurrent *r, int64_t t, int64_t lo, int64_t hi, const Room *room, real *a) {
    const real *h = r->h + (t * r->B + lo) * r->H;
    if (r->B > 1) times(hi - lo, r->G, r->H, h, r->H, room->Wh, a, r->G, a, r->G);
    else add_row_times(r->H, r->G, h, r->Wh, a);
}

// A step of n sequences from a, the sums of their gates, and from the past, where its share stands apart, (n, G) each
typedef void Step(const Recurrent *r, int64_t t, int64_t lo, int64_t n, const real *a, const real *past);

// All steps forward, for some sequences
INLINE int forward(const Recurrent *r, int64_t lo, int64_t hi, Step *step, int with_past) {
    int64_t n = hi - lo, H = r->H, G = r->G;
    Room room;
    if (!open_room(r, n, (1 + with_past) * n * G, &room)) return 1;
    real *a = room.rest, *past = with_past ? a + n * G : a;
    pack_weights(r, &room);
    begin(r, lo, hi);
    for (int64_t t = 0; t < r->T; t++) {
        int64_t next = ((t + 1) * r->B + lo) * H;
        input_product(r, t, lo, hi, &room, a);
        for (int64_t k = 0; k < n && with_past; k++) memcpy(past + k * G, r->bh, G * sizeof(real));
        if (r->Wh) add_past(r, t, lo, hi, &room, past);
        step(r, t, lo, n, a, past);
        if (r->c) set_ended(r, t, lo, hi, H, NULL, r->c + next);
        set_ended(r, t, lo, hi, H, NULL, r->h + next);
    }
    free(room.Wx);
    return 0;
}

// ---- backward ----

// da: gradients of a run of steps at the sums of the gates (steps, n, G), by way of the input and by way of the past
typedef struct {
    real *input, *past, *dh, *dc, *row;
} Back;
typedef void StepBack(const Recurrent *r, int64_t t, int64_t lo, int64_t n, real *input, real *past, const Back *back);

// dW = x' da (first), or dW += x' da, for the rows of a run: da is packed, S has room for the strips of x
static void weight_gradient(int64_t rows, int64_t F, int64_t G, const real *S, const real *packed, real *dW, const real *from,
                            int64_t ldf) {
    strips_times(F, G, rows, S, packed, dW, G, from, ldf);
}

// The rows of share lo to hi of a run, da (steps, n, G), packed
static void pack_share(int64_t steps, int64_t n, int64_t G, const real *da, int64_t lo, int64_t hi, real *packed) {
    for (int64_t t = 0; t < steps; t++) pack(da + (t * n + lo) * G, G, hi - lo, G, packed, t * (hi - lo), steps * (hi - lo));
}

static void sum_rows(int64_t steps, int64_t n, int64_t G, const real *da, int64_t lo, int64_t hi, real *total) {
    for (int64_t t = 0; t < steps; t++)
        for (int64_t i = lo; i < hi; i++) add_row(G, da + (t * n + i) * G, total);
}

// The gradients of weights, and of x, from a run of steps
static void run_back(const Recurrent *r, int64_t start, int64_t stop, int64_t first, int64_t last, const Room *room,
                     const Back *back, real *packed, real *strips, const real *zeros) {
    int64_t lo = share_start(r->B, r->shares, first), n = share_start(r->B, r->shares, last) - lo, steps = stop - start;
    int64_t H = r->H, G = r->G, F = r->F;
    const real *dpast = back->past ? back->past : back->input;
    if (r->dx)
        for (int64_t t = start; t < stop; t++)
            times(n, F, G, back->input + (t - start) * n * G, G, room->Wx, r->dx + (t * r->B + lo) * F, F, zeros, 0);
    for (int64_t s = first; s < last; s++) {
        int64_t from = share_start(r->B, r->shares, s), to = share_start(r->B, r->shares, s + 1), rows = steps * (to - from);
        real *dWh = r->Wh ? r->dWh + s * H * G : NULL, *dWx = r->dWx + s * F * G;
        int new = stop == r->T;
        if (r->Wh || r->x) pack_share(steps, n, G, dpast, from - lo, to - lo, packed);
        if (r->Wh) {
            for (int64_t t = start; t < stop; t++)
                pack_strips(r->h + (t * r->B + from) * H, H, to - from, H, strips, (t - start) * (to - from), rows);
            weight_gradient(rows, H, G, strips, packed, dWh, new ? zeros : dWh, new ? 0 : G);
        }
        sum_rows(steps, n, G, back->input, from - lo, to - lo, r->db + s * G);
        if (back->past) sum_rows(steps, n, G, back->past, from - lo, to - lo, r->dbh + s * G);
        if (r->ids) {
            for (int64_t t = stop - 1; t >= start; t--)
                for (int64_t i = from; i < to; i++)
                    add_row(G, back->input + ((t - start) * n + i - lo) * G, dWx + r->ids[t * r->B + i] * G);
            continue;
        }
        if (back->past) pack_share(steps, n, G, back->input, from - lo, to - lo, packed);
        for (int64_t t = start; t < stop; t++)
            pack_strips(input_rows(r, t, from, to, room->x), F, to - from, F, strips, (t - start) * (to - from), rows);
        weight_gradient(rows, F, G, strips, packed, dWx, new ? zeros : dWx, new ? 0 : G);
    }
}

// All steps backward, for some shares: run by run, so that weight gradients use rows that are still in the cache
INLINE int backward(const Recurrent *r, int64_t first, int64_t last, StepBack *step_back, int with_past) {
    int64_t lo = share_start(r->B, r->shares, first), n = share_start(r->B, r->shares, last) - lo, H = r->H, G = r->G;
    int64_t share = (r->B + r->shares - 1) / r->shares, run = least(r->T, (RUN + share - 1) / share), wide = r->F > H ? r->F : H;
    int64_t sizes[] = {run * n * G, with_past ? run * n * G : 0, n * H, n * H, H,
                       packed_size(run * share, G), run * share * wide, G > r->F ? G : r->F};
    real *rest[8];
    Room room;
    if (!allocate_all(8, sizes, rest)) return 1;
    if (!open_room(r, n, 0, &room)) return free(rest[0]), 1;
    real *input = rest[0], *past = rest[1], *dh = rest[2], *dc = rest[3], *row = rest[4];
    real *packed = rest[5], *strips = rest[6], *zeros = rest[7];
    Back back = {input, with_past ? past : NULL, dh, dc, row};
    pack_weights_back(r, &room);
    if (r->dh_last) memcpy(dh, r->dh_last + lo * H, n * H * sizeof(real));
    else memset(dh, 0, n * H * sizeof(real));
    if (r->dc_last) memcpy(dc, r->dc_last + lo * H, n * H * sizeof(real));
    else memset(dc, 0, n * H * sizeof(real));
    memset(zeros, 0, sizes[7] * sizeof(real));
    memset(r->db + first * G, 0, (last - first) * G * sizeof(real));
    if (with_past) memset(r->dbh + first * G, 0, (last - first) * G * sizeof(real));
    if (r->ids) memset(r->dWx + first * r->F * G, 0, (last - first) * r->F * G * sizeof(real));
    for (int64_t stop = r->T; stop > 0; stop -= run) {
        int64_t start = stop > run ? stop - run : 0;
        for (int64_t t = stop - 1; t >= start; t--) {
            int64_t place = (t - start) * n * G;
            const real *da = (with_past ? past : input) + place;
            step_back(r, t, lo, n, input + place, past + place, &back);
            set_ended(r, t, lo, lo + n, G, NULL, input + place);
            if (with_past) set_ended(r, t, lo, lo + n, G, NULL, past + place);
            if (t == 0 && !r->dh0) break;
            // dh = da Wh', added to what reaches the step before by another way
            if (!r->Wh) ;
            else if (r->B > 1) times(n, H, G, da, G, room.Wh, dh, H, with_past ? dh : zeros, with_past ? H : 0);
            else row_times_transposed(G, H, da, r->Wh, dh, with_past);
            set_ended(r, t, lo, lo + n, H, r->dh_last, dh);
            set_ended(r, t, lo, lo + n, H, r->dc_last, dc);
        }
        run_back(r, start, stop, first, last, &room, &back, packed, strips, zeros);
    }
    if (r->dh0) memcpy(r->dh0 + lo * H, dh, n * H * sizeof(real));
    if (r->dc0) memcpy(r->dc0 + lo * H, dc, n * H * sizeof(real));
    free(rest[0]);
    free(room.Wx);
    return 0;
}

// The two functions of a cell that Python calls
#define CELL(name, with_past)                                                                                  \
    KERNEL(name##_forward, Recurrent, r) { return forward(r, lo, hi, name##_step, with_past); }                \
    KERNEL(name##_backward, Recurrent, r) { return backward(r, lo, hi, name##_step_back, with_past); }

#endif
