#include "lib/network/memory.h"

#include <gtest/gtest.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>

namespace rnn {
namespace {

// The caller's allocation functions: remembers what is out, and says no after `allowed` allocations.
struct Ledger {
  static void* allocate(std::size_t size, std::size_t alignment, void* user) {
    auto* self = static_cast<Ledger*>(user);
    if (self->allowed-- == 0) return nullptr;
    void* memory = ::operator new (size, std::align_val_t{alignment});
    self->out[memory] = {size, alignment};
    return memory;
  }
  static void deallocate(void* memory, std::size_t size, std::size_t alignment, void* user) {
    auto* self = static_cast<Ledger*>(user);
    EXPECT_EQ(self->out.count(memory), 1u);
    EXPECT_EQ(self->out[memory], std::make_pair(size, alignment));
    self->out.erase(memory);
    ::operator delete (memory, std::align_val_t{alignment});
  }
  Allocator allocator() {
    rnn_allocator_t functions = {};
    functions.struct_size = sizeof functions;
    functions.allocate = &allocate;
    functions.deallocate = &deallocate;
    functions.user = this;
    return Allocator(functions);
  }
  ~Ledger() { EXPECT_TRUE(out.empty()) << "memory that was not returned"; }

  std::map<void*, std::pair<std::size_t, std::size_t>> out;
  int allowed = -1;  // any number
};

TEST(Memory, BuffersAreAlignedAndZero) {
  Ledger ledger;
  for (const std::size_t n : {1u, 7u, 16u, 1000u}) {
    const Buffer<float> buffer(ledger.allocator(), n);
    EXPECT_EQ(buffer.size(), n);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
    for (const float value : buffer) EXPECT_EQ(value, 0.0f);
  }
}

TEST(Memory, AnEmptyBufferNeedsNoMemory) {
  Ledger ledger;
  ledger.allowed = 0;
  const Buffer<float> buffer(ledger.allocator(), 0);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_EQ(buffer.begin(), buffer.end());
}

TEST(Memory, ReserveGrowsAndOtherwiseKeeps) {
  Ledger ledger;
  Buffer<int> buffer(ledger.allocator(), 3);
  buffer[0] = 5;
  buffer.reserve(ledger.allocator(), 2);
  EXPECT_EQ(buffer.size(), 3u);
  EXPECT_EQ(buffer[0], 5);
  buffer.reserve(ledger.allocator(), 4);
  EXPECT_EQ(buffer.size(), 4u);
  EXPECT_EQ(buffer[0], 0);
}

TEST(Memory, AFailedReserveChangesNothing) {
  Ledger ledger;
  Buffer<int> buffer(ledger.allocator(), 3);
  buffer[2] = 7;
  ledger.allowed = 0;
  EXPECT_THROW(buffer.reserve(ledger.allocator(), 100), std::bad_alloc);
  ASSERT_EQ(buffer.size(), 3u);
  EXPECT_EQ(buffer[2], 7);
}

TEST(Memory, BuffersMove) {
  Ledger ledger;
  Buffer<int> a(ledger.allocator(), 2);
  a[1] = 4;
  Buffer<int> b = std::move(a);
  EXPECT_EQ(b[1], 4);
  Buffer<int> c(ledger.allocator(), 9);
  c = std::move(b);
  EXPECT_EQ(c.size(), 2u);
  EXPECT_EQ(c[1], 4);
}

TEST(Memory, SizesThatOverflowAreRefused) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(checked_product(most / 2, 2), most - 1);
  EXPECT_EQ(checked_product(0, most), 0u);
  EXPECT_EQ(checked_product(most, 0), 0u);
  EXPECT_THROW(checked_product(most / 2 + 1, 2), std::bad_alloc);
  EXPECT_THROW(checked_product(std::size_t{1} << 32, std::size_t{1} << 32), std::bad_alloc);
  Ledger ledger;
  EXPECT_THROW(Buffer<float>(ledger.allocator(), most / 2), std::bad_alloc);
  EXPECT_THROW(Buffer<double>(ledger.allocator(), most / 8 + 2), std::bad_alloc);
}

struct Throws {
  Throws() { throw std::runtime_error("no"); }
};

struct OwnsItsAllocator {
  explicit OwnsItsAllocator(const Allocator& a) : allocator(a) {}
  Allocator allocator;
};

TEST(Memory, MakeAndDestroy) {
  Ledger ledger;
  const Allocator allocator = ledger.allocator();
  EXPECT_THROW(allocator.make<Throws>(), std::runtime_error);
  EXPECT_TRUE(ledger.out.empty());
  auto* object = allocator.make<OwnsItsAllocator>(allocator);
  EXPECT_EQ(ledger.out.size(), 1u);
  object->allocator.destroy(object);
  EXPECT_TRUE(ledger.out.empty());
  ledger.allowed = 0;
  EXPECT_THROW(allocator.make<int>(3), std::bad_alloc);
}

TEST(Memory, TheRuntimesAllocatorIsTheDefault) {
  const Allocator allocator;
  int* object = allocator.make<int>(3);
  EXPECT_EQ(*object, 3);
  allocator.destroy(object);
}

#if defined(__linux__)
// The flags of the mapping that an address is in, " rd wr ... ".
std::string flags_of_mapping(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t first = 0, last = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &first, &last) == 2)
      inside = first <= at && at < last;
    else if (inside && line.rfind("VmFlags:", 0) == 0)
      return line.substr(8) + " ";
  }
  return "";
}

bool wants_huge_pages(const void* address) {
  return flags_of_mapping(address).find(" hg ") != std::string::npos;
}

// Some kernels have no huge pages, and emulated ones do not say who wants them.
bool shows_who_wants_huge_pages(std::size_t size) {
  void* const pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return false;
  const bool shown = madvise(pages, size, MADV_HUGEPAGE) == 0 && wants_huge_pages(pages);
  munmap(pages, size);
  return shown;
}

TEST(Memory, LargeBuffersAreOfHugePages) {
  constexpr std::size_t kHugePage = std::size_t{1} << 21;
  if (!shows_who_wants_huge_pages(kHugePage)) GTEST_SKIP() << "no huge pages here";
  const Buffer<char> large(Allocator(), 3 * kHugePage / 2);
  EXPECT_TRUE(wants_huge_pages(large.data()));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(large.data()) % kHugePage, 0u);
}
#endif

}  // namespace
}  // namespace rnn
