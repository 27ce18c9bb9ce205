// Makes the directory that it is told, and prints what was wrong.

import { makeDirectory } from "../../src/files/directory.ts";

try {
  makeDirectory(process.argv[2] as string);
} catch (error) {
  console.log(String(error));
}
