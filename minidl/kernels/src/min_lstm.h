// MinLSTM: the equations of minidl/layers/min_lstm.py. Nothing of the past is in the gates, so that there is no Wh.
#include "recurrent.h"

// f, i = sigmoid(a)   n = a_n   h = (f h_prev + i n) / (f + i), where the gates stand in the place of a
static void min_lstm_step(int64_t H, real *gates, const real *h_prev, real *h) {
    EACH(H, {
        vec f = sigmoid_from_tanh(tanh_of((real)0.5 * get(gates + j, width)));
        vec i = sigmoid_from_tanh(tanh_of((real)0.5 * get(gates + H + j, width)));
        put(gates + j, f, width);
        put(gates + H + j, i, width);
        put(h + j, (f * get(h_prev + j, width) + i * get(gates + 2 * H + j, width)) / (f + i), width);
    });
}

// d = dh / (f + i)   df = d (h_prev - h) f (1 - f)   di = d (n - h) i (1 - i)   dn = d i   dh_prev = d f
static void min_lstm_step_back(const Recurrent *r, int64_t t, int64_t lo, int64_t n, real *da, real *past, const Back *back) {
    const int64_t H = r->H, at = t * r->B + lo;
    (void)past;
    for (int64_t k = 0; k < n; k++, da += 3 * H) {
        const real *gates = r->gates + (at + k) * 3 * H, *h_prev = r->h + (at + k) * H, *dy = r->dy + (at + k) * H;
        const real *now = r->h + (at + r->B + k) * H;
        real *dh = back->dh + k * H;
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

int EXPORT(min_lstm_forward)(const Recurrent *r, int64_t lo, int64_t hi) {
    return forward_of_inputs(r, lo, hi, min_lstm_step);
}

int EXPORT(min_lstm_backward)(const Recurrent *r, int64_t first, int64_t last) {
    return backward(r, first, last, min_lstm_step_back, 0);
}
