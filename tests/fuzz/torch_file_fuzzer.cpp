// Files of torch.save: the input is the pickle, in an archive with two storages whose checksums are right.
#include <cstdint>
#include <string>

#include "tests/formats/zip_by_hand.h"
#include "tests/fuzz/attempt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string pickle(reinterpret_cast<const char*>(data), size), numbers(64, '\x3c');
  const std::string file = zip({{"a/data.pkl", pickle}, {"a/data/0", numbers}, {"a/data/1", numbers}});
  attempt(file.data(), file.size());
  return 0;
}
