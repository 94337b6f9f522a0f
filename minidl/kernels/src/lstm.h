// LSTM: the equations of minidl/layers/lstm.py.
#include "recurrent.h"

// i, f, o = sigmoid(a)   g = tanh(a)   c = f c_prev + i g   h = o tanh c, where the four gates share a division
static void lstm_step(const Recurrent *r, int64_t t, int64_t lo, int64_t n, const real *a) {
    const int64_t H = r->H, I = 0, F = H, G = 2 * H, O = 3 * H, at = t * r->B + lo, next = at + r->B;
    for (int64_t k = 0; k < n; k++, a += 4 * H) {
        const real *c_prev = r->c + (at + k) * H;
        real *gates = r->gates + (at + k) * 4 * H, *c = r->c + (next + k) * H, *h = r->h + (next + k) * H;
        EACH(H, {
            Quotient i = tanh_quotient((real)0.5 * get(a + I + j, width)), f = tanh_quotient((real)0.5 * get(a + F + j, width));
            Quotient g = tanh_quotient(get(a + G + j, width)), o = tanh_quotient((real)0.5 * get(a + O + j, width));
            vec qif = i.q * f.q, qgo = g.q * o.q, inverse = 1 / (qif * qgo), if_ = qgo * inverse, go = qif * inverse;
            vec i_ = sigmoid_from_tanh(clamp(i.p * (f.q * if_), 1)), f_ = sigmoid_from_tanh(clamp(f.p * (i.q * if_), 1));
            vec g_ = clamp(g.p * (o.q * go), 1);
            put(gates + I + j, i_, width);
            put(gates + F + j, f_, width);
            put(gates + G + j, g_, width);
            put(gates + O + j, sigmoid_from_tanh(clamp(o.p * (g.q * go), 1)), width);
            put(c + j, f_ * get(c_prev + j, width) + i_ * g_, width);
        });
        tanh_row(H, c, h);
        EACH(H, put(h + j, get(gates + O + j, width) * get(h + j, width), width););
    }
}

// dc += dh o (1 - tanh^2 c)   di = dc g i (1 - i)   df = dc c_prev f (1 - f)   dg = dc i (1 - g^2)
// do = dh tanh(c) o (1 - o)   dc_prev = dc f
static void lstm_step_back(const Recurrent *r, int64_t t, const Run *run, real *da) {
    const int64_t H = r->H, I = 0, F = H, G = 2 * H, O = 3 * H, at = t * r->B + run->lo;
    for (int64_t k = 0; k < run->n; k++, da += 4 * H) {
        const real *gates = r->gates + (at + k) * 4 * H, *c_prev = r->c + (at + k) * H, *dy = r->dy + (at + k) * H;
        const real *dh = run->dh + k * H;
        real *dc = run->dc + k * H;
        tanh_row(H, r->c + (at + r->B + k) * H, run->row);
        EACH(H, {
            vec i = get(gates + I + j, width), f = get(gates + F + j, width), g = get(gates + G + j, width);
            vec o = get(gates + O + j, width), tanh_c = get(run->row + j, width);
            vec dh_ = get(dh + j, width) + get(dy + j, width), dh_o = dh_ * o;
            vec dc_ = get(dc + j, width) + dh_o * (1 - tanh_c * tanh_c);
            put(da + I + j, dc_ * g * i * (1 - i), width);
            put(dc + j, dc_ * f, width);
            put(da + F + j, dc_ * get(c_prev + j, width) * f * (1 - f), width);
            put(da + G + j, dc_ * i * (1 - g * g), width);
            put(da + O + j, dh_o * tanh_c * (1 - o), width);
        });
    }
}

CELL(lstm, 0)
