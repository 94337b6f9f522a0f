// SoftmaxCE: the equations of minidl/layers/softmax_ce.py, a row at a time.
#include "recurrent.h"

// logits, p and dlogits (T, B, V), targets and weight (T, B), losses (T B)
STRUCT(SoftmaxCE, int64_t R, V, mean; double smoothing;
       const real *logits; const int64_t *targets; real *p, *weight; double *losses;
       const real *dy; real *dlogits;)

// p = exp(v - largest); returns their sum
static real exp_row(int64_t V, const real *v, real largest, real *p) {
    vec sum = {0};
    EACH(V, {
        vec e = exp_of(get(v + j, width) - largest);
        put(p + j, e, width);
        sum += width == LANES ? e : load_part(p + j, width);
    });
    return sum_of(sum);
}

// The losses of rows lo to hi of T B, each times its weight; p and weight are left for the way back
KERNEL(softmax_ce_forward, SoftmaxCE, s) {
    int64_t V = s->V, counted = 0;
    for (int64_t n = 0; n < s->R && s->mean; n++) counted += s->targets[n] >= 0;
    double share = counted ? 1.0 / counted : 1;
    for (int64_t n = lo; n < hi; n++) {
        const real *v = s->logits + n * V;
        real *p = s->p + n * V, largest = largest_of(V, v), total = exp_row(V, v, largest, p), scale = 1 / total;
        EACH(V, put(p + j, get(p + j, width) * scale, width););
        s->weight[n] = s->targets[n] < 0 ? 0 : share;
        s->losses[n] = 0;
        if (s->targets[n] < 0) continue;
        double expected = (1 - s->smoothing) * ((double)v[s->targets[n]] - largest);
        if (s->smoothing > 0) {
            double sum = 0;
            for (int64_t k = 0; k < V; k++) sum += (double)v[k] - largest;
            expected += s->smoothing * (sum / V);
        }
        s->losses[n] = share * (log(total) - expected);
    }
    return 0;
}

// The sum of all losses (T, B): over shares of the sequences, each in order of time, and then in pairs
double EXPORT(total_loss)(const SoftmaxCE *of, int64_t T, int64_t B, int64_t shares) {
    double parts[64] = {0};
    EACH_ROW(T, B, shares, parts[s] += of->losses[row];)
    for (int64_t step = 1; step < shares; step *= 2)
        for (int64_t k = 0; k + step < shares; k += 2 * step) parts[k] += parts[k + step];
    return parts[0];
}

// dv = dy (p - q) weight, for rows lo to hi of T B
KERNEL(softmax_ce_backward, SoftmaxCE, s) {
    int64_t V = s->V;
    for (int64_t n = lo; n < hi; n++) {
        double scale = (double)*s->dy * s->weight[n];
        real factor = scale, lowered = scale * s->smoothing / V, *dv = s->dlogits + n * V;
        const real *p = s->p + n * V;
        EACH(V, put(dv + j, factor * get(p + j, width) - lowered, width););
        if (s->targets[n] >= 0) dv[s->targets[n]] -= (real)(scale * (1 - s->smoothing));
    }
    return 0;
}
