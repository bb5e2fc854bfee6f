// Learn a sentence letter by letter, then say it.
import { init, Network } from "librnn";

await init();
const letters = Int32Array.from("the cell keeps what it has seen\n", (letter) => letter.charCodeAt(0));

const net = new Network({ inputSize: 128, hiddenSize: 32, outputSize: 128 });
net.train({ inputs: [letters.slice(0, -1)], classes: [letters.slice(1)] }, { learningRate: 0.01, epochs: 200 });

const said = net.generate(letters.slice(0, 1), 80, { greedy: true, stop: "\n".charCodeAt(0) });
console.log(`t${String.fromCharCode(...said)}`.trimEnd());
