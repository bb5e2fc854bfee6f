#include <windows.h>

#include "lib/training/process.h"

namespace rnn {

void pin_module() {
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&pin_module), &module);
}

bool call_in_child(void (*)()) { return true; }  // there is no fork

}  // namespace rnn
