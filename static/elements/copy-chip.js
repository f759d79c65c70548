// <copy-chip data-copy="full text">short text</copy-chip>: adds a button that copies the full text.
customElements.define(
  "copy-chip",
  class extends HTMLElement {
    connectedCallback() {
      if (this.querySelector("button") || !navigator.clipboard) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.ariaLabel = `Copy ${this.dataset.label ?? this.textContent.trim()}`;
      button.addEventListener("click", () => this.copy(button));
      this.append(button);
    }

    async copy(button) {
      try {
        await navigator.clipboard.writeText(this.dataset.copy);
        button.textContent = "Copied";
        document.dispatchEvent(new CustomEvent("say", { detail: "Copied." }));
      } catch {
        button.textContent = "Press Ctrl+C";
        getSelection().selectAllChildren(this.firstElementChild ?? this);
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    }
  },
);
