// Training without oneTBB: the calling thread does everything, to the same bits, whatever number it is given.
#include "lib/training/threads.h"

namespace rnn {

class Threads::Arena {};

Threads::Threads(std::int32_t) : n_(1) {}
Threads::~Threads() = default;

std::size_t Threads::count() const noexcept { return 1; }
std::size_t Threads::count(double) const noexcept { return 1; }

void Threads::run(double, std::size_t tasks, void (*call)(const void*, std::size_t),
                  const void* task) noexcept {
  for (std::size_t i = 0; i < tasks; ++i) call(task, i);
}

}  // namespace rnn
