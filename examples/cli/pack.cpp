// rnn pack and rnn unpack: a compressor whose network learns while it reads.
#include <sys/stat.h>
#include <unistd.h>

#include <iterator>
#include <memory>

#include "common.h"
#include "pack/archive.h"
#include "pack/model.h"

namespace {

constexpr const char* kSuffix = ".rnnp";

struct Pack {
  std::string in, out;
  int preset = pack::kDefaultPreset;
  int threads = 0;
  bool force = false;
  bool json = false;
};

bool has_suffix(const std::string& path) {
  const std::string suffix = kSuffix;
  return path.size() > suffix.size() && path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0;
}

void check_files(const Pack& options, const CLI::App& command) {
  check_effect(command, "--force", options.out != "-", "nothing is replaced by standard output");
  if (options.out == "-" && options.json) throw UsageError("--json: standard output has the data already");
  if (options.in != "-" && options.out != "-") check_not_same("OUT", options.out, "IN", options.in);
}

// In Node isatty() says yes of files and pipes, too.
bool writes_to_terminal() {
  struct stat status;
  return isatty(STDOUT_FILENO) != 0 && fstat(STDOUT_FILENO, &status) == 0 && S_ISCHR(status.st_mode);
}

void report(const pack::Input& in, const pack::Output& out, std::uint64_t plain, std::uint64_t packed) {
  print(
      {{"read", in.count()},
       {"written", out.count()},
       {"bits_per_byte", plain > 0 ? 8.0 * static_cast<double>(packed) / static_cast<double>(plain) : 0.0}});
}

void run_pack(Pack options, const CLI::App& command) {
  if (options.out.empty()) options.out = options.in == "-" ? "-" : options.in + kSuffix;
  check_files(options, command);
  if (options.out == "-" && writes_to_terminal())
    throw UsageError("an archive is nothing for a terminal; -o FILE writes it to a file");
  pack::Input in(options.in);
  pack::Output out(options.out, options.force);
  pack::pack(in, out, options.preset, options.threads);
  out.keep();
  if (options.json) report(in, out, in.count(), out.count());
}

// A file that was there is worth more than a part of what was to replace it.
std::string keep_rest(pack::Output& out, const std::string& name) {
  if (out.count() == 0) return "nothing is written";
  const std::string bytes = "the " + std::to_string(out.count()) + " bytes before that ";
  if (out.replaces()) return bytes + "are right; " + name + " stays as it was, -o writes them to a new file";
  out.keep();
  return bytes + "are right and written";
}

void run_unpack(Pack options, const CLI::App& command) {
  if (options.out.empty() && options.in != "-") {
    if (!has_suffix(options.in))
      throw UsageError(options.in + " does not end with " + kSuffix + "; -o names the output");
    options.out = options.in.substr(0, options.in.size() - std::string(kSuffix).size());
  }
  if (options.out.empty()) options.out = "-";
  check_files(options, command);
  pack::Input in(options.in);
  pack::Output out(options.out, options.force);
  try {
    pack::unpack(in, out, options.threads);
  } catch (const pack::Damaged& error) {
    throw std::runtime_error(error.what() + ("; " + keep_rest(out, options.out)));
  }
  out.keep();
  if (options.json) report(in, out, out.count(), in.count());
}

void add_file_options(CLI::App& command, Pack& options, const char* in, const char* out) {
  command.add_option("in", options.in, in)->required()->check(not_empty())->type_name("FILE");
  command.add_option("-o,--out", options.out, out)->check(not_empty())->type_name("FILE");
  command.add_flag("--force", options.force, "Replace OUT if it is there already");
  add_threads_option(command, options.threads);
  add_json_flag(command, options.json);
}

}  // namespace

void add_pack(CLI::App& program) {
  const auto options = std::make_shared<Pack>();
  CLI::App& command =
      *program.add_subcommand("pack", "Compress a file with a network that learns while it reads");
  add_file_options(command, *options, "A file; -: standard input",
                   "The archive; -: standard output; default: IN.rnnp, or - if IN is -");
  constexpr const char* kPresets[] = {"About 4 s a megabyte on AVX-512, 40 MB of memory", "6 s, 80 MB",
                                      "13 s, 210 MB: the default", "24 s, 210 MB",
                                      "70 s, 400 MB: the smallest archives"};
  static_assert(std::size(kPresets) == pack::kPresets, "a text for each preset");
  for (int preset = 1; preset <= pack::kPresets; ++preset)
    command.add_flag_callback(
        "-" + std::to_string(preset), [options, preset] { options->preset = preset; }, kPresets[preset - 1]);
  command.footer(
      "rnn unpack takes as long and as much memory. The archive is the same for every number of threads and\n"
      "on every CPU.\n"
      "\n"
      "Examples:\n"
      "  rnn pack book.txt\n"
      "  tar c folder | rnn pack -5 - >folder.tar.rnnp");
  command.callback([options, &command] { run_pack(*options, command); });
}

void add_unpack(CLI::App& program) {
  const auto options = std::make_shared<Pack>();
  CLI::App& command = *program.add_subcommand("unpack", "Restore what rnn pack has compressed");
  add_file_options(command, *options, "An archive; -: standard input",
                   "What was packed; -: standard output; default: IN without .rnnp, or -\nif IN is -");
  command.footer(
      "Of a damaged archive what is before the damage is written, and the exit status is 1; but a file that\n"
      "is there already then stays, with --force, too.\n"
      "\n"
      "Examples:\n"
      "  rnn unpack book.txt.rnnp\n"
      "  rnn unpack - <folder.tar.rnnp | tar x");
  command.callback([options, &command] { run_unpack(*options, command); });
}
