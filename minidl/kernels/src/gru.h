// GRU: the equations of minidl/layers/gru.py. The share of the past, h_prev Wh + bh, stands beside that of the input.
#include "recurrent.h"

// r, z = sigmoid(a + past)   s = past_n   n = tanh(a_n + r s)   h = n + z (h_prev - n), where r and z share a division
static void gru_step(const Recurrent *p, int64_t t, int64_t lo, int64_t rows, const real *a) {
    const int64_t H = p->H, R = 0, Z = H, N = 2 * H, at = t * p->B + lo;
    const real *past = a + rows * 3 * H;
    for (int64_t k = 0; k < rows; k++, a += 3 * H, past += 3 * H) {
        const real *h_prev = p->h + (at + k) * H;
        real *gates = p->gates + (at + k) * 3 * H, *s = p->s + (at + k) * H, *h = p->h + (at + p->B + k) * H;
        EACH(H, {
            Quotient r = tanh_quotient((real)0.5 * (get(a + R + j, width) + get(past + R + j, width)));
            Quotient z = tanh_quotient((real)0.5 * (get(a + Z + j, width) + get(past + Z + j, width)));
            vec inverse = 1 / (r.q * z.q), s_ = get(past + N + j, width);
            vec r_ = sigmoid_from_tanh(clamp(r.p * (z.q * inverse), 1)), z_ = sigmoid_from_tanh(clamp(z.p * (r.q * inverse), 1));
            vec n = tanh_of(get(a + N + j, width) + r_ * s_);
            put(gates + R + j, r_, width);
            put(gates + Z + j, z_, width);
            put(gates + N + j, n, width);
            put(s + j, s_, width);
            put(h + j, n + z_ * (get(h_prev + j, width) - n), width);
        });
    }
}

// dn = dh (1 - z) (1 - n^2)   dz = dh (h_prev - n) z (1 - z)   dr = dn s r (1 - r)   ds = dn r   dh_prev = dh z + ...
static void gru_step_back(const Recurrent *p, int64_t t, const Run *run, real *input) {
    const int64_t H = p->H, R = 0, Z = H, N = 2 * H, at = t * p->B + run->lo;
    real *past = run->past + (input - run->input);
    for (int64_t k = 0; k < run->n; k++, input += 3 * H, past += 3 * H) {
        const real *gates = p->gates + (at + k) * 3 * H, *s = p->s + (at + k) * H, *h_prev = p->h + (at + k) * H;
        const real *dy = p->dy + (at + k) * H;
        real *dh = run->dh + k * H;
        EACH(H, {
            vec r = get(gates + R + j, width), z = get(gates + Z + j, width), n = get(gates + N + j, width);
            vec dh_ = get(dh + j, width) + get(dy + j, width), dn = dh_ * (1 - z) * (1 - n * n);
            vec dz = dh_ * (get(h_prev + j, width) - n) * z * (1 - z), dr = dn * get(s + j, width) * r * (1 - r);
            put(input + R + j, dr, width);
            put(past + R + j, dr, width);
            put(input + Z + j, dz, width);
            put(past + Z + j, dz, width);
            put(input + N + j, dn, width);
            put(past + N + j, dn * r, width);
            put(dh + j, dh_ * z, width);
        });
    }
}

CELL(gru, 1)
