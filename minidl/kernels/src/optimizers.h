// SGD, RMSprop and Adam: the equations of minidl/optim, with clipping, in one pass over the vectors.
#include "functions.h"

// weights w, gradient g, what is kept from step to step (m, v or u), each (n). Where it clips, each entry of the gradient
// is held within +-bound, and then multiplied by scale.
STRUCT(Update, int64_t n, nesterov, clips; real *w, *g, *m, *v;
       double bound, scale, lr, beta1, beta2, eps, root, kept;)

INLINE vec clipped(const Update *u, int64_t j, int64_t width) {
    vec g = get(u->g + j, width);
    if (!u->clips) return g;
    g = clamp(g, u->bound) * (real)u->scale;
    put(u->g + j, g, width);
    return g;
}

// Sixteens lo to hi of n numbers
#define EACH_WEIGHT(u, ...) EACH_FROM(lo * 16, least(hi * 16, u->n), __VA_ARGS__)

// m += (1 - beta1) (g - m)   v += (1 - beta2) (g^2 - v)   w = kept w - lr m / (sqrt(v) root + eps)
KERNEL(adam, Update, given) {
    const Update here = *given, *u = &here;
    real new1 = 1 - u->beta1, new2 = 1 - u->beta2, lr = u->lr, root_ = u->root, eps = u->eps, kept = u->kept;
    EACH_WEIGHT(u, {
        vec g = clipped(u, j, width), m = get(u->m + j, width), v = get(u->v + j, width);
        m += new1 * (g - m);
        v += new2 * (g * g - v);
        put(u->m + j, m, width);
        put(u->v + j, v, width);
        put(u->w + j, kept * get(u->w + j, width) - divide(lr * m, root(v) * root_ + eps), width);
    });
    return 0;
}

// v += (1 - beta2) (g^2 - v)   w -= lr g / (sqrt(v) + eps)
KERNEL(rmsprop, Update, given) {
    const Update here = *given, *u = &here;
    real new2 = 1 - u->beta2, lr = u->lr, eps = u->eps;
    EACH_WEIGHT(u, {
        vec g = clipped(u, j, width), v = get(u->v + j, width);
        v += new2 * (g * g - v);
        put(u->v + j, v, width);
        put(u->w + j, get(u->w + j, width) - divide(lr * g, root(v) + eps), width);
    });
    return 0;
}

// m = beta1 m + g   w -= lr m, or lr (beta1 m + g) with Nesterov's look ahead
KERNEL(sgd, Update, given) {
    const Update here = *given, *u = &here;
    real beta1 = u->beta1, lr = u->lr;
    EACH_WEIGHT(u, {
        vec g = clipped(u, j, width), m = beta1 * get(u->m + j, width) + g;
        put(u->m + j, m, width);
        put(u->w + j, get(u->w + j, width) - lr * (u->nesterov ? beta1 * m + g : m), width);
    });
    return 0;
}

// The sum of squares of n numbers, in sums of parts, which lose nothing of long vectors
double EXPORT(sum_of_squares)(const real *v, int64_t n) {
    enum { PART = 8192, SUMS = 8 };
    double total = 0;
    uint64_t before = flush_denormals();
    for (int64_t start = 0; start < n; start += PART) {
        int64_t count = least(PART, n - start), k = 0;
        vec sums[SUMS] = {{0}}, rest = {0};
        for (; k + SUMS * LANES <= count; k += SUMS * LANES)
            UNROLL
            for (int i = 0; i < SUMS; i++) {
                vec x = load(v + start + k + i * LANES);
                sums[i] += x * x;
            }
        EACH(count - k, vec x = get(v + start + k + j, width); rest += x * x;);
        for (int i = 0; i < SUMS; i++) rest += sums[i];
        total += sum_of(rest);
    }
    restore_denormals(before);
    return total;
}
