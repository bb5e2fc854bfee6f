// The header in C++.
#include "exchange_test.c"
