// How far a long job is: a bar that redraws on a terminal, a line now and then in a pipe.
#pragma once

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/ioctl.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

class Progress {
 public:
  // total: updates to do. work: what an update does, in `unit`. first: updates that were done before it.
  Progress(std::uint64_t total, double work, std::string unit = "characters", std::FILE* out = stdout,
           std::uint64_t first = 0)
      : total_(total), first_(first), work_(work), unit_(std::move(unit)), out_(out) {}

  // Show that `done` updates are done, with a remark, if it is time to or the job has ended.
  void show(std::uint64_t done, const std::string& remark, bool ended) {
    const double now = seconds();
    if ((now < next_ || done == first_) && !ended) return;
    next_ = now + (is_terminal_ ? 0.1 : 5.0);
    const double rate = static_cast<double>(done - first_) / now;
    const double expected = static_cast<double>(total_ - done) / rate + 0.5;
    const int left = ended ? 0 : static_cast<int>(std::min(expected, 1e9));
    const auto filled = static_cast<std::size_t>(kWidth * done / total_);
    const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '-');
    char line[256];
    std::snprintf(line, sizeof line, "  [%s] %llu/%llu, %.0fk %s/s, %d:%02d left, %s", bar.c_str(),
                  static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_),
                  rate * work_ / 1000, unit_.c_str(), left / 60, left % 60, remark.c_str());
    // A line that wraps could not be redrawn.
    std::fprintf(out_, "%s%.*s%s", is_terminal_ ? "\r" : "", width(), line,
                 is_terminal_ && !ended ? "\033[K" : "\n");
    std::fflush(out_);
    is_drawn_ = is_terminal_ && !ended;
  }

  // Before other lines are written: the bar that is there stays.
  void leave_line() {
    if (is_drawn_) std::fputc('\n', out_);
    is_drawn_ = false;
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  // Columns that there are for a line.
  int width() const {
    int columns = 0;
#ifdef _WIN32
    CONSOLE_SCREEN_BUFFER_INFO screen;
    if (is_terminal_ && GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &screen))
      columns = screen.dwSize.X;
#else
    winsize size = {};
    if (is_terminal_ && ioctl(fileno(out_), TIOCGWINSZ, &size) == 0) columns = size.ws_col;
#endif
    return columns > 1 ? columns - 1 : std::numeric_limits<int>::max();
  }

  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kWidth = 10;

  const std::uint64_t total_;
  const std::uint64_t first_;
  const double work_;
  const std::string unit_;
  std::FILE* const out_;
  const bool is_terminal_ = isatty(fileno(out_)) != 0;
  const Clock::time_point start_ = Clock::now();
  double next_ = 0;
  bool is_drawn_ = false;
};
