// LayerNorm: the equations of minidl/layers/layer_norm.py, a row at a time.
#include "dense.h"

// x, n, y, dy and dx (T, B, F), inverse (T, B), gain, bias, dgain and dbias (F)
STRUCT(LayerNorm, int64_t T, B, F, shares; double eps;
       const real *x, *gain, *bias; real *n, *inverse, *y;
       const real *dy; real *dx, *dgain, *dbias;)

// n = (x - mean x) / sqrt(var x + eps)   y = gain n + bias
KERNEL(layer_norm_forward, LayerNorm, l) {
    int64_t F = l->F;
    for (int64_t k = lo; k < hi; k++) {
        const real *x = l->x + k * F;
        real *n = l->n + k * F, *y = l->y + k * F;
        vec sum = {0}, squares = {0};
        EACH(F, sum += get(x + j, width););
        real mean = sum_of(sum) / F;
        EACH(F, {
            put(n + j, get(x + j, width) - mean, width);
            vec centred = get(n + j, width);
            squares += centred * centred;
        });
        real inverse = 1 / sqrt(sum_of(squares) / F + l->eps);
        l->inverse[k] = inverse;
        EACH(F, {
            vec n_ = get(n + j, width) * inverse;
            put(n + j, n_, width);
            put(y + j, get(l->gain + j, width) * n_ + get(l->bias + j, width), width);
        });
    }
    return 0;
}

// dx = (dn - mean dn - n mean(dn n)) inverse   dn = dy gain
KERNEL(layer_norm_backward, LayerNorm, l) {
    int64_t F = l->F;
    for (int64_t k = lo; k < hi && l->dx; k++) {
        const real *n = l->n + k * F, *dy = l->dy + k * F;
        vec sum = {0}, products = {0};
        EACH(F, {
            vec dn = get(dy + j, width) * get(l->gain + j, width);
            sum += dn;
            products += dn * get(n + j, width);
        });
        real mean = sum_of(sum) / F, along = sum_of(products) / F, inverse = l->inverse[k];
        EACH(F, {
            vec dn = get(dy + j, width) * get(l->gain + j, width);
            put(l->dx + k * F + j, (dn - mean - get(n + j, width) * along) * inverse, width);
        });
    }
    return 0;
}

// dgain = sum of dy n   dbias = sum of dy, share by share
KERNEL(layer_norm_gradients, LayerNorm, l) {
    int64_t F = l->F, shares = l->shares;
    real *parts = allocate(shares * F);
    if (!parts) return 1;
    (void)lo, (void)hi;
    sum_shares(l->T, l->B, shares, F, l->dy, parts, l->dbias);
    set(shares * F, NULL, parts);
    EACH_ROW(l->T, l->B, shares, {
        real *sum = parts + s * F;
        EACH(F, put(sum + j, get(sum + j, width) + get(l->dy + row * F + j, width) * get(l->n + row * F + j, width), width););
    })
    add_shares(shares, F, parts);
    set(F, parts, l->dgain);
    free(parts);
    return 0;
}
