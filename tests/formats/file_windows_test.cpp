// Files as Windows has them: what may be in the way, and that no failure costs the old file.
#include <windows.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "lib/formats/file.h"
#include "lib/network/error.h"
#include "tests/formats/formats_test.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

void write(const std::string& path, const std::string& text) {
  Bytes bytes(text.size());
  std::memcpy(bytes.data.get(), text.data(), text.size());
  write_file(path.c_str(), bytes);
}

std::string read(const FileSource& file) {
  std::string text(file.size(), '?');
  file.read(0, text.size(), text.data());
  return text;
}

std::string read(const std::string& path) { return read(FileSource(path.c_str())); }

template <class Body>
std::string refusal(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), RNN_FILE_ERROR);
    return error.what();
  }
  return "no error";
}

DWORD attributes(const std::string& path) { return GetFileAttributesW(fs::u8path(path).c_str()); }

TEST(File, RoundTrip) {
  const Folder folder;
  for (const std::string& text : {std::string(), std::string("short"), std::string(3'000'000, 'x')}) {
    write(folder / "file", text);
    EXPECT_EQ(read(folder / "file"), text);
  }
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(File, RelativePath) {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder / "");
  write("file", "text");
  EXPECT_EQ(read("file"), "text");
  EXPECT_EQ(read(".\\file"), "text");
  fs::current_path(before);
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(File, PathsAreUtf8) {
  const Folder folder;
  const std::string name =
      "\xe7\xb5\x84 \xc3\xbc\xf0\x9f\x8e\xb5.rnn";  // of Chinese, Latin and two UTF-16 units
  for (const char* text : {"new", "replaced"}) {
    write(folder / name, text);
    EXPECT_EQ(read(folder / name), text);
  }
  EXPECT_EQ(folder.names(), Names{name});
  EXPECT_NE(attributes(folder / name), INVALID_FILE_ATTRIBUTES);

  Rnn rnn = create();
  EXPECT_EQ(rnn_save(rnn.get(), (folder / name).c_str()), RNN_OK) << rnn_last_error();
  rnn_t* loaded = nullptr;
  EXPECT_EQ(rnn_load((folder / name).c_str(), nullptr, &loaded), RNN_OK) << rnn_last_error();
  rnn_destroy(loaded);

  EXPECT_NE(refusal([&] { write(folder / "\xff", "text"); }).find("cannot write"), std::string::npos);
  EXPECT_NE(refusal([&] { read(folder / "\xc3"); }).find("cannot read"), std::string::npos);
  EXPECT_EQ(folder.names(), Names{name});
}

TEST(File, LongPath) {
  const Folder folder;
  std::string path = folder / std::string(100, 'a');
  for (int i = 0; i < 3; ++i, path += "/" + std::string(100, 'b'))
    ASSERT_TRUE(
        CreateDirectoryW((L"\\\\?\\" + fs::absolute(path).make_preferred().wstring()).c_str(), nullptr));
  for (const char* text : {"new", "replaced"}) {
    write(path, text);
    EXPECT_EQ(read(path), text);
  }
}

TEST(File, RefusesToRead) {
  const Folder folder;
  EXPECT_EQ(refusal([&] { read(folder / "missing"); }),
            "cannot read " + (folder / "missing") + ": No such file or directory");
  EXPECT_EQ(refusal([&] { read(folder / "."); }), "cannot read " + (folder / ".") + ": Is a directory");
  EXPECT_EQ(refusal([] { read(""); }), "cannot read : No such file or directory");
  EXPECT_EQ(refusal([] { read("NUL"); }), "cannot read NUL: not a regular file");
}

TEST(File, ShrinksWhileItIsRead) {
  const Folder folder;
  write(folder / "file", std::string(10'000, 'x'));
  const FileSource file((folder / "file").c_str());
  fs::resize_file(folder / "file", 5000);
  std::string text(10'000, '?');
  file.read(1000, 4000, text.data());
  EXPECT_EQ(text.substr(0, 4000), std::string(4000, 'x'));
  EXPECT_EQ(refusal([&] { file.read(1000, 9000, text.data()); }),
            "cannot read " + (folder / "file") + ": it shrank from 10000 to 5000 bytes meanwhile");
}

TEST(File, RefusesToWrite) {
  const Folder folder;
  EXPECT_EQ(refusal([&] { write(folder / "no/file", "text"); }),
            "cannot write " + (folder / "no/file") + ": No such file or directory");
  EXPECT_EQ(refusal([&] { write(folder / ".", "text"); }),
            "cannot write " + (folder / ".") + ": Is a directory");
  EXPECT_EQ(refusal([] { write("", "text"); }), "cannot write : No such file or directory");
  EXPECT_EQ(refusal([] { write("NUL", "text"); }), "cannot write NUL: not a regular file");
  EXPECT_NE(refusal([&] { write(folder / std::string(300, 'x'), "text"); }), "no error");
  EXPECT_TRUE(folder.names().empty());

  write(folder / "locked", "old");
  ASSERT_TRUE(SetFileAttributesW(fs::u8path(folder / "locked").c_str(), FILE_ATTRIBUTE_READONLY));
  EXPECT_EQ(refusal([&] { write(folder / "locked", "new"); }),
            "cannot write " + (folder / "locked") + ": Permission denied");
  EXPECT_EQ(read(folder / "locked"), "old");
  EXPECT_EQ(folder.names(), Names{"locked"});
  SetFileAttributesW(fs::u8path(folder / "locked").c_str(), FILE_ATTRIBUTE_NORMAL);
}

TEST(File, StaysHidden) {
  const Folder folder;
  write(folder / "file", "old");
  SetFileAttributesW(fs::u8path(folder / "file").c_str(), FILE_ATTRIBUTE_HIDDEN);
  write(folder / "file", "new");
  EXPECT_EQ(read(folder / "file"), "new");
  EXPECT_NE(attributes(folder / "file") & FILE_ATTRIBUTE_HIDDEN, 0u);
}

// Who reads a file goes on with the old one. Before Windows 10, and under Wine 8, it cannot be replaced, and stays.
TEST(File, IsReplacedWhileItIsRead) {
  const Folder folder;
  write(folder / "file", "old");
  const FileSource old((folder / "file").c_str());
  const std::string error = refusal([&] { write(folder / "file", "new, longer"); });
  EXPECT_EQ(read(old), "old");
  EXPECT_EQ(read(folder / "file"), error == "no error" ? "new, longer" : "old");
  if (error != "no error") {
    EXPECT_EQ(error, "cannot write " + (folder / "file") + ": Permission denied");
  }
  EXPECT_EQ(folder.names(), Names{"file"});
}

// Of a program that shares no more than Windows' own functions do: the file cannot be replaced, and stays.
TEST(File, IsKeptWhileAnotherHoldsIt) {
  const Folder folder;
  write(folder / "file", "old");
  {
    std::ifstream other(folder / "file");
    ASSERT_TRUE(other.is_open());
    EXPECT_EQ(
        refusal([&] { write(folder / "file", "new"); }).rfind("cannot write " + (folder / "file") + ": ", 0),
        0u);
    EXPECT_EQ(read(folder / "file"), "old");
    EXPECT_EQ(folder.names(), Names{"file"});
  }
  write(folder / "file", "new");
  EXPECT_EQ(read(folder / "file"), "new");
}

TEST(File, FollowsLinks) {
  const Folder folder;
  write(folder / "file", "old");
  std::error_code error;
  fs::create_symlink("file", folder / "link", error);
  if (error) GTEST_SKIP() << "no links here: " << error.message();
  write(folder / "link", "new");
  EXPECT_EQ(read(folder / "file"), "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
}

// As file_windows.cpp names it.
std::string temporary_name(const std::string& name, int number) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  char text[48];
  std::snprintf(text, sizeof text, ".rnn-%016llx-%d.tmp", static_cast<unsigned long long>(hash), number);
  return text;
}

TEST(File, RemovesWhatDeadWritersLeft) {
  const Folder folder;
  for (const int number : {0, 3}) put(folder / temporary_name("file", number), "half of it");
  write(folder / "file", "text");
  EXPECT_EQ(read(folder / "file"), "text");
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(File, LeavesTheTemporaryFileOfALivingWriter) {
  const Folder folder;
  const std::string name = temporary_name("file", 0);
  const HANDLE other = CreateFileW(fs::u8path(folder / name).c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW,
                                   FILE_ATTRIBUTE_NORMAL, nullptr);
  ASSERT_NE(other, INVALID_HANDLE_VALUE);
  write(folder / "file", "text");
  EXPECT_EQ(read(folder / "file"), "text");
  EXPECT_EQ(folder.names(), (Names{name, "file"}));
  CloseHandle(other);
}

// Where a file that is open cannot be replaced, a writer may be in the way of another for too long.
TEST(File, ManyWritersAtOnce) {
  const Folder folder;
  write(folder / "file", std::string(50'000, 'z'));
  std::vector<std::thread> writers;
  for (char letter = 'a'; letter < 'e'; ++letter)
    writers.emplace_back([&folder, letter] {
      for (int i = 0; i < 50; ++i) {
        const std::string error = refusal([&] { write(folder / "file", std::string(50'000, letter)); });
        EXPECT_TRUE(error == "no error" || error.find("Permission denied") != error.npos) << error;
      }
    });
  for (std::thread& writer : writers) writer.join();
  const std::string text = read(folder / "file");
  EXPECT_EQ(text, std::string(50'000, text.at(0)));
  EXPECT_EQ(folder.names(), Names{"file"});
}

}  // namespace
}  // namespace rnn
