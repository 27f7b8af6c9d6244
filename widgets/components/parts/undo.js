/** What was written, step by step: typing goes together until a rest or a change of another kind. */
export class Steps {
  constructor(text = "", rest = 900) {
    this.rest = rest;
    this.begin(text);
  }
  /** Forget everything: another caption is shown. */
  begin(text) {
    this.texts = [text];
    this.place = 0;
    this.kind = "";
    this.time = -Infinity;
  }
  /** The text as it is now. kind: "typing" joins the step before when it came shortly ago. */
  note(text, kind, now) {
    if (text === this.texts[this.place]) return;
    const joins = kind === "typing" && this.kind === kind && now - this.time < this.rest && this.place > 0 && this.place === this.texts.length - 1;
    this.texts.length = this.place + 1;
    if (joins) this.texts[this.place] = text;
    else this.texts.push(text);
    this.place = this.texts.length - 1;
    [this.kind, this.time] = [kind, now];
    if (this.texts.length > 500) { this.texts.shift(); this.place -= 1; }
  }
  canUndo() { return this.place > 0; }
  canRedo() { return this.place < this.texts.length - 1; }
  /** The text before; null where there is none. */
  undo() { return this.go(-1, this.canUndo()); }
  /** The text that was undone last; null where there is none. */
  redo() { return this.go(1, this.canRedo()); }
  go(step, may) {
    if (!may) return null;
    this.place += step;
    this.kind = "";
    return this.texts[this.place];
  }
}

/**
 * The steps of captions that were left, so that coming back to a picture finds them; of the last `most` pictures. Those of a caption that
 * something else wrote meanwhile are forgotten: its revision tells.
 */
export function createStepsKept(most = 200) {
  const kept = new Map();
  return {
    keep(key, revision, steps) {
      kept.delete(key);
      if (!steps.canUndo() && !steps.canRedo()) return;
      steps.kind = ""; // what is typed after coming back is a step of its own
      kept.set(key, { revision, steps });
      if (kept.size > most) kept.delete(kept.keys().next().value);
    },
    /** The steps of a caption that is shown again, with its text as the present one. */
    take(key, revision, text) {
      const found = kept.get(key);
      kept.delete(key);
      if (!found || found.revision !== revision) return new Steps(text);
      found.steps.note(text, "elsewhere", -Infinity);
      return found.steps;
    },
  };
}
