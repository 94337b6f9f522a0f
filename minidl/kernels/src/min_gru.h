// MinGRU: the equations of minidl/layers/min_gru.py. Nothing of the past is in the gates, so that there is no Wh.
#include "recurrent.h"

// z = sigmoid(a_z)   n = a_n   h = h_prev + z (n - h_prev)
static void min_gru_step(const Recurrent *r, Row at, const real *a) {
    const int64_t H = r->H, Z = 0, N = H;
    EACH(H, {
        vec z = sigmoid_from_tanh(tanh_of((real)0.5 * get(a + Z + j, width))), n = get(a + N + j, width);
        put(at.gates + Z + j, z, width);
        put(at.gates + N + j, n, width);
        put(at.h + j, get(at.h_prev + j, width) + z * (n - get(at.h_prev + j, width)), width);
    });
}

// dz = dh (n - h_prev) z (1 - z)   dn = dh z   dh_prev = dh (1 - z)
static void min_gru_step_back(const Recurrent *r, Row at, real *da) {
    const int64_t H = r->H, Z = 0, N = H;
    EACH(H, {
        vec z = get(at.gates + Z + j, width), dh = get(at.dh + j, width) + get(at.dy + j, width), dn = dh * z;
        put(da + Z + j, dn * (get(at.gates + N + j, width) - get(at.h_prev + j, width)) * (1 - z), width);
        put(da + N + j, dn, width);
        put(at.dh + j, dh - dn, width);
    });
}

CELL(min_gru, 0)
