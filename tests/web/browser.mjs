// The module in a Chromium: answers to questions of photo, model and target, or the error that each meets.
import fs from "node:fs";

import { opened } from "./chromium.mjs";

const [file, out] = process.argv.slice(2);
const given = JSON.parse(fs.readFileSync(file, "utf8"));

async function ask({ questions, options, worker }) {
  const { load } = await import("./smoothserve/index.js");
  const { ExplainerWorker } = await import("./smoothserve/remote.js");
  const runtime = `./ort/ort.${options.executionProviders?.includes("webgpu") ? "webgpu" : "wasm"}.min.mjs`;
  const there = worker && new ExplainerWorker();
  const ort = worker ? null : await import(runtime);
  const loaded = new Map();
  const answers = [], facts = { isolated: crossOriginIsolated, loads: [], progress: [] };
  for (const { model, photo, planes, target, times = 1 } of questions) {
    try {
      if (!loaded.has(model)) {
        const onProgress = (...numbers) => facts.progress.push(numbers);
        const start = performance.now();
        const explainer = worker
          ? await there.load(model, { ...options, runtime, onProgress })
          : await load(model, { ...options, ort, onProgress });
        facts.loads.push(performance.now() - start);
        loaded.set(model, explainer);
      }
      const explainer = loaded.get(model);
      facts.threads = explainer.threads;
      facts.provider = explainer.provider;
      const content = photo && (await (await fetch(photo)).blob());
      const all = [];
      let answer;
      for (let time = 0; time < times; time++) {
        const start = performance.now();
        answer = await explainer.explain(content ?? planes, target);
        all.push({ whole: performance.now() - start, graph: answer.milliseconds });
      }
      const { label, width, height, top, signed } = answer;
      const explained = answer.explained.map((entry) => ({ ...entry, heatmap: Array.from(entry.heatmap) }));
      const size = answer.photo && [answer.photo.width, answer.photo.height];
      answers.push({ label, width, height, top, signed, explained, size, scores: Array.from(answer.scores), times: all });
    } catch (error) {
      answers.push({ error: error.name, message: error.message });
    }
  }
  return { answers, facts };
}

const result = await opened(given, {}, async (page, { complaints }) => {
  await page.goto(`${given.address}blank.html`);
  page.setDefaultTimeout(0);
  return { ...(await page.evaluate(ask, given)), complaints };
});
fs.writeFileSync(out, JSON.stringify(result));
