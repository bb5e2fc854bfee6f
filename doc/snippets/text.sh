# [text]
for i in 1 2 3 4 5 6 7 8 9 10; do
  for who in anna ben carla; do
    for what in apples pears plums; do
      echo "$who buys $what and eats all the $what."
    done
  done
done > text.txt

# [train]
rnn train text.txt --hidden 64 --updates 200 --out text.safetensors --quiet > training.txt

# [sample]
rnn sample text.safetensors --prompt "ben buys pl" --length 28 --temperature 0.3 --seed 1

# [eval]
rnn eval text.safetensors text.txt
