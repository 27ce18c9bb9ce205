// Locks the directory of its first argument. With 0 as second it says so and stays; otherwise it tries for that many
// milliseconds × 10 to hold the lock again and again, and tells whether anyone else was there meanwhile.

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockDirectory } from "../../src/files/lock.ts";

const [directory, time] = [process.argv[2] as string, Number(process.argv[3])];

if (time === 0) {
  lockDirectory(directory);
  console.log("locked");
  setInterval(() => {}, 1000);
} else {
  const counts = { held: 0, refused: 0, disturbed: 0 };
  const inside = join(directory, "inside");
  for (const end = Date.now() + time * 10; Date.now() < end; ) {
    let lock: Disposable;
    try {
      lock = lockDirectory(directory);
    } catch {
      counts.refused++;
      pause(Math.random() * 3);
      continue;
    }
    counts.held++;
    if (existsSync(inside)) counts.disturbed++;
    writeFileSync(inside, "");
    pause(Math.random() * 3);
    if (!existsSync(inside)) counts.disturbed++;
    rmSync(inside, { force: true });
    lock[Symbol.dispose]();
    pause(Math.random() * 3);
  }
  console.log(JSON.stringify(counts));
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
