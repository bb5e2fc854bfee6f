// Built without Nettle.
#include "log.h"

void add_log_options(CLI::App&, Train&) {}
void check_log(const Train&) {}
std::unique_ptr<RunLog> open_log(const Train&, const Vocabulary&, const CharacterPlan&) { return nullptr; }
void add_verify(CLI::App&) {}
