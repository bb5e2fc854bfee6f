import ctypes


class Config(ctypes.Structure):  # rnn_config_t; what is zero means its default
    _fields_ = [("struct_size", ctypes.c_size_t), ("cell", ctypes.c_int32), ("input_size", ctypes.c_int32),
                ("hidden_size", ctypes.c_int32), ("output_size", ctypes.c_int32), ("rest", ctypes.c_char * 48)]


rnn = ctypes.CDLL("librnn.so.0")
rnn.rnn_last_error.restype = ctypes.c_char_p
config, net = Config(ctypes.sizeof(Config), input_size=3, hidden_size=16, output_size=2), ctypes.c_void_p()
if rnn.rnn_create(ctypes.byref(config), ctypes.byref(net)) != 0:
    raise RuntimeError(rnn.rnn_last_error().decode())
x, y = (ctypes.c_float * 3)(0.1, 0.2, 0.3), (ctypes.c_float * 2)()
rnn.rnn_step(net, x, y)
print(", ".join(f"{value:.4f}" for value in y))
