// What every fuzzer of files does with its input.
#pragma once

#include <cstddef>

// Whatever the bytes, loading them ends with a status; what was loaded saves, loads again and steps. Aborts
// if not.
void attempt(const void* data, std::size_t size);
