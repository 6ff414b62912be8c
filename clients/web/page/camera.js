// The camera: one picture after the other, each when the one before has been explained.

/** Calls `see(bitmap)` for each picture, and waits for it. */
export class Camera {
  #stream = null;

  constructor(video, see) {
    this.video = video;
    this.see = see;
  }

  get on() {
    return this.#stream !== null;
  }

  /** Ask for the camera, and begin. Throws an Error that says why there is none. */
  async start() {
    if (!navigator.mediaDevices) throw new Error("A camera needs a page over https, or on this device.");
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      throw new Error(
        error.name === "NotAllowedError" ? "The camera was not allowed. The browser's settings of this page allow it."
          : `There is no camera: ${error.message}`,
      );
    }
    this.video.srcObject = this.#stream;
    await this.video.play();
    this.#loop();
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.video.srcObject = null;
  }

  async #loop() {
    while (this.on) {
      await this.see(await createImageBitmap(this.video));
      await new Promise(requestAnimationFrame); // and nothing while the page is in the background
    }
  }
}
