awk 'BEGIN {
  print "load"
  for (hour = 0; hour < 480; ++hour) print 50 + 20 * sin(hour * 3.14159 / 12)
}' > load.csv

rnn train --csv load.csv --target load --horizon 6 --updates 300 --out load.safetensors --quiet > training.txt
rnn predict load.safetensors load.csv
