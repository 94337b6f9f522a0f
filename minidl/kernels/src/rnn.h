// RNN: the equations of minidl/layers/rnn.py.
#include "recurrent.h"

// h = tanh a, or relu
static void rnn_step(const Recurrent *r, Row at, const real *a) {
    if (r->relu) EACH(r->H, put(at.h + j, max(all(0), get(a + j, width)), width););
    else tanh_row(r->H, a, at.h);
}

// da = dh (1 - h^2), or dh [h > 0] for relu
static void rnn_step_back(const Recurrent *r, Row at, real *da) {
    EACH(r->H, {
        vec h = get(at.h + j, width), dh = get(at.dh + j, width) + get(at.dy + j, width);
        put(da + j, r->relu ? (vec)((bits_vec)dh & (bits_vec)(h > 0)) : dh * (1 - h * h), width);
    });
}

CELL(rnn, 0)
