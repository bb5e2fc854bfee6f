#ifndef RNN_SOFTWARE_FLUSH
#define RNN_SOFTWARE_FLUSH
#endif
#define RNN_SCALAR
#define RNN_FORMS forms_of_software
#include "tests/kernels/subnormal_forms.h"
