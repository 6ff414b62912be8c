// A person at the page: keyboard, slider, other models, broken photos; what each step shows, and screenshots.
import fs from "node:fs";

import { opened } from "./chromium.mjs";

const [file, out] = process.argv.slice(2);
const given = JSON.parse(fs.readFileSync(file, "utf8"));
const { address, photos, shots } = given;

const state = (page, ...wanted) =>
  page.waitForFunction((states) => states.includes(document.documentElement.dataset.state), wanted, { timeout: 90_000 });

async function explained(page, act) {
  await page.evaluate(() => delete document.documentElement.dataset.state);
  await act();
  await state(page, "explained", "failed");
  return shown(page);
}

const shown = (page) =>
  page.evaluate(() => {
    const heat = document.getElementById("heat"), photo = document.getElementById("photo");
    const pixels = heat.getContext("2d").getImageData(0, 0, heat.width, heat.height).data;
    const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
    return {
      caption: document.getElementById("caption").textContent,
      error: document.getElementById("error").hidden ? null : document.getElementById("error").textContent,
      status: document.getElementById("status").textContent,
      current: document.querySelector("#top [aria-current='true']")?.textContent,
      field: document.getElementById("class").value,
      heat: pixels.reduce((sum, value, at) => (at % 4 === 3 ? sum + value : sum), 0),
      hash: pixels.reduce((sum, value) => (sum * 31 + value) % 1_000_003, 7),
      size: [photo.width, photo.height],
      overflows: wide,
    };
  });

const SCENES = {
  async keyboard(page) {
    const facts = {};
    await page.goto(address);
    await state(page, "ready");
    facts.ready = await shown(page);
    const tab = async (id) => {
      for (let step = 0; step < 40; step++) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => document.activeElement.id || document.activeElement.title);
        if (at === id) return;
      }
      throw new Error(`Tab does not reach ${id}`);
    };
    await tab("Example: cat");
    facts.example = await explained(page, () => page.keyboard.press("Enter"));
    facts.photo = await explained(page, () => page.setInputFiles("#file", photos.png));
    await tab("class");
    await page.keyboard.type("lynx");
    facts.listed = await page.locator("#classes li").allTextContents();
    facts.active = await page.getAttribute("#class", "aria-activedescendant");
    facts.lynx = await explained(page, () => page.keyboard.press("Enter"));
    await page.keyboard.press("ArrowDown");
    facts.open = await page.getAttribute("#class", "aria-expanded");
    await page.keyboard.press("Escape");
    facts.closed = await page.getAttribute("#class", "aria-expanded");
    await tab("opacity");
    await page.keyboard.press("Home");
    facts.opacity = await page.evaluate(() => getComputedStyle(document.getElementById("heat")).opacity);
    await page.keyboard.press("End");
    await tab("colormap");
    await page.keyboard.press("ArrowDown");
    facts.coloured = await shown(page);
    await tab("colour");
    await page.keyboard.press("Space");
    const download = page.waitForEvent("download");
    await tab("save");
    await page.keyboard.press("Enter");
    await (await download).saveAs(`${shots}/saved.png`);
    await tab("model");
    facts.other = await explained(page, () => page.keyboard.press("ArrowDown"));
    facts.about = await page.textContent("#about");
    return facts;
  },
  async mouse(page) {
    const facts = {};
    await page.goto(address);
    await page.waitForSelector("#progress:not([hidden])");
    facts.loading = await page.textContent("#loading");
    await state(page, "ready");
    facts.photo = await explained(page, () => page.setInputFiles("#file", photos.turned));
    await page.screenshot({ path: `${shots}/${given.shot}.jpg`, quality: 80, fullPage: true });
    const second = page.locator("#top button").nth(1);
    facts.secondName = await second.locator("span").first().textContent();
    facts.second = await explained(page, () => second.click());
    facts.broken = await explained(page, () => page.setInputFiles("#file", photos.broken));
    const drop = () =>
      page.evaluate(async () => {
        const data = new DataTransfer();
        const blob = await (await fetch("photos/cup.jpg")).blob();
        data.items.add(new File([blob], "cup.jpg", { type: blob.type }));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
      });
    facts.dropped = await explained(page, drop);
    await page.click("#class");
    facts.listed = await page.locator("#classes li").allTextContents();
    return facts;
  },
  async camera(page) {
    await page.goto(address);
    await state(page, "ready");
    const first = await explained(page, () => page.click("#camera"));
    const second = await explained(page, async () => undefined);
    await page.click("#camera");
    return { first, second, pressed: await page.getAttribute("#camera", "aria-pressed") };
  },
  async nothing(page) {
    await page.route("**/models.json", (route) => route.fulfill({ status: 404 }));
    await page.goto(address);
    await state(page, "failed");
    const list = await shown(page);
    await page.unroute("**/models.json");
    await page.route("**/*.onnx", (route) => route.fulfill({ body: "<!doctype html>" }));
    await page.goto(address);
    await state(page, "failed");
    return { list, model: await shown(page) };
  },
};

const flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const result = await opened({ ...given, flags }, given.settings, async (page, seen) => {
  const facts = await SCENES[given.scene](page);
  return { facts, ...seen };
});
fs.writeFileSync(out, JSON.stringify(result));
