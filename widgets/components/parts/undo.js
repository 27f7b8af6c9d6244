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
