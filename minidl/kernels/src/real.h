// The type of numbers, vectors of it as wide as the processor's registers, and what a compiler has to be told.
//
// Every file is compiled for float (BITS 32) and double (BITS 64), and for each level of SIMD instructions (LEVEL).
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if BITS == 32
typedef float real;
typedef uint32_t bits;
#define TYPE ps
#else
typedef double real;
typedef uint64_t bits;
#define TYPE pd
#endif

// OF_VECTOR: how Intel's intrinsics are named, where there are any
#if defined __AVX512F__
enum { VECTOR_BYTES = 64, ROWS = 14, REGISTERS = 24 };  // ROWS x 2 vectors of a product stay in registers
#define OF_VECTOR 512
#elif defined __AVX2__
enum { VECTOR_BYTES = 32, ROWS = 6, REGISTERS = 12 };
#define OF_VECTOR 256
#elif defined __SSE2__
enum { VECTOR_BYTES = 16, ROWS = 6, REGISTERS = 12 };
#define OF_VECTOR
#else
enum { VECTOR_BYTES = 16, ROWS = 12, REGISTERS = 24 };
#endif
enum { LANES = VECTOR_BYTES / sizeof(real), WIDE = 2 * LANES, LINE = 64 / sizeof(real) };  // LINE: of a cache
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef vec vec_in_memory __attribute__((aligned(sizeof(real)), may_alias));

#define JOIN_(a, b, c, d) a##_##b##_##c##d
#define JOIN(a, b, c, d) JOIN_(a, b, c, d)
#define EXPORT(name) __attribute__((visibility("default"))) JOIN(name, LEVEL, f, BITS)
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__  // older ones do not know the words of GCC, and would keep the sums of a tile in memory
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

typedef bits bits_vec __attribute__((vector_size(VECTOR_BYTES)));

INLINE vec load(const real *p) { return *(const vec_in_memory *)p; }
INLINE void store(real *p, vec v) { *(vec_in_memory *)p = v; }

#ifdef OF_VECTOR
#include <immintrin.h>
#define INTRINSIC_(bits, name, type) _mm##bits##_##name##_##type
#define INTRINSIC(bits, name, type) INTRINSIC_(bits, name, type)
#endif

// The first `width` numbers; zeros take the place of the others
#if defined __AVX512F__
INLINE vec load_part(const real *p, int64_t width) {
    return (vec)INTRINSIC(512, maskz_loadu, TYPE)((1u << width) - 1, p);
}
INLINE void store_part(real *p, vec v, int64_t width) { INTRINSIC(512, mask_storeu, TYPE)(p, (1u << width) - 1, v); }
#elif defined __AVX2__
INLINE __m256i first(int64_t width) {
    bits_vec number;
    for (int j = 0; j < LANES; j++) number[j] = j;
    return (__m256i)(number < (bits)width);
}
INLINE vec load_part(const real *p, int64_t width) { return (vec)INTRINSIC(256, maskload, TYPE)(p, first(width)); }
INLINE void store_part(real *p, vec v, int64_t width) { INTRINSIC(256, maskstore, TYPE)(p, first(width), v); }
#else
INLINE vec load_part(const real *p, int64_t width) {
    vec v = {0};
    memcpy(&v, p, width * sizeof(real));
    return v;
}
INLINE void store_part(real *p, vec v, int64_t width) { memcpy(p, &v, width * sizeof(real)); }
#endif
INLINE vec get(const real *p, int64_t width) { return width == LANES ? load(p) : load_part(p, width); }
INLINE void put(real *p, vec v, int64_t width) {
    if (width == LANES) store(p, v);
    else store_part(p, v, width);
}

// Do something for the vectors of numbers start to end, or of n numbers, of which `width` at j exist
#define EACH(n, ...) EACH_FROM(0, n, __VA_ARGS__)
#define EACH_FROM(start, end, ...)                          \
    do {                                                    \
        int64_t j = start;                                  \
        for (; j + LANES <= (end); j += LANES) {            \
            const int64_t width = LANES;                    \
            __VA_ARGS__                                     \
        }                                                   \
        if (j < (end)) {                                    \
            const int64_t width = (end) - j;                \
            __VA_ARGS__                                     \
        }                                                   \
    } while (0)

