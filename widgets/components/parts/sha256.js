export const BLOCK = 256 * 1024;   // bytes that are compared at once; the kernel's number

const ROUND = new Uint32Array(64), START = new Uint32Array(8);
{ // FIPS 180-4: the first 32 bits of the fractional parts of cube and square roots of the first primes
  let found = 0;
  for (let number = 2; found < 64; number += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= number; divisor += 1) if (number % divisor === 0) prime = false;
    if (!prime) continue;
    if (found < 8) START[found] = (Math.sqrt(number) % 1) * 2 ** 32;
    ROUND[found] = (Math.cbrt(number) % 1) * 2 ** 32;
    found += 1;
  }
}

/** SHA-256 of a Uint8Array, for pages where the browser keeps its own back (http:// without a certificate). */
export function sha256(bytes) {
  const state = START.slice(), words = new Int32Array(64), length = bytes.length;
  const tail = new Uint8Array((length % 64 < 56 ? 64 : 128));
  const whole = length - (length % 64);
  tail.set(bytes.subarray(whole));
  tail[length % 64] = 0x80;
  new DataView(tail.buffer).setUint32(tail.length - 8, Math.floor(length / 2 ** 29));
  new DataView(tail.buffer).setUint32(tail.length - 4, (length << 3) >>> 0);
  for (let at = 0; at < whole; at += 64) mix(state, words, bytes, at);
  for (let at = 0; at < tail.length; at += 64) mix(state, words, tail, at);
  const result = new Uint8Array(32), view = new DataView(result.buffer);
  state.forEach((word, place) => view.setUint32(4 * place, word));
  return result;
}

function mix(state, w, bytes, at) {
  for (let i = 0; i < 16; i += 1, at += 4) w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  for (let i = 16; i < 64; i += 1) {
    const x = w[i - 15], y = w[i - 2];
    w[i] = (w[i - 16] + w[i - 7] + (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3))
      + (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10))) | 0;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i += 1) {
    const one = (h + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
    const two = ((((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

async function digest(bytes) {
  return globalThis.crypto?.subtle ? new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes)) : sha256(bytes);
}

/** SHA-256 of each block of an ArrayBuffer, one after another. */
export async function blockDigests(data) {
  const blocks = Math.ceil(data.byteLength / BLOCK), found = new Uint8Array(32 * blocks);
  const one = async (number) => {
    const from = number * BLOCK;
    found.set(await digest(new Uint8Array(data, from, Math.min(BLOCK, data.byteLength - from))), 32 * number);
  };
  if (globalThis.crypto?.subtle) await Promise.all(Array.from({ length: blocks }, (_, number) => one(number)));
  else for (let number = 0; number < blocks; number += 1) await one(number).then(rest);
  return found;
}

function rest() { return new Promise((go) => { setTimeout(go, 0); }); }

/** The hash of a file: SHA-256, in hex, of the digests of its blocks. */
export async function rootOf(digests) {
  return Array.from(await digest(digests), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
