// RNN: the equations of minidl/layers/rnn.py.
#include "recurrent.h"

// h = tanh a, or relu
static void rnn_step(const Recurrent *r, int64_t t, int64_t lo, int64_t n, const real *a) {
    real *h = r->h + ((t + 1) * r->B + lo) * r->H;
    for (int64_t k = 0; k < n; k++, a += r->H, h += r->H)
        if (r->relu) EACH(r->H, put(h + j, max(all(0), get(a + j, width)), width););
        else tanh_row(r->H, a, h);
}

// da = dh (1 - h^2), or dh [h > 0] for relu
static void rnn_step_back(const Recurrent *r, int64_t t, const Run *run, real *da) {
    const int64_t now = (t * r->B + run->lo) * r->H;
    const real *h = r->h + now + r->B * r->H, *dy = r->dy + now, *dh = run->dh;
    for (int64_t k = 0; k < run->n; k++, da += r->H, h += r->H, dy += r->H, dh += r->H)
        EACH(r->H, {
            vec h_ = get(h + j, width), dh_ = get(dh + j, width) + get(dy + j, width);
            put(da + j, r->relu ? (vec)((bits_vec)dh_ & (bits_vec)(h_ > 0)) : dh_ * (1 - h_ * h_), width);
        });
}

CELL(rnn, 0)
