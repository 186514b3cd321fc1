// Products of four-bit integers on tensor cores.
//
// c [m, n] = a [m, k] b [n, k]', two's complement, eight a word: a [m, words], b [n, words], words =
// ceil(k / 8), filled up with zeros. Sums are int32 and wrap. A warp makes one tile of 16 x 8.
// Launch: a warp a block, grid (ceil(n / 8), ceil(m / 16)).

#include "fragments.cuh"
#include "mma.cuh"

extern "C" __global__ void int4_gemm(
    const uint32_t* a, const uint32_t* b, int32_t* c, int m, int n, int k)
{
    const int row = (int)blockIdx.y * 16, column = (int)blockIdx.x * 8, words = (k + 7) / 8;
    int32_t sums[4] = {0, 0, 0, 0};
    #pragma unroll 1
    for (int word = 0; word < words; word += 8) {
        uint32_t left[4], right[2];
        load_rows(left, a, row, m, word, words);
        load_columns(right, b, column, n, word, words);
        mma_int4(sums, left, right);
    }
    store(sums, c, row, m, column, n);
}
