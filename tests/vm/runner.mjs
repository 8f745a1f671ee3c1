// Runs one MicroPython script in the WebAssembly build, with folders of the host copied into its filesystem.
//
// Standard input: {"mounts": [[host folder, VM folder], ...], "path": [...], "script": VM path, "heap_bytes": n,
//                  "call": "step()" or "", "times": n}
// The script's output goes to standard output; an exception to standard error, with exit status 1.
//
// MicroPython's gc.collect() frees only when control has returned to JavaScript, because the C stack cannot be
// scanned. `call` is therefore run `times` times, each from JavaScript, so that long runs collect as a board does.

import fs from "node:fs";
import path from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript/micropython.mjs";

const request = JSON.parse(fs.readFileSync(0, "utf8"));
const lines = [];
const vm = await loadMicroPython({
  heapsize: request.heap_bytes,
  linebuffer: true,
  stdout: (line) => lines.push(line),
  stderr: (line) => process.stderr.write(line + "\n"),
});

function copy(from, to) {
  const made = [];
  for (const part of to.split("/")) {
    made.push(part);
    const folder = made.join("/");
    if (folder && !vm.FS.analyzePath(folder).exists) vm.FS.mkdir(folder);
  }
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    if (entry.name === "__pycache__") continue;
    const source = path.join(from, entry.name);
    if (entry.isDirectory()) copy(source, `${to}/${entry.name}`);
    else vm.FS.writeFile(`${to}/${entry.name}`, fs.readFileSync(source));
  }
}

for (const [from, to] of request.mounts) copy(from, to);

let status = 0;
try {
  vm.runPython(`import sys, os\nsys.path[:] = ${JSON.stringify(request.path)}\nos.chdir("/vectors")`);
  vm.runPython(`exec(compile(open(${JSON.stringify(request.script)}).read(), ${JSON.stringify(request.script)}, "exec"))`);
  for (let i = 0; i < request.times; i++) vm.runPython(request.call);
} catch (error) {
  process.stderr.write(`${error.message ?? error}\n`);
  status = 1;
}
process.stdout.write(lines.join("\n") + (lines.length ? "\n" : ""));
process.exitCode = status;
