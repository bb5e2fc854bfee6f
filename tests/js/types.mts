// What the types allow, and what they do not.
import { init, load, Network, Trainer, type Data, type Progress, type TrainOptions } from "librnn";
import type { RnnProcessorOptions } from "librnn/worklet";

await init(new URL("librnn.wasm", import.meta.url));
const net = new Network({ cell: "lstm", inputSize: 3, hiddenSize: 4, outputSize: 2, flags: ["layer_norm"], seed: 1n });
const list = new Network({
  inputSize: 3,
  layers: [
    { kind: "dense", size: 2, activation: "tanh" },
    { kind: "gru", size: 4 },
  ],
});
const y: Float32Array = net.step([1, 2, 3]);
net.step(y, new Float32Array(2));
const indices: Int32Array = net.generate([1, 2], 10, { temperature: 0.5, topK: 3, greedy: false, stop: 2 });
const outputs: Float32Array[] = net.forward([[1, 2], Uint8Array.of(1)], { pooling: "last" });
const states: Float32Array[] = net.forward([[[1, 2, 3]]], { states: true }).states;
const data: Data = {
  inputs: [new Float32Array(6)],
  targets: [
    [
      [1, 2],
      [3, 4],
    ],
  ],
  weights: [[1, 0]],
  resets: [[true, false]],
};
const options: TrainOptions = {
  optimizer: "adamw",
  learningRate: 0.1,
  validation: data,
  groups: [{ pattern: "*", frozen: true }],
};
net.train(data, options, (progress: Progress) => progress.loss < 0.1);
const trainer = new Trainer(list, { clipNorm: 1 });
const loss: number = trainer.update(data).loss;
const file: Uint8Array = net.save({ format: "binary" });
const text: string | undefined = load(file).getMetadata("key");
const worklet: RnnProcessorOptions = { library: new Uint8Array(1), network: file, sampleRate: 48000 };
net.state = [1, 2, 3, 4];

// @ts-expect-error no such cell
new Network({ inputSize: 1, hiddenSize: 1, cell: "lstn" });
// @ts-expect-error inputSize is missing
new Network({ hiddenSize: 1 });
// @ts-expect-error no such option
net.train(data, { epoch: 1 });
// @ts-expect-error a text is no input
net.step("1");
// @ts-expect-error async
trainer.run(data, async () => true);

export { indices, loss, outputs, states, text, worklet };
