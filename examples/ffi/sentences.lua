-- librnn from LuaJIT by its ffi: step a network, teach another three sentences, save it and load it.
--
--   luajit sentences.lua            with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
--   luajit sentences.lua --layout   the structs as defined here

local ffi = require("ffi")

-- From rnn.h.
local structs = [[
typedef struct rnn_config {
  size_t struct_size;
  int32_t cell; int32_t input_size; int32_t hidden_size; int32_t output_size; int32_t num_layers;
  int32_t init; int32_t recurrent_init; float init_range; uint64_t seed;
  int32_t initial_state; int32_t compute; uint32_t flags; int32_t projection_size;
  const void *allocator; int32_t embedding_size; float forget_bias;
} rnn_config_t;
typedef struct rnn_sequences {
  size_t struct_size; size_t count; size_t frames; const size_t *lengths;
  const float *inputs; const int32_t *indices; const float *targets; const int32_t *classes;
  const float *weights; const uint8_t *resets; int32_t pooling; int32_t reserved;
} rnn_sequences_t;
typedef struct rnn_generate_options {
  size_t struct_size; const int32_t *prompt; size_t prompt_count; float temperature; float top_p;
  int32_t top_k; int32_t greedy; uint64_t seed; int32_t stop; int32_t stop_index;
} rnn_generate_options_t;
typedef struct rnn_progress {
  size_t struct_size; int32_t event; int32_t epoch; uint64_t update; uint64_t total_updates;
  double loss; double validation_loss; double gradient_norm; double learning_rate; double steps_per_second;
} rnn_progress_t;
typedef struct rnn_train_options {
  size_t struct_size; int32_t loss; int32_t optimizer;
  float learning_rate; float momentum; float beta1; float beta2; float epsilon; float weight_decay;
  int32_t nesterov; float clip_norm; float clip_value;
  int32_t schedule; float schedule_factor; int32_t schedule_updates; int32_t warmup_updates;
  int32_t epochs; int32_t batch_size; int32_t window; int32_t stateless_windows; int32_t keep_order; uint64_t seed;
  int32_t threads; int32_t validate_every; int32_t patience; int32_t report_every;
  const rnn_sequences_t *validation; int32_t (*progress)(const rnn_progress_t *, void *); void *user;
  float dropout; float scheduled_sampling; float average;
  int32_t accumulate; int32_t restore_best; int32_t group_count; const void *groups;
} rnn_train_options_t;
]]
ffi.cdef(structs .. [[
typedef struct rnn_handle rnn_t;
const char *rnn_version(void);
const char *rnn_last_error(void);
const char *rnn_status_string(int32_t);
int32_t rnn_create(const rnn_config_t *, rnn_t **);
void rnn_destroy(rnn_t *);
int32_t rnn_reset(rnn_t *);
int32_t rnn_step(rnn_t *, const float *, float *);
int32_t rnn_step_index(rnn_t *, int32_t, float *);
int32_t rnn_train(rnn_t *, const rnn_sequences_t *, const rnn_train_options_t *);
int32_t rnn_generate(rnn_t *, const rnn_generate_options_t *, int32_t *, size_t, size_t *);
int32_t rnn_save(const rnn_t *, const char *);
int32_t rnn_load(const char *, const void *, rnn_t **);
]])

if arg[1] == "--layout" then
  for body, name in structs:gmatch("typedef struct [%w_]+ (%b{}) ([%w_]+);") do
    print(name .. " " .. ffi.sizeof(name))
    for declaration in body:gmatch("([^{};]+);") do
      local field = declaration:match("%(%*([%w_]+)%)") or declaration:match("([%w_]+)$")
      local offset, size = ffi.offsetof(name, field), ffi.sizeof(ffi.typeof("struct {" .. declaration .. ";}"))
      print(("%s.%s %d %d"):format(name, field, offset, size))
    end
  end
  os.exit(0)
end

local rnn = ffi.load("librnn.so.0")
local GRU = 2
local sentences = {"hey how are you", "good i am fine", "have a nice day"}
local END = "\n"

