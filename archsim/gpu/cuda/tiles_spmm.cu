// Products with a matrix that is loaded as sparse and computed on as dense (as Flash-LLM does).
//
// c [m, n] = a [m, k] b [n, k]', fp16 in and fp32 out; k is even. a is packed in tiles of 128 x 64:
// words of a number and its place, those of tile t from offsets[t] to offsets[t + 1]
// (archsim.sparse.packed). A warp makes a tile of 128 x 8: it clears a tile in shared memory,
// scatters words into it, and multiplies it by b.
// Launch: a warp a block, grid (ceil(n / 8), ceil(m / 128)).

#include "fragments.cuh"
#include "mma.cuh"

constexpr int ROWS = 128, WORDS = 32;  // of a tile, two numbers a word
constexpr int PARTS = ROWS / 16;

// Registers of 16 rows of a tile in shared memory, whose words are swizzled by row.
__device__ inline void load_tile_rows(
    uint32_t (&a)[4], const uint32_t (&tile)[ROWS * WORDS], int row, int word)
{
    for (int i = 0; i < 4; ++i) {
        const int r = row + group() + i % 2 * 8, w = word + member() + i / 2 * 4;
        a[i] = tile[r * WORDS + (w ^ r % 8 << 2)];
    }
}

extern "C" __global__ void tiles_spmm(
    const uint32_t* packed, const int32_t* offsets, const uint32_t* b, float* c,
    int m, int n, int k)
{
    __shared__ uint32_t tile[ROWS * WORDS];
    const int row = (int)blockIdx.y * ROWS, column = (int)blockIdx.x * 8;
    const int across = (k + 2 * WORDS - 1) / (2 * WORDS);
    float sums[PARTS][4] = {};
    #pragma unroll 1
    for (int t = 0; t < across; ++t) {
        for (int i = (int)threadIdx.x; i < ROWS * WORDS; i += 32) tile[i] = 0;
        __syncwarp();
        const int32_t* ends = offsets + (int64_t)blockIdx.y * across + t;
        for (int i = ends[0] + (int)threadIdx.x; i < ends[1]; i += 32)
            if (packed[i] & 0xFFFF) ((uint16_t*)tile)[packed[i] >> 16] = (uint16_t)packed[i];
        __syncwarp();
        #pragma unroll 1
        for (int word = 0; word < WORDS; word += 8) {
            uint32_t right[2];
            load_columns(right, b, column, n, t * WORDS + word, k / 2);
            for (int part = 0; part < PARTS; ++part) {
                uint32_t left[4];
                load_tile_rows(left, tile, part * 16, word);
                mma_fp16(sums[part], left, right);
            }
        }
        __syncwarp();
    }
    for (int part = 0; part < PARTS; ++part) store(sums[part], c, row + part * 16, m, column, n);
}
