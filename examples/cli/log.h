// rnn train --log, and rnn verify; nothing of both in a program that is built without Nettle.
#pragma once

#include <memory>

#include "../character_training.h"
#include "train.h"

void add_log_options(CLI::App& command, Train& train);

// Throws std::runtime_error if --log is a file that the training cannot go on in.
void check_log(const Train& train);

// Null without --log. What is given is used as long as it.
std::unique_ptr<RunLog> open_log(const Train& train, const Vocabulary& vocabulary, const CharacterPlan& plan);
