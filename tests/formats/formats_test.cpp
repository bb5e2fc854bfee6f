#include "tests/formats/formats_test.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>

namespace fs = std::filesystem;

namespace {

// Not fs::remove_all, which on Windows holds the folder open that it removes.
void remove_tree(const fs::path& path) noexcept {
  std::error_code ignored;
  std::vector<fs::path> inside;
  for (fs::directory_iterator i(path, ignored), end; !ignored && i != end; i.increment(ignored))
    inside.push_back(i->path());
  for (const fs::path& entry : inside)
    fs::is_directory(fs::symlink_status(entry, ignored)) ? remove_tree(entry)
                                                         : void(fs::remove(entry, ignored));
  fs::remove(path, ignored);
}

}  // namespace

Folder::Folder() {
  std::random_device random;
  do path_ = testing::TempDir() + "rnn_formats_" + std::to_string(random());
  while (!fs::create_directory(path_));
}

Folder::~Folder() { remove_tree(path_); }

std::vector<std::string> Folder::names() const {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_))
    names.push_back(entry.path().filename().u8string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string container(const std::string& header, const std::string& data) {
  return bytes(std::vector<std::uint64_t>{header.size()}) + header + data;
}

HandTensor f32(const std::string& name, const std::vector<std::size_t>& shape,
               const std::vector<float>& values) {
  return {name, "F32", shape, bytes(values)};
}

std::string container(const std::vector<HandTensor>& tensors, const std::string& metadata) {
  std::string header = metadata.empty() ? "" : "\"__metadata__\":" + metadata;
  std::string data;
  for (const HandTensor& tensor : tensors) {
    std::string shape;
    for (const std::size_t n : tensor.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
    const std::string begin = std::to_string(data.size());
    data += tensor.data;
    header += (header.empty() ? "" : ",") + ("\"" + tensor.name) + "\":{\"dtype\":\"" + tensor.type +
              "\",\"shape\":[" + shape + "],\"data_offsets\":[" + begin + "," + std::to_string(data.size()) +
              "]}";
  }
  return container("{" + header + "}", data);
}

Rnn create(const std::function<void(rnn_config_t&)>& change) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  config.input_size = 3;
  config.hidden_size = 4;
  config.output_size = 2;
  config.seed = 7;
  if (change) change(config);
  rnn_t* rnn = nullptr;
  EXPECT_EQ(rnn_create(&config, &rnn), RNN_OK) << rnn_last_error();
  return {rnn, &rnn_destroy};
}

std::string save_memory(const rnn_t* rnn) {
  std::size_t size = 0;
  EXPECT_EQ(rnn_save_memory(rnn, nullptr, 0, &size), RNN_OK) << rnn_last_error();
  std::string file(size, '?');
  EXPECT_EQ(rnn_save_memory(rnn, file.data(), file.size(), &size), RNN_OK) << rnn_last_error();
  EXPECT_EQ(size, file.size());
  return file;
}

std::string save_as(const rnn_t* rnn, std::int32_t format,
                    const std::function<void(rnn_save_options_t&)>& change, rnn_status_t expected) {
  rnn_save_options_t options{};
  options.struct_size = sizeof options;
  options.format = format;
  if (change) change(options);
  std::size_t size = 0;
  EXPECT_EQ(rnn_save_memory_as(rnn, &options, nullptr, 0, &size), expected) << rnn_last_error();
  if (expected != RNN_OK) return {};
  std::string file(size, '?');
  EXPECT_EQ(rnn_save_memory_as(rnn, &options, file.data(), size, &size), RNN_OK) << rnn_last_error();
  return file;
}

rnn_status_t try_load(const std::string& file) {
  rnn_t* rnn = nullptr;
  const rnn_status_t status = rnn_load_memory(file.data(), file.size(), nullptr, &rnn);
  EXPECT_EQ(status == RNN_OK, rnn != nullptr);
  rnn_destroy(rnn);
  return status;
}

Rnn load_memory(const std::string& file) {
  rnn_t* rnn = nullptr;
  EXPECT_EQ(rnn_load_memory(file.data(), file.size(), nullptr, &rnn), RNN_OK) << rnn_last_error();
  return {rnn, &rnn_destroy};
}

namespace {

std::vector<rnn_parameter_t> parameters(const rnn_t* rnn) {
  std::size_t count = 0;
  EXPECT_EQ(rnn_parameter_count(rnn, &count), RNN_OK);
  std::vector<rnn_parameter_t> infos(count);
  for (std::size_t i = 0; i < count; ++i) {
    infos[i].struct_size = sizeof infos[i];
    EXPECT_EQ(rnn_parameter_info(rnn, i, &infos[i]), RNN_OK);
  }
  return infos;
}

}  // namespace

std::vector<std::string> parameter_names(const rnn_t* rnn) {
  std::vector<std::string> names;
  for (const rnn_parameter_t& info : parameters(rnn)) names.push_back(info.name);
  return names;
}

std::vector<float> parameter(const rnn_t* rnn, const char* name) {
  for (const rnn_parameter_t& info : parameters(rnn)) {
    if (std::strcmp(info.name, name) != 0) continue;
    std::vector<float> values(info.rows * info.columns);
    EXPECT_EQ(rnn_get_parameter(rnn, name, values.data(), values.size()), RNN_OK) << rnn_last_error();
    return values;
  }
  ADD_FAILURE() << "no parameter " << name;
  return {};
}

void expect_equal(const rnn_t* a, const rnn_t* b) {
  rnn_config_t config_a{}, config_b{};
  config_a.struct_size = config_b.struct_size = sizeof config_a;
  ASSERT_EQ(rnn_get_config(a, &config_a), RNN_OK);
  ASSERT_EQ(rnn_get_config(b, &config_b), RNN_OK);
  ASSERT_EQ(config_a.layer_count, config_b.layer_count);
  for (std::size_t l = 0; l < config_a.layer_count; ++l)
    EXPECT_EQ(std::memcmp(&config_a.layers[l], &config_b.layers[l], sizeof(rnn_layer_t)), 0) << l;
  config_a.layers = config_b.layers = nullptr;  // each has its own
  EXPECT_EQ(std::memcmp(&config_a, &config_b, sizeof config_a), 0);

  for (const std::string& name : parameter_names(a))
    EXPECT_EQ(bytes(parameter(a, name.c_str())), bytes(parameter(b, name.c_str()))) << name;
}
