// rnn.h alone, as C++.
#include <rnn/rnn.h>

#include "abi.h"

int main() { return all_functions.version()[0] == '0' + RNN_VERSION_MAJOR ? 0 : 1; }
