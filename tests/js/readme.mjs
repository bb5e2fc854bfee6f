// readme.mjs FILE: runs the programs of a README, those that import the package, each as a module of its own.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";

const programs = [...readFileSync(process.argv[2], "utf8").matchAll(/^```js\n(.*?)^```$/gms)]
  .map((match) => match[1])
  .filter((program) => program.includes('from "librnn"'));
if (programs.length === 0) throw new Error(`${process.argv[2]} has no program`);
for (const [i, program] of programs.entries()) {
  const file = `readme${i}.mjs`;
  writeFileSync(file, program);
  execFileSync(process.execPath, [file], { stdio: "inherit" });
  rmSync(file);
}
