// What a save leaves behind when the system fails it: save_faults [all]. In a child process it is killed
// before each of its system calls in turn, and each of them fails in turn, once or with all that follow it.
// Then the file has the old contents or the new, whole, with the owner and permissions that it had; a save
// that failed says which file and why; and the next save leaves nothing else in the folder. Meanwhile nobody
// could read the new contents who could not read the old ones.
//
// The save runs in a thread whose calls the kernel asks the child's other thread about (seccomp_unotify(2)).
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "rnn/rnn.h"

namespace {

constexpr int kSkipped = 77;
constexpr int kNoDescriptor = -4711;  // closing it is how the save's thread says that it is done

// ---- Cases ----

using Save = std::function<rnn_status_t(const char* path)>;

struct Function {
  const char* name;
  Save before, after;  // of the old contents and of the new
};

enum class Old { absent, secret, foreign, linked };
constexpr const char* kOldNames[] = {"no file", "a file of mode 0600", "a file of another owner", "a link"};

enum class Way { unnamed, named, not_linked };
constexpr const char* kWayNames[] = {"", ", without O_TMPFILE", ", without linkat"};

constexpr int kKill = 0;
struct Fault {
  int code;  // kKill, or what the call fails with
  bool lasts;
};

struct Case {
  const Function* function;
  Old old;
  Way way;
  Fault fault;
  std::string name;
};

// What the child reports.
struct Report {
  int calls;  // that were asked about
  bool finished;
  bool unsupported;
  rnn_status_t status;
  bool is_exposed;
  char message[1000];
};

std::string g_folder;
int g_failures = 0;

std::string path(const char* name) { return g_folder + "/" + name; }

std::string read_text(const std::string& from) {
  std::ifstream file(from, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names(const std::string& folder) {
  std::vector<std::string> names;
  DIR* opened = opendir(folder.c_str());
  while (const dirent* entry = readdir(opened))
    if (entry->d_name[0] != '.' || std::strlen(entry->d_name) > 2) names.emplace_back(entry->d_name);
  closedir(opened);
  std::sort(names.begin(), names.end());
  return names;
}

// ---- The child ----

// Numbers of calls that have nothing to do with files.
constexpr unsigned kOthers[] = {SYS_brk,
                                SYS_mmap,
                                SYS_munmap,
                                SYS_mremap,
                                SYS_mprotect,
                                SYS_madvise,
                                SYS_futex,
                                SYS_exit,
                                SYS_exit_group,
                                SYS_rt_sigaction,
                                SYS_rt_sigreturn,
                                SYS_rt_sigprocmask,
                                SYS_getpid,
                                SYS_gettid,
                                SYS_tgkill,
                                SYS_sched_yield,
                                SYS_clock_gettime,
                                SYS_clock_nanosleep,
                                SYS_getrandom,
                                SYS_set_robust_list,
                                SYS_sched_getaffinity};

// Where this thread's calls are asked about, or -1.
int ask_about_calls() {
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned number : kOthers) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
}

bool is_private(const struct stat& status) { return (status.st_mode & 077) == 0; }

// A file in the folder, or one that is open and has no name, that others may read.
bool is_exposed() {
  struct stat status;
  for (const std::string& name : names(g_folder))
    if (stat(path(name.c_str()).c_str(), &status) == 0 && !is_private(status)) return true;
  for (const std::string& number : names("/proc/self/fd"))
    if (stat(("/proc/self/fd/" + number).c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_nlink == 0 && !is_private(status))
      return true;
  return false;
}

// What a call of a file system that lacks something fails with, or 0.
int lacking(const seccomp_data& call, Way way) {
  if (way == Way::named && call.nr == SYS_openat && (call.args[2] & O_TMPFILE) == O_TMPFILE)
    return EOPNOTSUPP;
  if (way == Way::not_linked && call.nr == SYS_linkat) return EPERM;
  return 0;
}

void answer(int listener, const Case& given, int n, Report& report) {
  for (;;) {
    seccomp_notif asked{};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
      if (errno == EINTR) continue;
      report.unsupported = true;
      return;
    }
    seccomp_notif_resp reply{};
    reply.id = asked.id;
    reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    const bool is_done = asked.data.nr == SYS_close && static_cast<int>(asked.data.args[0]) == kNoDescriptor;
    int error = is_done ? 0 : lacking(asked.data, given.way);
    if (!is_done && error == 0) {
      if (given.old == Old::secret && is_exposed()) report.is_exposed = true;
      const int call = report.calls++;
      if (call == n && given.fault.code == kKill) raise(SIGKILL);
      if (call == n || (call > n && given.fault.lasts)) error = given.fault.code;
    }
    if (error != 0) {
      reply.flags = 0;
      reply.error = -error;
    }
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) != 0 && errno != ENOENT) {
      report.unsupported = true;
      std::_Exit(1);  // the other thread waits for an answer
    }
    if (is_done) return;
  }
}

