/** Polls `/api/sync` while no socket gets through. It does not know what the frames mean. */

export const POLL_MS = 5_000;

export class Polling {
  works = false; // the latest poll was answered
  #run = null; // another object for each start: what an earlier one has asked for is of no use
  #outage = false;
  #timer = null;

  /** `ask()` answers one page of frames; `take(frames)` applies them and throws where one did not follow its cursor;
   * `overtaken()`: a socket has been greeted meanwhile, so that what a poll answers is of no use; `polled(back)` is told after
   * each poll, with `back` true where polling works again after it had failed. */
  constructor({ ask, take, overtaken, polled, timers }) {
    Object.assign(this, { ask, take, overtaken, polled, timers });
  }

  start() {
    if (this.#run) return;
    this.#run = {};
    this.#poll(this.#run);
  }

  stop() {
    this.timers.clear(this.#timer);
    this.#run = null;
    this.works = false;
  }

  async #poll(run) {
    const finished = () => this.#run !== run || this.overtaken();
    let frames = [];
    try {
      do {
        frames = await this.ask();
        if (finished()) break;
        this.take(frames);
      } while (frames.length && frames.at(-1).type !== "synced");
      if (!finished()) this.#tell(true);
    } catch {
      if (!finished()) this.#tell(false);
    }
    if (this.#run === run) this.#timer = this.timers.set(() => this.#poll(run), POLL_MS);
  }

  #tell(works) {
    const back = works && this.#outage;
    this.#outage = !works;
    this.works = works;
    this.polled(back);
  }
}
