// LSTM: the equations of minidl/layers/lstm.py.
#include "recurrent.h"

// i, f, o = sigmoid(a)   g = tanh(a)   c = f c_prev + i g   h = o tanh c, where the four gates share a division
static void lstm_step(const Recurrent *r, Row at, const real *a) {
    const int64_t H = r->H, I = 0, F = H, G = 2 * H, O = 3 * H;
    EACH(H, {
        for (int q = 4; q < 8; q++) __builtin_prefetch(at.gates + q * H + j);  // of the next row
        Quotient i = tanh_quotient((real)0.5 * get(a + I + j, width)), f = tanh_quotient((real)0.5 * get(a + F + j, width));
        Quotient g = tanh_quotient(get(a + G + j, width)), o = tanh_quotient((real)0.5 * get(a + O + j, width));
        vec qif = i.q * f.q, qgo = g.q * o.q, inverse = 1 / (qif * qgo), if_ = qgo * inverse, go = qif * inverse;
        vec i_ = sigmoid_from_tanh(clamp(i.p * (f.q * if_), 1)), f_ = sigmoid_from_tanh(clamp(f.p * (i.q * if_), 1));
        vec g_ = clamp(g.p * (o.q * go), 1);
        put(at.gates + I + j, i_, width);
        put(at.gates + F + j, f_, width);
        put(at.gates + G + j, g_, width);
        put(at.gates + O + j, sigmoid_from_tanh(clamp(o.p * (g.q * go), 1)), width);
        put(at.c + j, f_ * get(at.c_prev + j, width) + i_ * g_, width);
    });
    tanh_row(H, at.c, at.h);
    EACH(H, put(at.h + j, get(at.gates + O + j, width) * get(at.h + j, width), width););
}

// dc += dh o (1 - tanh^2 c)   di = dc g i (1 - i)   df = dc c_prev f (1 - f)   dg = dc i (1 - g^2)
// do = dh tanh(c) o (1 - o)   dc_prev = dc f
static void lstm_step_back(const Recurrent *r, Row at, real *da) {
    const int64_t H = r->H, I = 0, F = H, G = 2 * H, O = 3 * H;
    tanh_row(H, at.c, at.room);
    EACH(H, {
        for (int q = 4; q < 8; q++) __builtin_prefetch(at.gates + q * H + j);
        vec i = get(at.gates + I + j, width), f = get(at.gates + F + j, width), g = get(at.gates + G + j, width);
        vec o = get(at.gates + O + j, width), tanh_c = get(at.room + j, width);
        vec dh = get(at.dh + j, width) + get(at.dy + j, width), dh_o = dh * o;
        vec dc = get(at.dc + j, width) + dh_o * (1 - tanh_c * tanh_c);
        put(da + I + j, dc * g * i * (1 - i), width);
        put(at.dc + j, dc * f, width);
        put(da + F + j, dc * get(at.c_prev + j, width) * f * (1 - f), width);
        put(da + G + j, dc * i * (1 - g * g), width);
        put(da + O + j, dh_o * tanh_c * (1 - o), width);
    });
}

CELL(lstm, 0)