// Runs the save with its n-th call failing.
void run_child(const Case& given, int n, const std::string& target, Report& report) {
  std::atomic<int> listener{-2};
  std::thread saver([&] {
    std::string().reserve(1000);  // the thread's heap is set up before its calls count
    const int fd = ask_about_calls();
    listener = fd;
    if (fd < 0) return;
    report.status = given.function->after(target.c_str());
    std::snprintf(report.message, sizeof report.message, "%s", rnn_last_error());
    report.finished = true;
    close(kNoDescriptor);
  });
  while (listener == -2) std::this_thread::yield();
  if (listener < 0)
    report.unsupported = true;
  else
    answer(listener, given, n, report);
  std::_Exit(0);
}

// ---- What must hold ----

// What is there beside the contents.
struct Inode {
  mode_t mode;
  uid_t owner;
  gid_t group;

  bool operator==(const Inode& other) const {
    return mode == other.mode && owner == other.owner && group == other.group;
  }
};

Inode inode(const std::string& of) {
  struct stat status {};
  lstat(of.c_str(), &status);
  return {status.st_mode, status.st_uid, status.st_gid};
}

void prepare(const Case& given, const std::string& old_text) {
  for (const std::string& name : names(g_folder)) unlink(path(name.c_str()).c_str());
  const std::string file = path(given.old == Old::linked ? "file" : "net");
  if (given.old == Old::absent) return;
  std::ofstream(file, std::ios::binary) << old_text;
  chmod(file.c_str(), given.old == Old::secret ? 0600 : 0640);
  if (given.old == Old::foreign && chown(file.c_str(), 1234, 5678) != 0) std::abort();
  if (given.old == Old::linked && symlink("file", path("net").c_str()) != 0) std::abort();
}

class Check {
 public:
  Check(const Case& given, int n) : name_(given.name + ", call " + std::to_string(n)) {}
  void operator()(bool holds, const std::string& what) const {
    if (holds) return;
    std::printf("%s: %s\n", name_.c_str(), what.c_str());
    ++g_failures;
  }

 private:
  std::string name_;
};

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += " " + name;
  return text;
}

// What the counts below are of.
struct Totals {
  int saves = 0, killed = 0, failed = 0, left = 0;
};

