// Curves drawn as an SVG file by gnuplot.
#pragma once

#include <string>
#include <vector>

struct Curve {
  std::string title;
  std::vector<double> x;
  std::vector<double> y;
};

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool is_logarithmic = false;  // the y axis
  std::vector<Curve> curves;
};

// Throws std::runtime_error unless gnuplot is here and the file can be written: to be called before the work.
void check_plot(const std::string& path);

// Throws std::runtime_error.
void write_plot(const Plot& plot, const std::string& path);
