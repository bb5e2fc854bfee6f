// What oneTBB's threads ask of the operating system: process.cpp, or process_windows.cpp.
#pragma once

namespace rnn {

// Keeps the module in which the library is, the shared library, or the program or plugin that the archive became
// part of, in memory until the process ends.
void pin_module();

// Calls `function` in each child that this process has by fork, from now on. False if there is no memory for it.
bool call_in_child(void (*function)());

}  // namespace rnn
