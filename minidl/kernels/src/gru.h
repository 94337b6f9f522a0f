// GRU: the equations of minidl/layers/gru.py. The share of the past, h_prev Wh + bh, stands beside that of the input.
#include "recurrent.h"

// r, z = sigmoid(a + past)   s = past_n   n = tanh(a_n + r s)   h = n + z (h_prev - n), where r and z share a division
static void gru_step(const Recurrent *p, Row at, const real *a) {
    const int64_t H = p->H, R = 0, Z = H, N = 2 * H;
    EACH(H, {
        Quotient r = tanh_quotient((real)0.5 * (get(a + R + j, width) + get(at.past + R + j, width)));
        Quotient z = tanh_quotient((real)0.5 * (get(a + Z + j, width) + get(at.past + Z + j, width)));
        vec inverse = 1 / (r.q * z.q), s_ = get(at.past + N + j, width);
        vec r_ = sigmoid_from_tanh(clamp(r.p * (z.q * inverse), 1)), z_ = sigmoid_from_tanh(clamp(z.p * (r.q * inverse), 1));
        vec n = tanh_of(get(a + N + j, width) + r_ * s_);
        put(at.gates + R + j, r_, width);
        put(at.gates + Z + j, z_, width);
        put(at.gates + N + j, n, width);
        put(at.s + j, s_, width);
        put(at.h + j, n + z_ * (get(at.h_prev + j, width) - n), width);
    });
}

// dn = dh (1 - z) (1 - n^2)   dz = dh (h_prev - n) z (1 - z)   dr = dn s r (1 - r)   ds = dn r   dh_prev = dh z + ...
static void gru_step_back(const Recurrent *p, Row at, real *da) {
    const int64_t H = p->H, R = 0, Z = H, N = 2 * H;
    EACH(H, {
        vec r = get(at.gates + R + j, width), z = get(at.gates + Z + j, width), n = get(at.gates + N + j, width);
        vec dh = get(at.dh + j, width) + get(at.dy + j, width), dn = dh * (1 - z) * (1 - n * n);
        vec dz = dh * (get(at.h_prev + j, width) - n) * z * (1 - z), dr = dn * get(at.s + j, width) * r * (1 - r);
        put(da + R + j, dr, width);
        put(at.past + R + j, dr, width);
        put(da + Z + j, dz, width);
        put(at.past + Z + j, dz, width);
        put(da + N + j, dn, width);
        put(at.past + N + j, dn * r, width);
        put(at.dh + j, dh * z, width);
    });
}

CELL(gru, 1)
