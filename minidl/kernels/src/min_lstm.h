// MinLSTM: the equations of minidl/layers/min_lstm.py. Nothing of the past is in the gates, so that there is no Wh.
#include "recurrent.h"

// f, i = sigmoid(a)   n = a_n   h = (f h_prev + i n) / (f + i)
static void min_lstm_step(const Recurrent *r, Row at, const real *a) {
    const int64_t H = r->H, F = 0, I = H, N = 2 * H;
    EACH(H, {
        vec f = sigmoid_from_tanh(tanh_of((real)0.5 * get(a + F + j, width)));
        vec i = sigmoid_from_tanh(tanh_of((real)0.5 * get(a + I + j, width))), n = get(a + N + j, width);
        put(at.gates + F + j, f, width);
        put(at.gates + I + j, i, width);
        put(at.gates + N + j, n, width);
        put(at.h + j, (f * get(at.h_prev + j, width) + i * n) / (f + i), width);
    });
}

// d = dh / (f + i)   df = d (h_prev - h) f (1 - f)   di = d (n - h) i (1 - i)   dn = d i   dh_prev = d f
static void min_lstm_step_back(const Recurrent *r, Row at, real *da) {
    const int64_t H = r->H, F = 0, I = H, N = 2 * H;
    EACH(H, {
        vec f = get(at.gates + F + j, width), i = get(at.gates + I + j, width), h = get(at.h + j, width);
        vec d = (get(at.dh + j, width) + get(at.dy + j, width)) / (f + i), d_f = d * f, d_i = d * i;
        put(da + F + j, d_f * (get(at.h_prev + j, width) - h) * (1 - f), width);
        put(da + I + j, d_i * (get(at.gates + N + j, width) - h) * (1 - i), width);
        put(da + N + j, d_i, width);
        put(at.dh + j, d_f, width);
    });
}

CELL(min_lstm, 0)
