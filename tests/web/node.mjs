// The module in Node: answers to questions of model, photo and target, or the error that each meets.
import fs from "node:fs";

const [given, out] = process.argv.slice(2);
const { client, questions } = JSON.parse(fs.readFileSync(given, "utf8"));
const { load } = await import(`${client}/src/node.js`);
const loaded = new Map();
const answers = [];
for (const { model, photo, pixels, planes, target } of questions) {
  try {
    if (!loaded.has(model)) loaded.set(model, await load(model, { threads: 1 }));
    const raw = pixels && { ...pixels, data: new Uint8Array(fs.readFileSync(pixels.data)) };
    const answer = await loaded.get(model).explain(photo ?? raw ?? planes, target);
    const explained = answer.explained.map((entry) => ({ ...entry, heatmap: Array.from(entry.heatmap) }));
    answers.push({ label: answer.label, top: answer.top, explained, scores: Array.from(answer.scores) });
  } catch (error) {
    answers.push({ error: error.name, message: error.message });
  }
}
fs.writeFileSync(out, JSON.stringify(answers));
