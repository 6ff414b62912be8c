// The page: which model and photo there are, what is asked of them, and in which order.

import { Camera } from "./camera.js";
import { Picker } from "./picker.js";
import { ExplainerWorker } from "./smoothserve/remote.js";
import { $, drawPicture, drawScale, fail, listTop, offerColours, savePicture, say, setOpacity, showProgress } from "./view.js";

const RUNTIMES = { wasm: "ort/ort.wasm.min.mjs", webgpu: "ort/ort.webgpu.min.mjs" };
const threads = Number(new URLSearchParams(location.search).get("threads")) || undefined;

let site = { models: [], photos: [] };
let worker = null;
let explainer = null; // a promise of the chosen model
let photo = null;
let target = null; // null: the predicted class
let answer = null;
let turn = 0; // of the newest question: answers to older ones are not shown

const picker = new Picker($("class"), $("classes"), (index) => ask(index));
const camera = new Camera($("video"), async (bitmap) => {
  photo = bitmap;
  await explain();
});

/** Load the chosen model, in a new worker where another provider is wanted. */
function load() {
  const model = site.models[$("model").selectedIndex];
  const provider = $("provider").value;
  const previous = explainer;
  previous?.then((loaded) => loaded.release()).catch(() => undefined);
  if (worker?.provider !== provider) {
    worker?.terminate();
    worker = Object.assign(new ExplainerWorker(), { provider });
  }
  fail(null);
  say("");
  const name = `${model.name}, ${model.method}`;
  const started = performance.now();
  const mine = worker.load(model.file, {
    executionProviders: [provider],
    runtime: RUNTIMES[provider],
    threads,
    onProgress: (loaded, total) => {
      if (explainer === mine) showProgress(`Loading ${name}`, loaded, total ?? model.bytes);
    },
  });
  explainer = mine;
  mine.then(
    (loaded) => explainer === mine && ready(loaded, performance.now() - started),
    (error) => explainer === mine && refused(error, provider),
  );
  return mine;
}

function ready({ card, labels, provider, threads: count }, milliseconds) {
  showProgress(null);
  const by = provider === "webgpu" ? "the graphics card" : `${count} thread${count > 1 ? "s" : ""} of the processor`;
  say(`Loaded in ${(milliseconds / 1000).toFixed(1)} s; computed by ${by}.`);
  $("about").textContent = `${card.name}: ${card.classes} classes, ${card.image_shape.slice(1).join(" x ")} pixels, ${parameters(card.method)}`;
  const { weights, difference } = site.models[$("model").selectedIndex];
  if (difference) $("about").textContent += `. ${weights} weights: ${difference}`;
  picker.fill(labels ?? Array.from({ length: card.classes }, (_, index) => String(index)), null);
  offerColours(card.signed);
  drawScale(card);
  document.documentElement.dataset.state = "ready";
}

/** A graphics card that fails is no reason for a page without answers. */
function refused(error, provider) {
  showProgress(null);
  if (provider === "webgpu") {
    $("provider").value = "wasm";
    load().catch(() => undefined);
    if (photo) explain();
    fail(new Error(`The graphics card cannot be used, so the processor computes. ${error.message}`));
    return;
  }
  fail(error);
  document.documentElement.dataset.state = "failed";
}

/** Explain the photo that there is. */
async function explain() {
  const mine = ++turn, asked = photo;
  const busy = setTimeout(() => $("drop").classList.add("busy"), 300);
  try {
    const loaded = await explainer;
    const found = await loaded.explain(asked, target);
    if (asked instanceof ImageBitmap && photo === asked) photo = found.photo; // a bitmap is used up by a question
    if (mine !== turn) return;
    answer = found;
    fail(null);
    show(loaded.card);
    say(`Explained in ${(found.milliseconds / 1000).toFixed(2)} s.`);
    document.documentElement.dataset.state = "explained";
  } catch (error) {
    if (mine !== turn) return;
    fail(error);
    document.documentElement.dataset.state = "failed";
  } finally {
    clearTimeout(busy);
    if (mine === turn) $("drop").classList.remove("busy");
  }
}

function show(card) {
  picker.fill(card.labels ?? Array.from(answer.scores, (_, index) => String(index)), answer.scores);
  if (document.activeElement !== $("class")) picker.show(answer.class);
  listTop(answer, ask);
  drawPicture(answer, card);
}

/** Explain a class; null: the predicted one. */
function ask(index) {
  target = index;
  if (photo && !camera.on) explain(); // the camera's next picture asks by itself
}

/** A new photo: a file, or what was dropped or pasted. */
function take(file) {
  if (!file) return;
  camera.stop();
  $("camera").setAttribute("aria-pressed", "false");
  photo = file;
  target = null;
  document.documentElement.dataset.state = "asked";
  explain();
}

function parameters({ name, ...others }) {
  const plain = Object.entries(others).filter(([, value]) => ["number", "string"].includes(typeof value));
  const short = (value) => (typeof value === "number" ? Number(value.toPrecision(3)) : value);
  return `${name}${plain.length ? ` (${plain.map(([key, value]) => `${key} ${short(value)}`).join(", ")})` : ""}`;
}

function listen() {
  for (const id of ["file", "shoot"]) {
    $(id).addEventListener("change", ({ target: input }) => {
      take(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  $("drop").addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  $("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
  $("drop").addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  addEventListener("paste", ({ clipboardData }) => take(clipboardData.files[0]));
  $("camera").addEventListener("click", async () => {
    if (camera.on) camera.stop();
    else {
      target = null;
      await camera.start().catch(fail);
    }
    $("camera").setAttribute("aria-pressed", camera.on);
  });
  $("model").addEventListener("change", () => {
    load().catch(() => undefined);
    if (photo && !camera.on) explain();
  });
  $("provider").addEventListener("change", () => {
    load().catch(() => undefined);
    if (photo && !camera.on) explain();
  });
  $("opacity").addEventListener("input", setOpacity);
  for (const id of ["colormap", "colour"]) {
    $(id).addEventListener("change", async () => {
      const { card } = await explainer;
      drawScale(card);
      if (answer) drawPicture(answer, card);
    });
  }
  $("save").addEventListener("click", async () => savePicture(answer, (await explainer).card));
}

function offerExamples() {
  const buttons = site.photos.map((address) => {
    const name = address.replace(/^.*\/|\.\w+$/g, "");
    const button = Object.assign(document.createElement("button"), { type: "button", title: `Example: ${name}` });
    button.append(Object.assign(new Image(), { src: address, alt: `Example: ${name}` }));
    button.addEventListener("click", async () => take(await (await fetch(address)).blob()));
    return button;
  });
  $("examples").replaceChildren(...buttons);
}

async function start() {
  listen();
  try {
    const response = await fetch("models.json");
    if (!response.ok) throw new Error(`models.json: ${response.status}`);
    site = await response.json();
    if (site.models.length === 0) throw new Error("models.json lists none");
  } catch (error) {
    fail(new Error(`There is no model here (${error.message}). 'smoothserve web MODEL.onnx -o site/' makes this folder with one.`));
    document.documentElement.dataset.state = "failed";
    return;
  }
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  const names = site.models.map(({ name, method, weights, bytes }) =>
    `${name}, ${method} (${weights === "float32" ? "" : `${weights}, `}${megabytes(bytes)})`);
  $("model").replaceChildren(...names.map((name) => new Option(name)));
  $("model").disabled = site.models.length === 1;
  $("where").hidden = !("gpu" in navigator);
  offerExamples();
  load().catch(() => undefined);
}

start();
