// Files of other kinds are named, each with the shortest way to one that is read.
#include "tests/formats/formats_test.h"
#include "tests/formats/zip_by_hand.h"

namespace {

using namespace std::string_literals;

void expect_named(const std::string& file, const std::string& name, const std::string& advice) {
  EXPECT_EQ(try_load(file), RNN_UNSUPPORTED) << name;
  EXPECT_MESSAGE("unsupported: the file is " + name + ", which this library does not read; ");
  EXPECT_MESSAGE(advice);
}

void expect_refused(const std::string& file, const std::string& message) {
  EXPECT_EQ(try_load(file), RNN_BAD_FORMAT) << message;
  EXPECT_MESSAGE(message);
}

constexpr char kTorch[] =
    "in Python: safetensors.torch.save_file(torch.load(\"x.pt\", map_location=\"cpu\"), \"x.safetensors\")";
constexpr char kModelUtils[] = "with RTNeural's model_utils.py: save_model(";

TEST(Unread, PyTorch) {
  const std::string large(300'000, 'x');
  expect_named("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M"s,
               "a PyTorch file of before PyTorch 1.6", kTorch);
  expect_named(zip({{"net/data.pkl", ""}, {"net/code/__torch__.py", large}, {"net/constants.pkl", ""}}),
               "a TorchScript module (torch.jit.save)", "torch.jit.load(\"x.pt\", \"cpu\").state_dict()");
  expect_named("\x80\x04\x95\x10\0"s, "a pickle of Python", "pickle.load(open(\"x.pkl\", \"rb\"))");
}

TEST(Unread, Keras) {
  for (const char* weights : {"model.weights.npz", "model.weights.json"})
    expect_named(zip({{"metadata.json", "{}"}, {"config.json", "{}"}, {weights, ""}}),
                 "a Keras model (.keras)", kModelUtils);
}

TEST(Unread, TensorFlow) {
  const std::string name = "a TensorFlow SavedModel";
  expect_named("\x08\x01\x12\xba\x02\x0a\x10"s, name, kModelUtils);
  expect_named("\x1c\0\0\0TFL3\x14\0"s, "TensorFlow Lite", kModelUtils);

  const Folder folder;
  put(folder / "saved_model.pb", "");
  rnn_t* rnn = nullptr;
  EXPECT_EQ(rnn_load((folder / "").c_str(), nullptr, &rnn), RNN_UNSUPPORTED);
  EXPECT_MESSAGE((folder / "") + ": unsupported: the folder is a TensorFlow SavedModel");
}

TEST(Unread, NumPy) {
  expect_named(zip({{"weight_ih_l0.npy", "\x93NUMPY"}, {"weight_hh_l0.npy", ""}}),
               "an archive of NumPy arrays (.npz)",
               "safetensors.numpy.save_file(dict(numpy.load(\"x.npz\")), \"x.safetensors\")");
  expect_named("\x93NUMPY\x01\0v\0{'descr'"s, "one NumPy array (.npy)", "numpy.load(\"x.npy\")");
}

TEST(Unread, Others) {
  expect_named("GGUF\3\0\0\0"s, "GGUF, of llama.cpp", "gguf.GGUFReader(\"x.gguf\")");
  expect_named("\x20\0\0\0ORTM"s, "ONNX Runtime's own format (.ort)", "take the .onnx file");
  expect_named("KAN\1\0"s, "a network of KANN", "");
  expect_named(save_as(create().get(), RNN_FORMAT_C), "C, as rnn_save_as writes it", "rnn_load_memory");
  expect_named("\xff\xfe{\0}\0"s, "text in UTF-16", "save it in UTF-8");
  expect_named("\x1f\x8b\x08\0\0"s, "compressed by gzip", "unpack it");
  expect_named(std::string(257, 'x') + "ustar  \0"s, "a tar archive", "unpack it");
  expect_named(zip({{"readme.txt", "text"}}), "a zip archive", "unpack it");
}

TEST(Unread, WhatIsNoModel) {
  expect_refused("", "the file is empty");
  expect_refused("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull");
  expect_refused("<!DOCTYPE html><html>", "the file is an HTML page");
  expect_refused("\n\n  <!DOCTYPE html>", "the file is an HTML page");
  expect_refused("text", "the file, of 4 bytes, is none of those that this library reads: safetensors, ");
}

TEST(Unread, CutAnywhere) {
  const std::string file = zip({{"net/data.pkl", "\x80\x02"}, {"net/version", "3\n"}});
  expect_refused(file.substr(0, file.size() - 22),
                 "the file is cut off: it begins as a PyTorch file (torch.save) and");
  for (std::size_t size = 0; size + 22 <= file.size(); ++size)
    EXPECT_EQ(try_load(file.substr(0, size)), RNN_BAD_FORMAT) << size;
}

// The beginning of each kind, and what the library makes of it.
TEST(Unread, AnyBeginning) {
  for (const std::string& begin : {"\x08\x01\x12"s, "\x08\x01\x12\xff\xff"s, "PK\3\4"s, "PK\1\2"s,
                                   "\x80\x02"s, "TFL3"s, "\xef\xbb\xbf"s, "\x89HDF"s})
    for (std::size_t size = 1; size <= begin.size(); ++size) {
      const rnn_status_t status = try_load(begin.substr(0, size));
      EXPECT_TRUE(status == RNN_BAD_FORMAT || status == RNN_UNSUPPORTED) << status << " " << size;
    }
}

}  // namespace
