#include "plot.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace {

// As gnuplot reads a string between single quotes.
std::string quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

std::string script(const Plot& plot, const std::string& path) {
  std::string text =
      "set terminal svg size 900,500 noenhanced background rgb 'white'\nset output " + quote(path);
  text += "\nset title " + quote(plot.title) + "\nset xlabel " + quote(plot.x_label) + "\nset ylabel " +
          quote(plot.y_label) + "\nset grid\n";
  if (plot.is_logarithmic) text += "set logscale y\n";
  for (std::size_t i = 0; i < plot.curves.size(); ++i)
    text += (i == 0 ? "plot '-' with lines linewidth 2 title " : ", '-' with lines linewidth 2 title ") +
            quote(plot.curves[i].title);
  text += '\n';
  for (const Curve& curve : plot.curves) {
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      char line[64];
      std::snprintf(line, sizeof line, "%.9g %.9g\n", curve.x[i], curve.y[i]);
      text += line;
    }
    text += "e\n";
  }
  return text;
}

#ifdef _WIN32
constexpr const char* kTestGnuplot = "gnuplot --version >NUL 2>&1";
std::FILE* open_pipe(const char* command) { return _popen(command, "w"); }
int close_pipe(std::FILE* pipe) { return _pclose(pipe); }
#else
constexpr const char* kTestGnuplot = "gnuplot --version >/dev/null 2>&1";
std::FILE* open_pipe(const char* command) {
  std::signal(SIGPIPE, SIG_IGN);  // a gnuplot that ends early shall not end this program
  return popen(command, "w");
}
int close_pipe(std::FILE* pipe) { return pclose(pipe); }
#endif

}  // namespace

void check_plot(const std::string& path) {
  if (std::system(kTestGnuplot) != 0)
    throw std::runtime_error("gnuplot, which draws the plot, is not installed (Debian: gnuplot-nox)");
  if (!std::ofstream(path, std::ios::app)) throw std::runtime_error("cannot write " + path);
}

void write_plot(const Plot& plot, const std::string& path) {
  std::FILE* gnuplot = open_pipe("gnuplot");
  const bool is_written = gnuplot != nullptr && std::fputs(script(plot, path).c_str(), gnuplot) >= 0;
  if (gnuplot == nullptr || close_pipe(gnuplot) != 0 || !is_written)
    throw std::runtime_error("gnuplot could not draw " + path);
}
