// SGD, RMSprop and Adam: the equations of minidl/optim, with clipping, in one pass over the vectors.
#include "functions.h"

// The numbers of a step. Where it clips, each entry of the gradient is held within +-highest, and then multiplied by scale
STRUCT(Rates, double clips, highest, scale, lr, beta1, beta2, eps, root, kept, nesterov;)

// weights w, gradient g, what is kept from step to step (m, v or u), each (n)
STRUCT(Update, int64_t n; real *w, *g, *m, *u, *v; const Rates *rates;)

INLINE vec clipped(Rates now, real *g, int64_t width) {
    if (now.clips) put(g, clamp(get(g, width), now.highest) * (real)now.scale, width);
    return get(g, width);
}

// Do something for sixteens lo to hi of n numbers, with copies of what the compiler cannot know to stay as it is
#define EACH_WEIGHT(given, ...)                                              \
    const Update here = *given, *s = &here;                                  \
    const Rates now = *s->rates;                                             \
    EACH_FROM(lo * 16, least(hi * 16, s->n), __VA_ARGS__);                   \
    return 0;

// m += (1 - beta1) (g - m)   v += (1 - beta2) (g^2 - v)   w = kept w - lr m / (sqrt(v) root + eps)
KERNEL(adam, Update, given) {
    EACH_WEIGHT(given, {
        vec g = clipped(now, s->g + j, width), m = get(s->m + j, width), v = get(s->v + j, width);
        m += (real)(1 - now.beta1) * (g - m);
        v += (real)(1 - now.beta2) * (g * g - v);
        put(s->m + j, m, width);
        put(s->v + j, v, width);
        vec change = divide((real)now.lr * m, root(v) * (real)now.root + (real)now.eps);
        put(s->w + j, (real)now.kept * get(s->w + j, width) - change, width);
    })
}

// v += (1 - beta2) (g^2 - v)   w -= lr g / (sqrt(v) + eps)
KERNEL(rmsprop, Update, given) {
    EACH_WEIGHT(given, {
        vec g = clipped(now, s->g + j, width), v = get(s->v + j, width);
        v += (real)(1 - now.beta2) * (g * g - v);
        put(s->v + j, v, width);
        put(s->w + j, get(s->w + j, width) - divide((real)now.lr * g, root(v) + (real)now.eps), width);
    })
}

// u = beta1 u + g   w -= lr u, or lr (beta1 u + g) with Nesterov's look ahead
KERNEL(sgd, Update, given) {
    EACH_WEIGHT(given, {
        vec g = clipped(now, s->g + j, width), u = (real)now.beta1 * get(s->u + j, width) + g;
        put(s->u + j, u, width);
        vec step = now.nesterov ? (real)now.beta1 * u + g : u;
        put(s->w + j, get(s->w + j, width) - (real)now.lr * step, width);
    })
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
