// RNN: the equations of minidl/layers/rnn.py.
#include "recurrent.h"

// da = dh (1 - h^2), or dh [h > 0] for relu
static void rnn_step_back(const Recurrent *r, int64_t t, int64_t lo, int64_t n, real *da, real *past, const Back *back) {
    const real *h = r->h + ((t + 1) * r->B + lo) * r->H, *dy = r->dy + (t * r->B + lo) * r->H, *dh = back->dh;
    (void)past;
    for (int64_t k = 0; k < n; k++, da += r->H, h += r->H, dy += r->H, dh += r->H)
        EACH(r->H, {
            vec h_ = get(h + j, width), dh_ = get(dh + j, width) + get(dy + j, width);
            put(da + j, r->relu ? (vec)((bits_vec)dh_ & (bits_vec)(h_ > 0)) : dh_ * (1 - h_ * h_), width);
        });
}

int EXPORT(rnn_forward)(const Recurrent *r, int64_t lo, int64_t hi) {
    Room room;
    if (!open_room(r, hi - lo, 0, &room)) return 1;
    unsigned mode = flush_denormals();
    pack_weights(r, &room);
    begin(r, lo, hi);
    for (int64_t t = 0; t < r->T; t++) {
        real *h = r->h + ((t + 1) * r->B + lo) * r->H;
        input_product(r, t, lo, hi, &room, h);
        add_past(r, t, lo, hi, &room, h);
        for (int64_t n = 0; n < hi - lo; n++)
            if (r->relu) EACH(r->H, put(h + n * r->H + j, max(all(0), get(h + n * r->H + j, width)), width););
            else tanh_row(r->H, h + n * r->H, h + n * r->H);
        set_ended(r, t, lo, hi, r->H, NULL, h);
    }
    restore_denormals(mode);
    free(room.Wx);
    return 0;
}

int EXPORT(rnn_backward)(const Recurrent *r, int64_t first, int64_t last) {
    return backward(r, first, last, rnn_step_back, 0);
}
