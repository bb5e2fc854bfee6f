// What the tests of files share: folders to write in, files made by hand, networks to save.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/network/little_endian.h"
#include "rnn/rnn.h"

// A new folder, removed at the end with all that is in it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::vector<std::string> names() const;  // sorted

 private:
  std::string path_;
};

std::string contents(const std::string& path);
void put(const std::string& path, const std::string& text);

// ---- Safetensors by hand ----

// The length of the header, the header, the data.
std::string container(const std::string& header, const std::string& data);

// Little-endian, whatever the CPU.
template <class T>
std::string bytes(const std::vector<T>& values) {
  std::string result(values.size() * sizeof(T), '\0');
  rnn::write_little_endian(values.data(), values.size(), result.data());
  return result;
}
template <class T>
void put(std::string& file, std::size_t at, T value) {
  rnn::write_little_endian(&value, 1, &file[at]);
}

struct HandTensor {
  std::string name;
  std::string type;
  std::vector<std::size_t> shape;
  std::string data;
};

HandTensor f32(const std::string& name, const std::vector<std::size_t>& shape,
               const std::vector<float>& values);

// metadata is JSON, or empty.
std::string container(const std::vector<HandTensor>& tensors, const std::string& metadata = "");

// ---- Networks ----

using Rnn = std::unique_ptr<rnn_t, void (*)(rnn_t*)>;

Rnn create(const std::function<void(rnn_config_t&)>& change = {});  // I 3, H 4, O 2, seed 7
std::string save_memory(const rnn_t* rnn);
// Empty if another status than RNN_OK is expected.
std::string save_as(const rnn_t* rnn, std::int32_t format,
                    const std::function<void(rnn_save_options_t&)>& change = {},
                    rnn_status_t expected = RNN_OK);
Rnn load_memory(const std::string& file);  // which must succeed
rnn_status_t try_load(const std::string& file);
std::vector<std::string> parameter_names(const rnn_t* rnn);
std::vector<float> parameter(const rnn_t* rnn, const char* name);
void expect_equal(const rnn_t* a, const rnn_t* b);  // configuration and parameters, to the bit

#define EXPECT_MESSAGE(text) \
  EXPECT_NE(std::string(rnn_last_error()).find(text), std::string::npos) << rnn_last_error()
