// <live-region>: the page's one polite voice for screen readers, and the place where a failed request is said.
// Anything may speak through it: document.dispatchEvent(new CustomEvent("say", { detail: "Checked 12 of 40." })).
const FAULTS = {
  403: "You may not do that. Nothing was changed.",
  404: "That is no longer there, or you may not see it. Nothing was changed.",
  409: "Somebody else changed this meanwhile. Reload the page to see it as it is now.",
  429: "Too many requests at once. Wait a minute and try again; nothing was changed.",
};

customElements.define(
  "live-region",
  class extends HTMLElement {
    connectedCallback() {
      this.say = (event) => this.show("", event.detail);
      this.refused = (event) => {
        const status = event.detail.xhr.status;
        this.show("error", FAULTS[status] ?? `The server could not do that (${status}). Reload to see what was kept.`);
      };
      this.unreached = () => this.show("error", "The server does not answer. What you typed is still here; try again.");
      document.addEventListener("say", this.say);
      document.addEventListener("htmx:responseError", this.refused);
      document.addEventListener("htmx:sendError", this.unreached);
    }

    disconnectedCallback() {
      document.removeEventListener("say", this.say);
      document.removeEventListener("htmx:responseError", this.refused);
      document.removeEventListener("htmx:sendError", this.unreached);
    }

    show(level, sentence) {
      const text = document.createElement("p");
      text.textContent = sentence;
      if (!level) {
        text.className = "unseen";
        this.replaceChildren(text);
        return;
      }
      const message = document.createElement("div");
      message.className = `message ${level}`;
      const word = document.createElement("span");
      word.textContent = "Error";
      message.append(word, text);
      this.replaceChildren(message);
    }
  },
);
