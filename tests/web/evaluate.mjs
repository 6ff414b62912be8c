// The report of smoothserve evaluate, from a disk: pictures, table, figures; and a screenshot.
import fs from "node:fs";

import { opened } from "./chromium.mjs";

const [file, out] = process.argv.slice(2);
const given = JSON.parse(fs.readFileSync(file, "utf8"));

const facts = () => {
  const images = [...document.images];
  const figures = [...document.querySelectorAll("figure img")];
  const row = [...document.querySelectorAll("tbody tr:first-child > *")].map((cell) => cell.getBoundingClientRect());
  return {
    all: images.length,
    loaded: images.filter((image) => image.complete && image.naturalWidth > 0).length,
    figures: figures.length,
    wide: Math.min(...figures.map((image) => image.clientWidth)),
    dark: figures.every((image) => image.currentSrc !== image.src),
    light: figures.every((image) => image.currentSrc === image.src),
    overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    table: row.every((box) => box.top === row[0].top),
    cut: [...document.querySelectorAll("td, th, dd, li, figcaption")].filter((box) => box.scrollWidth > box.clientWidth + 1).length,
    named: [...document.querySelectorAll("tbody tr:first-child td")].map((cell) => getComputedStyle(cell, "::before").content),
    ground: getComputedStyle(document.body).backgroundColor,
    titles: [...document.querySelectorAll("h2")].map((title) => title.textContent),
    best: [...document.querySelectorAll("td.best .value")].map((cell) => Number(getComputedStyle(cell).fontWeight)),
    rest: [...document.querySelectorAll("td:not(.best) .value")].map((cell) => Number(getComputedStyle(cell).fontWeight)),
  };
};

const result = await opened(given, given.settings, async (page, { complaints, foreign }) => {
  await page.goto(given.page);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  const found = await page.evaluate(facts);
  await page.screenshot({ path: given.shot, fullPage: true });
  return { found, complaints, foreign: foreign.filter((url) => url !== given.page) };
});
fs.writeFileSync(out, JSON.stringify(result));
