// Which instructions the processor has, and the system saves the registers of.
#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
__attribute__((visibility("default"))) const char *simd_level(void) {
    unsigned a, b, c, d, saved, high;
    enum { FMA = 1 << 12, OSXSAVE = 1 << 27, AVX2 = 1 << 5 | 1 << 3 | 1 << 8 };  // with BMI 1 and 2
    const unsigned AVX512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;           // F, DQ, BW, VL
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (FMA | OSXSAVE)) != (FMA | OSXSAVE)) return "baseline";
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & AVX2) != AVX2 || (saved & 0x06) != 0x06) return "baseline";
    return (b & AVX512) == AVX512 && (saved & 0xe6) == 0xe6 ? "avx512" : "avx2";
}
#else
__attribute__((visibility("default"))) const char *simd_level(void) { return "baseline"; }
#endif
