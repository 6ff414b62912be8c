// Inside a worker: loads files and explains photos, so that the page stays responsive. remote.js talks to it.

import { load } from "./index.js";

/** @type {Map<number, import("./explainer.js").Explainer<any>>} */
const loaded = new Map();

/** @type {Record<string, (given: any, tell: (...facts: any[]) => void) => Promise<any>>} */
const TASKS = {
  async load({ model, file, runtime, options }, tell) {
    const ort = runtime ? await import(runtime) : undefined;
    const explainer = await load(file, { ...options, ort, onProgress: tell });
    loaded.set(model, explainer);
    const { card, provider, threads } = explainer;
    return { card, provider, threads };
  },
  async explain({ model, photo, target }) {
    const explainer = loaded.get(model);
    if (!explainer) throw new Error("This model was released, or never loaded.");
    return explainer.explain(photo, target);
  },
  async release({ model }) {
    await loaded.get(model)?.release();
    loaded.delete(model);
  },
};

addEventListener("message", async ({ data: { id, task, given } }) => {
  const tell = (/** @type {any[]} */ ...progress) => postMessage({ id, progress });
  try {
    const result = await TASKS[task](given, tell);
    // Photos are large: their pixels are handed over, not copied.
    const pixels = [result?.photo?.data.buffer, result?.seen?.data.buffer].filter(Boolean);
    postMessage({ id, result }, { transfer: [...new Set(pixels)] });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    postMessage({ id, error: { name, message } });
  }
});
