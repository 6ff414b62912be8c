// The page of smoothserve compare, from a disk: pictures, views, keyboard; and a screenshot.
import fs from "node:fs";

import { opened } from "./chromium.mjs";

const [file, out] = process.argv.slice(2);
const given = JSON.parse(fs.readFileSync(file, "utf8"));

const facts = () => {
  const images = [...document.querySelectorAll(".grid img")];
  const shown = images.filter((image) => image.getClientRects().length);
  const head = document.querySelector(".grid thead tr").getBoundingClientRect();
  const boxes = [...document.querySelectorAll(".grid tbody tr:first-child > *")].map((box) => box.getBoundingClientRect());
  return {
    all: images.length,
    loaded: images.filter((image) => image.complete && image.naturalWidth > 0).length,
    shown: shown.map((image) => image.className),
    width: Math.min(...shown.map((image) => image.clientWidth)),
    overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    table: boxes.every((box) => box.top === boxes[0].top),
    ground: getComputedStyle(document.body).backgroundColor,
    head: head.height,
  };
};
const large = () => {
  const dialog = document.getElementById("large");
  return {
    open: dialog.open,
    title: dialog.querySelector("strong").textContent,
    pictures: [...dialog.querySelectorAll("img")].map((image) => image.complete && image.naturalWidth > 0),
    fits: dialog.scrollWidth <= dialog.clientWidth,
  };
};

const result = await opened(given, given.settings, async (page, { complaints, foreign }) => {
  await page.goto(given.page);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  const found = { over: await page.evaluate(facts) };
  await page.screenshot({ path: given.shot });
  await page.keyboard.press("Tab");
  for (const view of ["soft", "plain"]) {
    await page.keyboard.press("ArrowRight");
    found[view] = await page.evaluate(facts);
  }
  await page.keyboard.press("Tab");
  found.first = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  found.neighbour = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  found.enlarged = await page.evaluate(large);
  await page.keyboard.press("ArrowLeft");
  found.left = await page.evaluate(large);
  await page.keyboard.press("ArrowLeft"); // there is none: nothing happens
  found.edge = await page.evaluate(large);
  await page.click("[aria-label='Previous photo']");
  found.up = await page.evaluate(large);
  await page.keyboard.press("Escape");
  await page.waitForFunction((label) => document.activeElement.getAttribute("aria-label") === label, found.first, { timeout: 20_000 });
  found.closed = { ...(await page.evaluate(large)), at: await page.evaluate(() => document.activeElement.getAttribute("aria-label")) };
  return { found, complaints, foreign: foreign.filter((url) => url !== given.page) };
});
fs.writeFileSync(out, JSON.stringify(result));
