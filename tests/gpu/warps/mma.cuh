// Warps of CUDA on a CPU: lanes take turns, and meet at every product of a tensor core, which is
// computed element by element where PTX ISA says that an element lies ("Matrix Fragments for ...").
// Stands in for the header of the same name, whose instructions a CPU has not.

#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ucontext.h>

#define __device__
#define __global__
#define __shared__ static  // one warp is at work at a time
static struct { int x, y; } threadIdx, blockIdx;

constexpr int LANES = 32, STACK = 1 << 16;

static struct { uint32_t a[4], b[4], e; int32_t d[4]; } lanes[LANES];  // registers
static ucontext_t waiting[LANES], scheduler;
static char stacks[LANES][STACK];
static std::function<void()> work;
static void (*product)();  // that all lanes wait for
static int done;

// The matrices of an instruction, and what each lane's sums become.
static int32_t a_bits(int row, int k, int width)
{
    const int per = 32 / width, word = k / per;  // of the row: registers hold words g + 4 i
    const int lane = row % 8 * 4 + word % 4, which = row / 8 + word / 4 * 2;
    return lanes[lane].a[which] >> k % per * width & ((1LL << width) - 1);
}

static int32_t b_bits(int k, int column, int width)
{
    const int per = 32 / width, word = k / per;
    return lanes[column * 4 + word % 4].b[word / 4] >> k % per * width & ((1LL << width) - 1);
}

template <typename Sum, typename Add>
static void each_sum(Add add)
{
    for (int lane = 0; lane < LANES; ++lane)
        for (int i = 0; i < 4; ++i) {
            const int row = lane / 4 + (i < 2 ? 0 : 8), column = lane % 4 * 2 + (i & 1);
            Sum sum;
            std::memcpy(&sum, &lanes[lane].d[i], 4);
            sum = add(sum, row, column);
            std::memcpy(&lanes[lane].d[i], &sum, 4);
        }
}

template <typename Bit>
static void count_bits(Bit bit)
{
    each_sum<int32_t>([&](int32_t sum, int row, int column) {
        for (int k = 0; k < 256; ++k) sum += bit(a_bits(row, k, 1), b_bits(k, column, 1));
        return sum;
    });
}

static int signed4(int32_t bits) { return bits < 8 ? bits : bits - 16; }

static float half(int32_t bits)
{
    const int field = bits >> 10 & 31, fraction = bits & 1023;
    float size = field ? std::ldexp(1024.0f + fraction, field - 25) : std::ldexp((float)fraction, -24);
    if (field == 31) size = fraction ? NAN : INFINITY;
    return bits >> 15 ? -size : size;
}

static void add_sparse()
{
    each_sum<float>([](float sum, int row, int column) {
        for (int kept = 0; kept < 16; ++kept) {  // eight of them in 16 columns of k
            const uint32_t e = lanes[row % 8 * 4 + kept / 8].e >> row / 8 * 16;
            const int place = e >> kept % 8 * 2 & 3, k = kept / 2 * 4 + place;
            sum += half(a_bits(row, kept, 16)) * half(b_bits(k, column, 16));
        }
        return sum;
    });
}

template <typename Sum, int COUNT>
static void meet(void (*at)(), Sum (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[COUNT],
                 uint32_t e)
{
    const int lane = threadIdx.x;
    std::memcpy(lanes[lane].a, a, sizeof a);
    std::memcpy(lanes[lane].b, b, sizeof b);
    std::memcpy(lanes[lane].d, d, sizeof d);
    lanes[lane].e = e;
    product = at;
    swapcontext(&waiting[lane], &scheduler);
    std::memcpy(d, lanes[lane].d, sizeof d);
}

static void mma_xor(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    meet([] { count_bits([](int x, int y) { return x ^ y; }); }, d, a, b, 0);
}

static void mma_and(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    meet([] { count_bits([](int x, int y) { return x & y; }); }, d, a, b, 0);
}

static void mma_int4(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    meet([] {
        each_sum<int32_t>([](int32_t sum, int row, int column) {
            for (int k = 0; k < 64; ++k)
                sum += signed4(a_bits(row, k, 4)) * signed4(b_bits(k, column, 4));
            return sum;
        });
    }, d, a, b, 0);
}

static void mma_fp16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    meet([] {
        each_sum<float>([](float sum, int row, int column) {
            for (int k = 0; k < 16; ++k) sum += half(a_bits(row, k, 16)) * half(b_bits(k, column, 16));
            return sum;
        });
    }, d, a, b, 0);
}

static void mma_sparse(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t e)
{
    meet(add_sparse, d, a, b, e);
}

static void __syncwarp()
{
    product = nullptr;
    swapcontext(&waiting[threadIdx.x], &scheduler);
}

static void lane_main() { work(); ++done; }

// Runs a function as a grid of warps, one after another.
static void launch(int across, int down, std::function<void()> function)
{
    work = function;
    for (blockIdx.y = 0; blockIdx.y < down; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < across; ++blockIdx.x) {
            for (int lane = 0; lane < LANES; ++lane) {
                getcontext(&waiting[lane]);
                waiting[lane].uc_stack.ss_sp = stacks[lane];
                waiting[lane].uc_stack.ss_size = STACK;
                waiting[lane].uc_link = &scheduler;
                makecontext(&waiting[lane], lane_main, 0);
            }
            for (done = 0; done < LANES;) {
                done = 0;
                product = nullptr;
                for (int lane = 0; lane < LANES; ++lane) {
                    threadIdx.x = lane;
                    swapcontext(&scheduler, &waiting[lane]);
                }
                if (product) product();
            }
        }
}
