// What the benchmark programs share: main (in common.cpp), counters, and the limits of the machine.
//
// Names are stable, so that results compare between releases and machines:
//   limit/read/<bytes>, limit/fma                      the machine's own, on the ISA in use
//   kernel/<name>/<size>                               one kernel, or a peer of it (tanh_libmvec)
//   step/<impl>/<cell>/<size>                          one step; <size> is <I>x<H>x<O>, and /dense where the
//                                                      inputs of 65 characters are numbers, not one-hot
//   latency/<impl>/<cell>/<size>                       the same, call by call
//   block/<impl>/<cell>/<size>/<T>                     T steps of one stream in one call, and
//   loop/<impl>/<cell>/<size>/<T>                      in as many calls
//   streams/<impl>/<cell>/<size>/<N>[/threads<N>]      one step of N streams
//   sequence/<impl>/<cell>/<size>/T<T>xB<B>/threads<N> T steps of B sequences
//   train/<impl>/<cell>/<H>x<L>[/T<T>]/batch<B>/threads<N>   one update; of 100 steps unless it says
//   scaling/<cell>/<H>x<L>/batch<B>                    one update, on one thread,
//   scaling/<cell>/<H>x<L>/step/{lanes,ranks}<N>       and of one step of a sequence in each lane: in one process, and
//                                                      what one of N ranks does of it
//   ranks/<cell>/<H>x<L>/{threads1,threads2,ranks2}    one update of 64 sequences in two lanes
//
// Counters: FLOPS, bytes_per_second, steps_per_second; p50, p99 and p999 of latency, in seconds; and for
// scripts/bench_table.py: flops and bytes of one iteration, the latter with its limit/read/<bytes>; workers:
// threads that share the work.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>

#include "lib/network/memory.h"

namespace bench {

// Each program has its own; called before the benchmarks run.
void register_benchmarks();

// What one iteration does.
void count_flops(benchmark::State& state, double flops);
void count_bytes(benchmark::State& state, std::size_t bytes);

// Register the machine's limits; the second once for each number of bytes.
void register_fma_limit();
void register_read_limit(std::size_t bytes);

// Bytes of a packed matrix [rows, depth] that a product reads.
std::size_t packed_bytes(std::size_t rows, std::size_t depth);

// 64-byte aligned, uniform in [low, high).
using Floats = rnn::Buffer<float>;
Floats uniform_floats(std::size_t n, float low = -1.0f, float high = 1.0f);

}  // namespace bench