-- The characters of the sentences and their end, in their order: an index, from 0, is a place in it.
local alphabet, index_of = {}, {}
for byte = 0, 127 do
  local c = string.char(byte)
  if (table.concat(sentences) .. END):find(c, 1, true) then
    index_of[c] = #alphabet
    alphabet[#alphabet + 1] = c
  end
end

-- A failed call becomes an error, an object with its status and message.
local Error = {__tostring = function(failure) return failure.status .. ": " .. failure.message end}
local function check(status)
  if status == 0 then return end
  local name, message = ffi.string(rnn.rnn_status_string(status)), ffi.string(rnn.rnn_last_error())
  error(setmetatable({status = name, message = message}, Error))
end

-- What is not given is zero, which means its default.
local function sized(name, values)
  local struct = ffi.new(name, values or {})
  struct.struct_size = ffi.sizeof(name)
  return struct
end

-- The handle is released with the last reference to it.
local function network(make, ...)
  local out = ffi.new("rnn_t *[1]")
  local arguments = {...}
  arguments[#arguments + 1] = out
  check(make(unpack(arguments, 1, select("#", ...) + 1)))
  return ffi.gc(out[0], rnn.rnn_destroy)
end

local function create(config) return network(rnn.rnn_create, sized("rnn_config_t", config)) end

local function load(path) return network(function(out) return rnn.rnn_load(path, nil, out) end) end

local function encode(text)
  local indices = ffi.new("int32_t[?]", #text)
  for i = 1, #text do indices[i - 1] = index_of[text:sub(i, i)] end
  return indices
end

local function print_bits(label, floats, count)
  local words, bits = {label}, ffi.cast("uint32_t *", floats)
  for i = 0, count - 1 do words[#words + 1] = ("%08X"):format(bits[i]) end
  print(table.concat(words, " "))
end

local function refuse()
  local created, refused = pcall(create, {input_size = 2, hidden_size = -4})
  if not created then print(tostring(refused)) end
end

local function step()
  local stream = create({cell = GRU, input_size = 2, hidden_size = 4, output_size = 2, seed = 7})
  local y = ffi.new("float[2]")
  for _, x in ipairs({{0.5, -1}, {0.25, 0}, {1, 2}}) do
    check(rnn.rnn_step(stream, ffi.new("float[2]", x), y))
    print_bits("step", y, 2)
  end
end

local function train(stream, data, options) check(rnn.rnn_train(stream, data, options)) end
jit.off(train) -- a function that is called back from may not be compiled

local function learn()
  local stream = create({input_size = #alphabet, hidden_size = 12, output_size = #alphabet, seed = 1})
  local lengths, next_text = ffi.new("size_t[?]", #sentences), ""
  for i, sentence in ipairs(sentences) do
    lengths[i - 1] = #sentence
    next_text = next_text .. sentence:sub(2) .. END -- each character predicts the next
  end
  local text = table.concat(sentences)
  local indices, classes = encode(text), encode(next_text) -- kept while the library uses them
  local data = sized("rnn_sequences_t", {count = #sentences, frames = #text, lengths = lengths, indices = indices,
                                         classes = classes})
  local reports = 0
  local report = ffi.cast("int32_t (*)(const rnn_progress_t *, void *)", function(progress)
    reports = reports + 1
    print(("update %d: loss %.6f"):format(tonumber(progress.update), progress.loss))
    return progress.loss < 0.05 and 1 or 0 -- enough: stop
  end)
  train(stream, data, sized("rnn_train_options_t", {learning_rate = 0.01, clip_norm = 1, epochs = 5000, threads = 1,
                                                    report_every = 100, progress = report}))
  report:free()
  print(reports .. " reports")
  return stream
end

local function complete(stream, start)
  local prompt, drawn, count = encode(start), ffi.new("int32_t[64]"), ffi.new("size_t[1]")
  local options = sized("rnn_generate_options_t", {prompt = prompt, prompt_count = #start, greedy = 1, stop = 1,
                                                   stop_index = index_of[END]})
  check(rnn.rnn_reset(stream))
  check(rnn.rnn_generate(stream, options, drawn, 64, count))
  local text = start
  for i = 0, tonumber(count[0]) - 1 do text = text .. alphabet[drawn[i] + 1] end
  io.write(text) -- with its end
  local y = ffi.new("float[?]", #alphabet)
  check(rnn.rnn_step_index(stream, index_of[END], y))
  print_bits("outputs", y, 4)
end

print("librnn " .. ffi.string(rnn.rnn_version()))
refuse()
step()
local stream = learn()
complete(stream, "good")
check(rnn.rnn_save(stream, "sentences.safetensors"))
complete(load("sentences.safetensors"), "good")
