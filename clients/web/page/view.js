// What is shown: photo and heatmap on two canvases, the classes, messages, progress.

import { background, colormapNames, draw, heatLayer, overlay } from "./smoothserve/index.js";

const LONGEST = 640; // pixels of what is drawn: finer than a heatmap is, and quick on a phone

export const $ = (id) => document.getElementById(id);

/** How the picture is to look, from the controls. */
function look(size) {
  return { whole: true, size, colormap: $("colormap").value || null, colour: $("colour").checked };
}

/** Draw the photo, and the heatmap over it. */
export function drawPicture(answer, card) {
  draw($("photo"), background(answer, look(LONGEST)));
  draw($("heat"), heatLayer(answer, card, look(LONGEST)));
  setOpacity();
  const text = `${answer.label}, ${inWords(answer)}`;
  $("caption").textContent = text;
  $("photo").setAttribute("aria-label", `The photo with its heatmap for ${text}`);
  $("picture").hidden = false;
  $("result").hidden = false;
  $("empty").hidden = true;
  $("drop").classList.add("full");
}

/** The heatmap is a layer of its own: its opacity needs no drawing. */
export function setOpacity() {
  const share = $("opacity").value;
  $("heat").style.opacity = share / 100;
  $("opacity").setAttribute("aria-valuetext", `${share} %`);
}

/** The most probable classes, each a button that asks for its heatmap. */
export function listTop(answer, ask) {
  const shown = answer.top.some((entry) => entry.class === answer.class) ? answer.top : [...answer.top, answer];
  const items = shown.map((entry) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.class = entry.class;
    button.style.setProperty("--share", `${100 * (entry.probability ?? 0)}%`);
    button.setAttribute("aria-current", entry.class === answer.class);
    const label = document.createElement("span"), number = document.createElement("span");
    label.textContent = entry.label;
    number.textContent = inWords(entry);
    button.append(label, number);
    button.addEventListener("click", () => ask(entry.class));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  const focused = document.activeElement?.closest("#top button")?.dataset.class; // a new list must not lose it
  $("top").replaceChildren(...items);
  if (focused) $("top").querySelector(`[data-class="${focused}"]`)?.focus();
}

/** Offer the colour maps that fit, and say what their ends mean. */
export function offerColours(signed) {
  const names = colormapNames(signed);
  if ([...$("colormap").options].map((option) => option.value).join() !== names.join()) {
    $("colormap").replaceChildren(...names.map((name) => new Option(name)));
  }
  $("low").textContent = signed ? "against" : "nothing";
  $("high").textContent = signed ? "for the class" : "matters most";
}

/** The scale below the picture, in its colours and as transparent. */
export function drawScale(card) {
  const { width, height } = $("scale");
  const ramp = Float32Array.from({ length: width * height }, (_, at) => (at % width) / (width - 1));
  draw($("scale"), heatLayer({ heatmap: ramp, width, height }, card, { colormap: $("colormap").value }));
}

/** The picture as a file, in the photo's own resolution. */
export async function savePicture(answer, card) {
  const { data, width, height } = overlay(answer, card, { ...look(4096), opacity: $("opacity").value / 100 });
  const canvas = new OffscreenCanvas(width, height);
  draw(canvas, { data, width, height });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await canvas.convertToBlob());
  link.download = `${answer.label.replace(/[^\p{L}\p{N}]+/gu, "-")}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function say(text) {
  $("status").textContent = text;
}

/** Show what went wrong; null: nothing. */
export function fail(error) {
  $("error").hidden = error === null;
  $("error").textContent = error === null ? "" : (error.message ?? String(error));
}

/** Show how much of a download has come; null: it is done. */
export function showProgress(what, loaded = 0, total = null) {
  $("progress").hidden = what === null;
  if (what === null) return;
  const size = (bytes) => (bytes / 1e6).toFixed(1);
  $("loading").textContent = `${what}: ${size(loaded)}${total ? ` of ${size(total)}` : ""} MB`;
  if (total) $("bar").max = total;
  if (total) $("bar").value = loaded;
  else $("bar").removeAttribute("value");
}

function inWords({ probability, value }) {
  if (probability === undefined) return value.toPrecision(4);
  return `${(100 * probability).toFixed(probability < 0.001 ? 3 : 1)} %`;
}