// False when the save made fewer than n calls.
bool run(const Case& given, int n, const std::string& old_text, const std::string& new_text, Totals& totals) {
  prepare(given, old_text);
  const Check check(given, n);
  const std::string target = path("net"), file = path(given.old == Old::linked ? "file" : "net");
  const Inode before = inode(file), link = inode(target);
  const std::vector<std::string> names_before = names(g_folder);

  auto* const report = static_cast<Report*>(
      mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = fork();
  if (child == 0) run_child(given, n, target, *report);
  int ended = 0;
  waitpid(child, &ended, 0);
  const Report found = *report;
  munmap(report, sizeof(Report));
  if (found.unsupported) std::exit(kSkipped);
  ++totals.saves;

  const bool killed = WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL;
  check(killed ? given.fault.code == kKill : found.finished, "the process ended by itself");
  const bool is_there = given.old != Old::absent || access(file.c_str(), F_OK) == 0;
  const std::string text = read_text(file);
  const bool is_new = is_there && text == new_text;
  check(is_new || (given.old == Old::absent ? !is_there : text == old_text),
        "the contents are neither old nor new");
  check(!found.is_exposed, "others could read the new contents");
  if (!killed && found.status == RNN_OK) check(is_new, "saved, but the contents are the old ones");
  if (!killed && found.status != RNN_OK) {
    const std::string reason = ": " + std::generic_category().message(given.fault.code);
    const auto says = [&](const std::string& name) {
      return std::strstr(found.message, ("cannot write " + name + reason).c_str()) != nullptr;
    };
    check(found.status == RNN_FILE_ERROR, "status " + std::to_string(found.status));
    check(says(file) || says(target), found.message);
    ++totals.failed;
  }
  totals.killed += killed;
  const auto check_inodes = [&] {
    if (given.old != Old::absent) check(inode(file) == before, "the owner or the permissions are others");
    check(given.old != Old::linked || inode(target) == link, "the link is none any more");
  };
  check_inodes();
  const std::vector<std::string> names_after = names(g_folder);
  totals.left += names_after.size() > names_before.size() + (is_new && given.old == Old::absent);

  check(given.function->after(target.c_str()) == RNN_OK,
        std::string("the next save fails: ") + rnn_last_error());
  check(read_text(file) == new_text, "the next save's contents are others");
  check_inodes();
  const std::vector<std::string> left = names(g_folder);
  check(left == (given.old == Old::absent ? std::vector<std::string>{"net"} : names_before),
        "left:" + join(left));
  return killed || found.calls > n;
}

void run_all_calls(Case given, const std::string& old_text, const std::string& new_text, Totals& totals) {
  given.name = std::string(given.function->name) + " over " + kOldNames[static_cast<int>(given.old)] +
               kWayNames[static_cast<int>(given.way)] + ", " +
               (given.fault.code == kKill ? "killed" : std::generic_category().message(given.fault.code)) +
               (given.fault.lasts ? " from then on" : "");
  constexpr int kMost = 200;
  int n = 0;
  while (run(given, n, old_text, new_text, totals))
    if (++n == kMost) break;
  Check(given, n)(n >= 10 && n < kMost, "that many calls are not believable");
}

// ---- What is saved ----

rnn_t* make_network(std::uint64_t seed) {
  rnn_config_t config{};
  config.struct_size = sizeof config;
  config.input_size = 3;
  config.hidden_size = 4;
  config.output_size = 2;
  config.seed = seed;
  rnn_t* rnn = nullptr;
  if (rnn_create(&config, &rnn) != RNN_OK) std::abort();
  return rnn;
}

Save save(const rnn_t* rnn) {
  return [rnn](const char* to) { return rnn_save(rnn, to); };
}

Save save_binary(const rnn_t* rnn) {
  return [rnn](const char* to) {
    rnn_save_options_t options{};
    options.struct_size = sizeof options;
    options.format = RNN_FORMAT_BINARY;
    return rnn_save_as(rnn, to, &options);
  };
}

// A trainer of its own, which lives as long as the program.
[[maybe_unused]] Save save_trainer(const rnn_t* rnn) {
  rnn_train_options_t options{};
  options.struct_size = sizeof options;
  options.learning_rate = 0.01f;
  options.epochs = 1;
  rnn_trainer_t* trainer = nullptr;
  if (rnn_trainer_create(rnn, &options, &trainer) != RNN_OK) std::abort();
  return [trainer](const char* to) { return rnn_trainer_save(trainer, to); };
}

std::string saved_text(const Save& save) {
  const std::string file = path("text");
  if (save(file.c_str()) != RNN_OK) std::abort();
  std::string text = read_text(file);
  unlink(file.c_str());
  return text;
}

// In memory if there is such a folder: thousands of saves shall not wait for a disk.
std::string make_folder() {
  const char* given = std::getenv("TMPDIR");
  for (const char* base : {"/dev/shm", given != nullptr ? given : "/tmp"}) {
    std::string folder = std::string(base) + "/rnn_faults_XXXXXX";
    if (mkdtemp(folder.data()) != nullptr) return folder;
  }
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const bool all = argc > 1 && std::strcmp(argv[1], "all") == 0;
  const rnn_t* const first = make_network(1);
  const rnn_t* const second = make_network(2);
  std::vector<Function> functions = {{"rnn_save", save(first), save(second)}};
  std::vector<Old> olds = {Old::secret};
  std::vector<Way> ways = {Way::unnamed, Way::named};
  std::vector<Fault> faults = {{kKill, false}, {EIO, false}};
  if (all) {
    functions.push_back({"rnn_save_as", save_binary(first), save_binary(second)});
#if RNN_TEST_TRAINING
    functions.push_back({"rnn_trainer_save", save_trainer(first), save_trainer(second)});
#endif
    olds = {Old::absent, Old::secret, Old::linked};
    if (geteuid() == 0) olds.push_back(Old::foreign);
    ways.push_back(Way::not_linked);
    faults = {{kKill, false}, {EIO, false}, {ENOSPC, false}, {EDQUOT, false},
              {EINTR, false}, {EIO, true},  {ENOSPC, true}};
  }
  g_folder = make_folder();
  Totals totals;
  for (const Function& function : functions) {
    const std::string old_text = saved_text(function.before), new_text = saved_text(function.after);
    for (const Old old : olds)
      for (const Way way : ways)
        for (const Fault& fault : faults)
          run_all_calls({&function, old, way, fault, {}}, old_text, new_text, totals);
  }
  for (const std::string& name : names(g_folder)) unlink(path(name.c_str()).c_str());
  rmdir(g_folder.c_str());
  std::printf("%d saves: %d killed, %d failed, %d left a file that the next one removed; %d wrong\n",
              totals.saves, totals.killed, totals.failed, totals.left, g_failures);
  return g_failures == 0 ? 0 : 1;
}
