// MinGRU: the equations of minidl/layers/min_gru.py. Nothing of the past is in the gates, so that there is no Wh.
#include "recurrent.h"

// z = sigmoid(a_z)   n = a_n   h = h_prev + z (n - h_prev)
static void min_gru_step(const Recurrent *r, int64_t t, int64_t lo, int64_t rows, const real *a) {
    const int64_t H = r->H, at = t * r->B + lo;
    for (int64_t k = 0; k < rows; k++, a += 2 * H) {
        const real *h_prev = r->h + (at + k) * H;
        real *gates = r->gates + (at + k) * 2 * H, *h = r->h + (at + r->B + k) * H;
        EACH(H, {
            vec z = sigmoid_from_tanh(tanh_of((real)0.5 * get(a + j, width))), n = get(a + H + j, width);
            put(gates + j, z, width);
            put(gates + H + j, n, width);
            put(h + j, get(h_prev + j, width) + z * (n - get(h_prev + j, width)), width);
        });
    }
}

// dz = dh (n - h_prev) z (1 - z)   dn = dh z   dh_prev = dh (1 - z)
static void min_gru_step_back(const Recurrent *r, int64_t t, const Run *run, real *da) {
    const int64_t H = r->H, at = t * r->B + run->lo;
    for (int64_t k = 0; k < run->n; k++, da += 2 * H) {
        const real *gates = r->gates + (at + k) * 2 * H, *h_prev = r->h + (at + k) * H, *dy = r->dy + (at + k) * H;
        real *dh = run->dh + k * H;
        EACH(H, {
            vec z = get(gates + j, width), dh_ = get(dh + j, width) + get(dy + j, width), dn = dh_ * z;
            put(da + j, dn * (get(gates + H + j, width) - get(h_prev + j, width)) * (1 - z), width);
            put(da + H + j, dn, width);
            put(dh + j, dh_ - dn, width);
        });
    }
}

CELL(min_gru, 0)
