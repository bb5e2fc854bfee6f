// Learn a sentence letter by letter, then say it.
#include <cstdio>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

int main() {
  const std::string text = "the cell keeps what it has seen\n";
  const std::vector<std::int32_t> letters(text.begin(), text.end());

  auto config = rnn::sized<rnn_config_t>();
  config.input_size = config.output_size = 128;
  config.hidden_size = 32;
  rnn::Network network(config);  // throws rnn::exception if something is wrong

  const std::size_t steps = letters.size() - 1;  // without the last letter, which nothing follows
  auto data = rnn::sized<rnn_sequences_t>();
  data.count = 1;
  data.frames = steps;
  data.lengths = &steps;
  data.indices = letters.data();
  data.classes = letters.data() + 1;
  auto options = rnn::sized<rnn_train_options_t>();
  options.learning_rate = 0.01f;
  options.epochs = 200;
  network.train(data, &options);

  auto generate = rnn::sized<rnn_generate_options_t>();
  generate.prompt = letters.data();
  generate.prompt_count = 1;
  generate.greedy = 1;
  generate.stop = 1;
  generate.stop_index = '\n';
  std::putchar('t');
  for (const std::int32_t letter : network.generate(generate, 80)) std::putchar(letter);
  return 0;
}
