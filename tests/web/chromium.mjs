// A Chromium, one page in it, and all that the page complains of.
export async function opened({ client, chromium, flags = [] }, settings, use) {
  const { chromium: driver } = await import(`${client}/node_modules/playwright-core/index.mjs`);
  const browser = await driver.launch({ executablePath: chromium, args: ["--no-sandbox", ...flags] });
  try {
    const page = await browser.newPage(settings);
    const complaints = [], foreign = [];
    page.on("console", (line) => {
      if (line.text().includes("Multiple readback operations")) return; // what these tests do, not the page
      if (["error", "warning"].includes(line.type())) complaints.push(`${line.text()} ${line.location().url}`);
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (protocol !== "blob:" && protocol !== "data:" && hostname !== "127.0.0.1") foreign.push(request.url());
      if (request.method() !== "GET") foreign.push(`${request.method()} ${request.url()}`);
    });
    return await use(page, { complaints, foreign });
  } finally {
    await browser.close();
  }
}
