// A file from the net, with word of how much of it has come.

import { ModelError } from "./errors.js";

/** @typedef {(loaded: number, total: number | null) => void} OnProgress bytes so far and in all; null: not known */

/**
 * The bytes of a file.
 * @param {string | URL} url
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 * @throws {ModelError} it is not there, or cannot be fetched
 */
export async function download(url, onProgress = () => undefined) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new ModelError(`${url} cannot be fetched: ${error instanceof Error ? error.message : error}.`);
  }
  if (!response.ok || response.body === null) {
    throw new ModelError(`${url} cannot be fetched: the server says ${response.status} ${response.statusText}.`);
  }
  // What is compressed on its way has another length than what arrives here.
  const length = response.headers.get("Content-Encoding") ? null : response.headers.get("Content-Length");
  const total = length === null ? null : Number(length);
  const parts = [];
  let loaded = 0;
  onProgress(loaded, total);
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress(loaded, total);
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
