// MinLSTM: the equations of minidl/layers/min_lstm.py. Nothing of the past is in the gates, so that there is no Wh.
#include "recurrent.h"

// f, i = sigmoid(a)   n = a_n   h = (f h_prev + i n) / (f + i)
static void min_lstm_step(const Recurrent *r, int64_t t, int64_t lo, int64_t rows, const real *a) {
    const int64_t H = r->H, at = t * r->B + lo;
    for (int64_t k = 0; k < rows; k++, a += 3 * H) {
        const real *h_prev = r->h + (at + k) * H;
        real *gates = r->gates + (at + k) * 3 * H, *h = r->h + (at + r->B + k) * H;
        EACH(H, {
            vec f = sigmoid_from_tanh(tanh_of((real)0.5 * get(a + j, width)));
            vec i = sigmoid_from_tanh(tanh_of((real)0.5 * get(a + H + j, width))), n = get(a + 2 * H + j, width);
            put(gates + j, f, width);
            put(gates + H + j, i, width);
            put(gates + 2 * H + j, n, width);
            put(h + j, (f * get(h_prev + j, width) + i * n) / (f + i), width);
        });
    }
}

// d = dh / (f + i)   df = d (h_prev - h) f (1 - f)   di = d (n - h) i (1 - i)   dn = d i   dh_prev = d f
static void min_lstm_step_back(const Recurrent *r, int64_t t, const Run *run, real *da) {
    const int64_t H = r->H, at = t * r->B + run->lo;
    for (int64_t k = 0; k < run->n; k++, da += 3 * H) {
        const real *gates = r->gates + (at + k) * 3 * H, *h_prev = r->h + (at + k) * H, *dy = r->dy + (at + k) * H;
        const real *now = r->h + (at + r->B + k) * H;
        real *dh = run->dh + k * H;
        EACH(H, {
            vec f = get(gates + j, width), i = get(gates + H + j, width), h = get(now + j, width);
            vec d = (get(dh + j, width) + get(dy + j, width)) / (f + i), d_f = d * f, d_i = d * i;
            put(da + j, d_f * (get(h_prev + j, width) - h) * (1 - f), width);
            put(da + H + j, d_i * (get(gates + 2 * H + j, width) - h) * (1 - i), width);
            put(da + 2 * H + j, d_i, width);
            put(dh + j, d_f, width);
        });
    }
}

CELL(min_lstm, 0)
