// Files as the operating system has them: what may be in the way, and that no failure costs the old file.
#include "lib/formats/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#include "lib/network/error.h"
#include "tests/formats/formats_test.h"

namespace rnn {
namespace {

using Names = std::vector<std::string>;

void write(const std::string& path, const std::string& text) {
  Bytes bytes(text.size());
  std::memcpy(bytes.data.get(), text.data(), text.size());
  write_file(path.c_str(), bytes);
}

std::string read(const std::string& path) {
  const FileSource file(path.c_str());
  std::string text(file.size(), '?');
  file.read(0, text.size(), text.data());
  return text;
}

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

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

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
  char before[4096];
  ASSERT_NE(getcwd(before, sizeof before), nullptr);
  ASSERT_EQ(chdir((folder / "").c_str()), 0);
  write("file", "text");
  EXPECT_EQ(read("file"), "text");
  ASSERT_EQ(chdir(before), 0);
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(File, Mode) {
  const Folder folder;
  const mode_t before = umask(027);
  write(folder / "file", "new");
  EXPECT_EQ(mode_of(folder / "file"), 0640u) << "as the umask says";
  ASSERT_EQ(chmod((folder / "file").c_str(), 0604), 0);
  write(folder / "file", "replaced");
  EXPECT_EQ(mode_of(folder / "file"), 0604u) << "kept";
  umask(before);
}

TEST(File, FollowsLinks) {
  const Folder folder;
  ASSERT_EQ(symlink("second", (folder / "first").c_str()), 0);
  ASSERT_EQ(symlink((folder / "file").c_str(), (folder / "second").c_str()), 0);
  for (const char* text : {"dangling", "existing"}) {
    write(folder / "first", text);
    EXPECT_EQ(read(folder / "file"), text);
    EXPECT_EQ(read(folder / "first"), text);
  }
  EXPECT_EQ(folder.names(), (Names{"file", "first", "second"}));

  ASSERT_EQ(symlink("loop", (folder / "loop").c_str()), 0);
  EXPECT_NE(refusal([&] { write(folder / "loop", "text"); }), "no error");
  EXPECT_NE(refusal([&] { read(folder / "loop"); }), "no error");
}

TEST(File, RefusesToRead) {
  const Folder folder;
  EXPECT_EQ(refusal([&] { read(folder / "missing"); }),
            "cannot read " + (folder / "missing") + ": No such file or directory");
  EXPECT_EQ(refusal([&] { read(folder / "."); }), "cannot read " + (folder / ".") + ": Is a directory");
  EXPECT_EQ(refusal([] { read(""); }), "cannot read : No such file or directory");
  EXPECT_EQ(refusal([] { read("/dev/zero"); }), "cannot read /dev/zero: not a regular file");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(refusal([&] { read(folder / "fifo"); }),
            "cannot read " + (folder / "fifo") + ": not a regular file");

  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  write(folder / "locked", "text");
  ASSERT_EQ(chmod((folder / "locked").c_str(), 0), 0);
  EXPECT_EQ(refusal([&] { read(folder / "locked"); }),
            "cannot read " + (folder / "locked") + ": Permission denied");
}

TEST(File, ShrinksWhileItIsRead) {
  const Folder folder;
  write(folder / "file", std::string(10'000, 'x'));
  const FileSource file((folder / "file").c_str());
  ASSERT_EQ(truncate((folder / "file").c_str(), 5000), 0);
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
  EXPECT_EQ(refusal([] { write("/dev/null", "text"); }), "cannot write /dev/null: not a regular file");
  EXPECT_NE(refusal([&] { write(folder / std::string(300, 'x'), "text"); }), "no error");
  EXPECT_TRUE(folder.names().empty());

  if (geteuid() == 0) GTEST_SKIP() << "root may write everything";
  write(folder / "locked", "old");
  ASSERT_EQ(chmod((folder / "locked").c_str(), 0444), 0);
  EXPECT_EQ(refusal([&] { write(folder / "locked", "new"); }),
            "cannot write " + (folder / "locked") + ": Permission denied");
  EXPECT_EQ(read(folder / "locked"), "old");
  EXPECT_EQ(folder.names(), Names{"locked"});
}

// A limit on the size of files stands for a disk that fills up in the middle.
class FullDisk {
 public:
  explicit FullDisk(rlim_t size) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{size, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = signal(SIGXFSZ, SIG_IGN);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(File, FullDiskKeepsTheOldFile) {
  const Folder folder;
  const std::string old(10'000, 'o'), text(100'000, 'n');
  write(folder / "file", old);
  for (const rlim_t size : {0, 1, 50'000, 99'999}) {
    const FullDisk limit(size);
    EXPECT_EQ(refusal([&] { write(folder / "file", text); }),
              "cannot write " + (folder / "file") + ": File too large");
    EXPECT_NE(refusal([&] { write(folder / "new", text); }), "no error");
  }
  EXPECT_EQ(read(folder / "file"), old);
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(File, LongestName) {
  const Folder folder;
  const std::string name(255, 'x');  // as long as a name may be; the temporary file's may not be longer
  write(folder / name, "text");
  EXPECT_EQ(read(folder / name), "text");
  EXPECT_EQ(folder.names(), Names{name});
}

TEST(File, KilledProcessLeavesOldOrNew) {
  const Folder folder;
  const std::string a(200'000, 'a'), b(300'000, 'b');
  write(folder / "file", a);
  for (int round = 0; round < 30; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      for (;;) {
        write(folder / "file", b);
        write(folder / "file", a);
      }
    usleep(static_cast<useconds_t>(500 + 377 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::string text = read(folder / "file");
    EXPECT_TRUE(text == a || text == b) << text.size();
  }
  write(folder / "file", b);
  EXPECT_EQ(folder.names(), Names{"file"}) << "whatever the killed ones left";
}

// What a writer has locked is not taken for a dead one's.
TEST(File, LeavesTheTemporaryFileOfALivingWriter) {
  const Folder folder;
  write(folder / "file", "old");
  const std::string left = folder / ".rnn-aad01178f02a6a23-0.tmp";
  put(left, "new");
  const int writer = open(left.c_str(), O_RDONLY);
  ASSERT_EQ(flock(writer, LOCK_EX), 0);
  write(folder / "file", "newer");
  EXPECT_EQ(folder.names().size(), 2u);
  EXPECT_EQ(read(left), "new");
  close(writer);
  write(folder / "file", "newest");
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(File, OwnerAndGroup) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const Folder folder;
  write(folder / "file", "old");
  ASSERT_EQ(chown((folder / "file").c_str(), 1234, 5678), 0);
  ASSERT_EQ(chmod((folder / "file").c_str(), 0640), 0);
  write(folder / "file", "new");
  struct stat status {};
  ASSERT_EQ(stat((folder / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1234u);
  EXPECT_EQ(status.st_gid, 5678u);
  EXPECT_EQ(mode_of(folder / "file"), 0640u);
}

#ifdef __linux__
// The group's permissions are those of the list's mask: without the list the group could read the new file.
TEST(File, AccessControlList) {
  constexpr char kList[] = "system.posix_acl_access";
  const std::uint16_t list[] = {2, 0,      1,      6,  0xffff, 0xffff, 2,      4,  1234, 0,      4,
                                0, 0xffff, 0xffff, 16, 4,      0xffff, 0xffff, 32, 0,    0xffff, 0xffff};
  const Folder folder;
  const std::string file = folder / "file";
  write(file, "old");
  if (setxattr(file.c_str(), kList, list, sizeof list, 0) != 0)
    GTEST_SKIP() << "no lists on this file system";
  ASSERT_EQ(mode_of(file), 0640u);
  write(file, "new");
  EXPECT_EQ(read(file), "new");
  EXPECT_EQ(mode_of(file), 0640u);
  std::uint16_t found[64];
  EXPECT_EQ(getxattr(file.c_str(), kList, found, sizeof found), static_cast<ssize_t>(sizeof list));
  EXPECT_EQ(std::memcmp(found, list, sizeof list), 0);

  // A list that the folder gives to new files.
  ASSERT_EQ(removexattr(file.c_str(), kList), 0);
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  ASSERT_EQ(setxattr((folder / "").c_str(), "system.posix_acl_default", list, sizeof list, 0), 0);
  write(file, "newer");
  EXPECT_EQ(mode_of(file), 0640u);
  EXPECT_EQ(getxattr(file.c_str(), kList, found, sizeof found), -1) << "user 1234 could read it";
}
#endif

// The new file has the writer's group, whose members could not read the old one.
TEST(File, GroupThatCannotBeGiven) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const Folder folder;
  write(folder / "file", "old");
  ASSERT_EQ(chown((folder / "file").c_str(), 1234, 5678), 0);
  ASSERT_EQ(chmod((folder / "file").c_str(), 0664), 0);
  ASSERT_EQ(chmod((folder / "").c_str(), 0777), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(4321) != 0 || setuid(1234) != 0) _exit(1);
    write(folder / "file", "new");
    _exit(0);
  }
  int ended = 0;
  waitpid(child, &ended, 0);
  ASSERT_EQ(ended, 0);
  EXPECT_EQ(read(folder / "file"), "new");
  EXPECT_EQ(mode_of(folder / "file"), 0644u);
}

TEST(File, ManyWritersAtOnce) {
  const Folder folder;
  std::vector<pid_t> children;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    children.push_back(fork());
    if (children.back() == 0) {
      for (int i = 0; i < 50; ++i) write(folder / "file", std::string(50'000, letter));
      _exit(0);
    }
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const std::string text = read(folder / "file");
  EXPECT_EQ(text, std::string(50'000, text.at(0)));
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(File, LeavesNoDescriptorOpen) {
  const Folder folder;
  const auto open_count = [] {
    int count = 0;
    DIR* own = opendir("/proc/self/fd");
    if (own == nullptr) return -1;
    while (readdir(own) != nullptr) ++count;
    closedir(own);
    return count;
  };
  const int before = open_count();
  if (before < 0) GTEST_SKIP() << "no /proc here";
  write(folder / "file", "text");
  read(folder / "file");
  refusal([&] { read(folder / "."); });
  refusal([&] { write(folder / "no/file", "text"); });
  EXPECT_EQ(open_count(), before);
}

}  // namespace
}  // namespace rnn
