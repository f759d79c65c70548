// <table-plot data-y="Value" data-threshold="0.35" data-log>…<table>…</table></table-plot>: draws its own table above
// it. The first column is x, every further column headed th.number is one curve. Without script the table stands alone.
import uPlot from "../vendor/uplot/uplot.esm.js";
import { inkOf, node } from "./waveform.js";

const TONES = ["--spot", "--ink", "--stop", "--go"];
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
const HEIGHT_PX = 260;

const stylesheet = new URL("../vendor/uplot/uplot.css", import.meta.url).href;

const figure = (cell) => {
  const text = (cell.dataset.value ?? cell.textContent).replaceAll(/[\s,%\u202f]/g, "").replace("−", "-");
  return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
};

customElements.define(
  "table-plot",
  class extends HTMLElement {
    connectedCallback() {
      this.table = this.querySelector("table");
      if (!this.table || this.plot) return;
      if (!document.querySelector(`link[href="${stylesheet}"]`)) {
        document.head.append(node("link", { rel: "stylesheet", href: stylesheet }));
      }
      this.place = node("div", { class: "plot", "aria-hidden": "true" });
      this.prepend(this.place);
      this.redraw = () => this.draw();
      document.addEventListener("theme-change", this.redraw);
      this.watch = new ResizeObserver(() => this.plot?.setSize({ width: this.place.clientWidth, height: HEIGHT_PX }));
      this.watch.observe(this.place);
      this.draw();
    }

    disconnectedCallback() {
      document.removeEventListener("theme-change", this.redraw);
      this.watch?.disconnect();
      this.plot?.destroy();
    }

    columns() {
      const heads = [...this.table.tHead.rows[0].cells];
      const wanted = heads.map((head, i) => (i === 0 || head.classList.contains("number") ? i : -1)).filter((i) => i >= 0);
      const rows = [...this.table.tBodies[0].rows];
      return {
        labels: wanted.map((i) => heads[i].textContent.trim()),
        values: wanted.map((i) => rows.map((row) => figure(row.cells[i]))),
      };
    }

    draw() {
      const { labels, values } = this.columns();
      const threshold = this.dataset.threshold;
      if (threshold !== undefined) {
        labels.push("Threshold");
        values.push(values[0].map(() => Number(threshold)));
      }
      const axis = {
        stroke: inkOf(this, "--ink-soft"),
        grid: { stroke: inkOf(this, "--rule"), width: 1 },
        ticks: { stroke: inkOf(this, "--rule"), width: 1 },
        font: "12px Archivo, Arial, sans-serif",
        labelFont: "600 12px Archivo, Arial, sans-serif",
      };
      const series = labels.slice(1).map((label, i) => ({
        label,
        stroke: inkOf(this, TONES[i % TONES.length]),
        dash: DASHES[i % DASHES.length],
        width: 2,
        points: { show: values[0].length < 60 },
      }));
      this.plot?.destroy();
      this.plot = new uPlot(
        {
          width: this.place.clientWidth,
          height: HEIGHT_PX,
          scales: { x: { time: false }, y: { distr: "log" in this.dataset ? 3 : 1 } },
          axes: [
            { ...axis, label: labels[0] },
            { ...axis, label: this.dataset.y ?? "" },
          ],
          series: [{ label: labels[0] }, ...series],
          legend: { live: false, markers: { dash: (_, i) => (DASHES[(i - 1) % DASHES.length].length ? "dashed" : "solid") } },
        },
        values,
        this.place,
      );
    }
  },
);
