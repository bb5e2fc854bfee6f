// Small models in JSON: tests spoil them, fuzzers begin with them.
#pragma once

constexpr char kLstmJson[] =
    "{\"in_shape\": [null, null, 1], \"in_skip\": 0, \"layers\": [{\"type\": \"lstm\", \"activation\": \"\", "
    "\"shape\": [null, null, 2], \"weights\": [[[1, 2, 3, 4, 5, 6, 7, 8]], [[1, 2, 3, 4, 5, 6, 7, 8], "
    "[8, 7, 6, 5, 4, 3, 2, 1]], [0, 1, 0, 1, 0, 1, 0, 1]]}, "
    "{\"type\": \"dense\", \"activation\": \"linear\", \"shape\": [null, 1], \"weights\": [[[1], [2]], "
    "[3]]}]}";

constexpr char kGruJson[] =
    "{\"in_shape\": [1], \"layers\": [{\"type\": \"gru\", \"shape\": [1], "
    "\"weights\": [[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]}]}";

constexpr char kStateDictJson[] =
    "{\"gru.weight_ih_l0\": [[1, 2], [3, 4], [5, 6]], \"gru.weight_hh_l0\": [[1], [2], [3]], "
    "\"gru.bias_ih_l0\": [1, 2, 3], \"gru.bias_hh_l0\": [10, 20, 30], "
    "\"fc.weight\": [[1], [2]], \"fc.bias\": [3, 4], \"rate\": 48000}";

constexpr char kGuitarMlJson[] =
    "{\"model_data\": {\"model\": \"SimpleRNN\", \"input_size\": 1, \"skip\": 0, \"output_size\": 1, "
    "\"unit_type\": \"RNN\", \"num_layers\": 1, \"hidden_size\": 1, \"bias_fl\": true}, "
    "\"state_dict\": {\"rec.weight_ih_l0\": [[0.5]], \"rec.weight_hh_l0\": [[-1e-1]], \"rec.bias_ih_l0\": "
    "[1], "
    "\"rec.bias_hh_l0\": [2], \"lin.weight\": [[3]], \"lin.bias\": [4]}}";

constexpr char kNamJson[] =
    "{\"version\": \"0.5.4\", \"metadata\": {\"loudness\": -37.5, \"name\": \"A \\\"LSTM\\\"\", "
    "\"date\": {\"year\": 2024}}, \"architecture\": \"LSTM\", \"config\": {\"input_size\": 1, "
    "\"hidden_size\": 1, "
    "\"num_layers\": 1, \"in_channels\": 1, \"out_channels\": 1}, "
    "\"weights\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0.5, -0.5, 15, 16], \"sample_rate\": 48000.0}";