// The smaller and the larger of two: the second where one is NaN
#ifdef OF_VECTOR
INLINE vec min(vec a, vec b) { return (vec)INTRINSIC(OF_VECTOR, min, TYPE)(a, b); }
INLINE vec max(vec a, vec b) { return (vec)INTRINSIC(OF_VECTOR, max, TYPE)(a, b); }
#else
INLINE vec choose(bits_vec which, vec a, vec b) { return (vec)(((bits_vec)a & which) | ((bits_vec)b & ~which)); }
INLINE vec min(vec a, vec b) { return choose((bits_vec)(a < b), a, b); }
INLINE vec max(vec a, vec b) { return choose((bits_vec)(a > b), a, b); }
#endif

// The square root, of at least the smallest normal number, and the quotient by numbers that are not extreme: estimates
// made exact by Newton's rule, where vectors are so wide that they take a fourth of the time of the instructions.
#if defined __AVX512F__ && BITS == 32
INLINE vec root(vec a) {
    vec inverse = (vec)_mm512_rsqrt14_ps(a = max((vec){0} + 1.2e-38f, a)), y = a * inverse;
    return y + 0.5f * inverse * (a - y * y);
}
INLINE vec divide(vec a, vec b) {
    vec inverse = (vec)_mm512_rcp14_ps(b = min((vec){0} + 1e37f, b));
    inverse *= 2 - b * inverse;
    vec y = a * inverse;
    return y + inverse * (a - b * y);
}
#else
INLINE vec root(vec a) {
    for (int j = 0; j < LANES; j++) a[j] = BITS == 32 ? sqrtf(a[j]) : sqrt(a[j]);
    return a;
}
INLINE vec divide(vec a, vec b) { return a / b; }
#endif

// The sum of a vector: of its parts of 16 bytes, and then of what is in them
INLINE real sum_of(vec v) {
    typedef real part __attribute__((vector_size(16)));
    enum { IN_PART = 16 / sizeof(real) };
    part parts[VECTOR_BYTES / 16], total = {0};
    memcpy(parts, &v, sizeof v);
    for (int i = 0; i < VECTOR_BYTES / 16; i++) total += parts[i];
    return BITS == 64 ? total[0] + total[1] : (total[0] + total[1]) + (total[2 % IN_PART] + total[3 % IN_PART]);
}

// A struct of fields of 8 bytes, and how it is declared, from which Python reads them
#define STRUCT(Name, ...)                                                               \
    typedef struct { __VA_ARGS__ } Name;                                                \
    extern const char EXPORT(Name##_fields)[];                                          \
    const char EXPORT(Name##_fields)[] = #__VA_ARGS__;

// Numbers too small to be normal take a hundred cycles each: they are zero while a kernel runs.
#ifdef OF_VECTOR
INLINE uint64_t flush_denormals(void) {
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
}
INLINE void restore_denormals(uint64_t before) { _mm_setcsr((unsigned)before); }
#elif defined __aarch64__
INLINE uint64_t flush_denormals(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1 << 24));
    return before;
}
INLINE void restore_denormals(uint64_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
INLINE uint64_t flush_denormals(void) { return 0; }
INLINE void restore_denormals(uint64_t before) { (void)before; }
#endif

// A function that Python calls: the share lo to hi of the work that the struct s describes. 0, or 1 where there was no memory
#define KERNEL(name, Struct, s)                                           \
    static int name(const Struct *s, int64_t lo, int64_t hi);             \
    int EXPORT(name)(const Struct *s, int64_t lo, int64_t hi) {           \
        uint64_t before = flush_denormals();                              \
        int failed = name(s, lo, hi);                                     \
        restore_denormals(before);                                        \
        return failed;                                                    \
    }                                                                     \
    static int name(const Struct *s, int64_t lo, int64_t hi)

// Room for so many numbers, a cache line apart from what is next to it; to be freed. NULL where there is none
static inline real *allocate(int64_t numbers) {
    return aligned_alloc(64, (numbers * sizeof(real) + 2 * VECTOR_BYTES + 63) / 64 * 64);
}

// Room for several arrays of these sizes, one after another; the first is to be freed. 0 where there is none
static inline int allocate_all(int count, const int64_t *sizes, real **arrays) {
    int64_t total = 0;
    for (int i = 0; i < count; i++) total += sizes[i];
    arrays[0] = allocate(total);
    for (int i = 1; i < count && arrays[0]; i++) arrays[i] = arrays[i - 1] + sizes[i - 1];
    return arrays[0] != NULL;
}

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
