/* What the browser tells the kernel: deeds one by one, each until it was heard; marks and the view as they are now. */

const AGAIN = 2000, SELDOM = 30000;   // ms until what was not heard is told again, and at most

/**
 * Deeds in order, numbered; whatever was not heard is told again, for messages to a busy kernel can get lost. The kernel takes each
 * once. Calls `send(deeds)` with [[serial, deed], …].
 */
export class Deeds {
  constructor(send, clock = { set: (act, wait) => setTimeout(act, wait), clear: (timer) => clearTimeout(timer) }) {
    Object.assign(this, { send, clock, serial: 0, unheard: [], timer: null, wait: AGAIN });
  }

  /** Tell one. Returns: its serial number. */
  tell(deed) {
    this.serial += 1;
    this.unheard.push([this.serial, deed]);
    this.send([[this.serial, deed]]);
    this.wait = AGAIN;
    this.later();
    return this.serial;
  }

  /** All up to this serial number were heard. */
  heard(serial) {
    if (!this.unheard.length || this.unheard[0][0] > serial) return;
    this.unheard = this.unheard.filter(([number]) => number > serial);
    this.wait = AGAIN;
    this.later();
  }

  later() {
    this.clock.clear(this.timer);
    this.timer = this.unheard.length ? this.clock.set(() => this.again(), this.wait) : null;
  }

  again() {
    if (!this.unheard.length) return;
    this.send(this.unheard.slice());
    this.wait = Math.min(SELDOM, this.wait * 2);
    this.later();
  }

  /** The view goes: what was not heard is told once more. */
  leave() {
    if (this.unheard.length) this.send(this.unheard.slice());
    this.clock.clear(this.timer);
  }
}

/**
 * One trait that the browser sets: at most every `wait` ms while it changes, and always the last. What comes from the kernel or another
 * view meanwhile is passed over: the hand that moves it wins.
 */
export function createTold(model, name, wait = 100) {
  let due = null, timer = null, last = -Infinity, holding = false;
  function now() {
    clearTimeout(timer);
    timer = null;
    if (due === null) return;
    last = performance.now();
    const value = due.value;
    due = null;
    model.set(name, value);
    model.save_changes();
  }
  return {
    now,
    set(value) {
      due = { value };
      if (timer === null) timer = setTimeout(now, Math.max(0, wait - (performance.now() - last)));
    },
    /** While it is held, others do not change it. */
    hold(on) { holding = on; if (!on) now(); },
    isBusy: () => holding || due !== null,
    leave() { now(); },
  };
}
