// How much memory WebAssembly may have in this thread: a program in it is told that there is no more, as by a full machine.

/** Lets all memories of this thread together grow to so many bytes. To be called once. */
export function limitMemory(mostBytes: number): void {
  const grown = new Set<WeakRef<WebAssembly.Memory>>();
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = function (this: WebAssembly.Memory, pages: number): number {
    let [bytes, isKnown] = [this.buffer.byteLength, false];
    for (const reference of grown) {
      const memory = reference.deref();
      if (!memory) grown.delete(reference);
      else if (memory === this) isKnown = true;
      else bytes += memory.buffer.byteLength;
    }
    if (!isKnown) grown.add(new WeakRef(this));
    if (bytes + pages * pageBytes > mostBytes) throw new RangeError(`more than ${mostBytes} bytes of memory`);
    return grow.call(this, pages);
  };
}

const pageBytes = 1 << 16;
