// The rule editor: checks while one types, shows where an error is, and how many users of a sample would match now.

import { element } from "./element.js";
import { ask } from "./live.js";
import { moment, number } from "./words.js";

const PAUSE_MS = 250;
const EXAMPLE = 'count("purchase", within="30d") > 3';

export class RuleEditor {
  #name = element("input", { id: "rule-name", type: "text", maxlength: 64, spellcheck: "false", autocomplete: "off", placeholder: "loyal" });
  #about = element("input", { id: "rule-about", type: "text", maxlength: 400, autocomplete: "off", placeholder: "What the segment is for" });
  #when = element("textarea", { id: "rule-when", rows: 4, maxlength: 2000, spellcheck: "false", autocapitalize: "off", "aria-describedby": "rule-verdict", placeholder: EXAMPLE });
  #verdict = element("p", { class: "verdict", id: "rule-verdict", role: "status" });
  #marked = element("pre", { class: "marked", "aria-hidden": "true", hidden: true });
  #matches = element("div", { class: "matches", hidden: true });
  #sent = element("p", { class: "sent", role: "status" });
  #save = element("button", { type: "submit", class: "strong", disabled: true }, "Put in force");
  #asked = 0;
  #timer = null;
  #waiting = null;

  constructor(root) {
    const form = element("form", { class: "rule-form", autocomplete: "off" },
      field("Name", this.#name), field("Members are users for whom", this.#when), this.#marked, this.#verdict, this.#matches,
      field("Description", this.#about), element("div", { class: "rule-end" }, this.#save, this.#sent));
    root.append(element("header", { class: "list-head" }, element("h2", { id: "editor-title" }, "Try a rule")), form);
    for (const input of [this.#name, this.#when]) {
      input.addEventListener("input", () => {
        this.#save.disabled = true;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#check(), PAUSE_MS);
      });
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#save.disabled) this.#put();
    });
  }

  /** Begin with a rule in force. */
  take(rule) {
    this.#name.value = rule.name;
    this.#when.value = rule.when;
    this.#about.value = rule.description;
    this.#sent.textContent = "";
    this.#when.focus();
    this.#check();
  }

  /** Hear what the job said of rules; the newest answer is the last. */
  answered(answers) {
    const answer = this.#waiting && answers.findLast(({ name, version }) => name === this.#waiting.name && version === this.#waiting.version);
    if (!answer) return;
    this.#waiting = null;
    this.#sent.classList.toggle("bad", !answer.applied);
    this.#sent.textContent = answer.applied ? `Version ${answer.version} is in force.` : `The job refuses it: ${answer.reason} The last good version goes on.`;
  }

  #draft() {
    return { name: this.#name.value.trim() || "unnamed", when: this.#when.value, description: this.#about.value };
  }

  async #check() {
    const asked = ++this.#asked;
    if (!this.#when.value.trim()) return this.#tell("", false);
    try {
      const answer = await ask("/rules/check", this.#draft());
      if (asked === this.#asked) this.#show(answer);
    } catch (error) {
      if (asked === this.#asked) this.#tell(error.message, true);
    }
    return undefined;
  }

  #show(answer) {
    if (!answer.ok) {
      const place = answer.column === null ? "" : answer.line > 1 ? `Line ${answer.line}, column ${answer.column}: ` : `Column ${answer.column}: `;
      this.#tell(place + answer.error, true);
      this.#mark(answer);
      return;
    }
    this.#tell(`A good rule. It takes at most ${number(answer.bytes)} bytes of a user's record.`, false);
    this.#save.disabled = !this.#name.value.trim();
    this.#showMatches(answer.matches);
  }

  #tell(words, bad) {
    this.#verdict.textContent = words;
    this.#verdict.classList.toggle("bad", bad);
    this.#when.setAttribute("aria-invalid", `${bad}`);
    this.#marked.hidden = true;
    this.#matches.hidden = true;
    this.#save.disabled = true;
  }

  #mark({ line, column }) {
    if (column === null) return;
    const text = this.#when.value.split("\n")[line - 1] ?? "";
    this.#marked.replaceChildren(text.slice(0, column - 1), element("mark", {}, text.slice(column - 1, column) || " "), text.slice(column));
    this.#marked.hidden = false;
  }

  #showMatches(matches) {
    this.#matches.hidden = false;
    if (matches === null) {
      this.#matches.replaceChildren(element("p", { class: "basis" }, "This page was started without Kafka: it cannot say how many users would match."));
    } else if (!matches.asked) {
      this.#matches.replaceChildren(element("p", { class: "basis" }, "No event was read yet: how many users would match is not known."));
    } else {
      const share = matches.matching / matches.asked;
      const bar = element("i", { class: "bar", "aria-hidden": "true" });
      bar.style.setProperty("--share", share.toFixed(4));
      this.#matches.replaceChildren(
        element("p", {}, element("strong", {}, matches.matching.toLocaleString("en-GB")), ` of ${matches.asked.toLocaleString("en-GB")} users would match now (${percent(share)})`), bar,
        element("p", { class: "basis" }, basis(matches)));
    }
  }

  async #put() {
    this.#sent.classList.remove("bad");
    try {
      this.#waiting = await ask("/rules", this.#draft());
      this.#sent.textContent = `Version ${this.#waiting.version} is sent; the job's answer appears here.`;
    } catch (error) {
      this.#sent.classList.add("bad");
      this.#sent.textContent = error.message;
    }
  }
}

function basis({ asked, users, one_in, events, since, now }) {
  const who = one_in === 1 ? "all users seen" : `a sample, 1 in ${number(one_in)} of the users seen`;
  const cut = asked < users ? ` Time was up after ${asked.toLocaleString("en-GB")} of ${users.toLocaleString("en-GB")}.` : "";
  return `Judged as of ${moment(now)} by ${events.toLocaleString("en-GB")} events of ${who} since ${moment(since)}. What they did before is not known here.${cut}`;
}

function percent(share) {
  return share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`;
}

function field(name, input) {
  return element("label", { class: "field" }, element("span", {}, name), input);
}
