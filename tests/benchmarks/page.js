// Run inside JupyterLab's page by clicks.py, first_view.py and drawing.py.
(() => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => done()));
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const kernel = () => jupyterapp.shell.currentWidget.sessionContext.session.kernel;

  async function quiet() {
    while (kernel().status !== "idle") await pause(5);
    await frame();
    await frame();
  }

  /** Layer -> scroll position at which its node is in the middle of the graph. */
  async function places(scroller) {
    const found = {};
    for (let top = 0; ; top += scroller.clientHeight / 2) {
      scroller.scrollTop = top;
      await frame();
      await frame();
      const edge = scroller.getBoundingClientRect();
      for (const node of scroller.querySelectorAll("[data-layer]")) {
        const box = node.getBoundingClientRect();
        if (node.dataset.layer) found[node.dataset.layer] = scroller.scrollTop + box.top - edge.top - edge.height / 2;
      }
      if (top >= scroller.scrollHeight) return found;
    }
  }

  /** Milliseconds from a click on the layer's node to the event that its maps are painted, and to the frame after. */
  function click(scroller, maps, layer) {
    return new Promise((done, fail) => {
      const node = [...scroller.querySelectorAll("[data-layer]")].find((one) => one.dataset.layer === layer);
      const timer = setTimeout(() => fail(new Error(`nothing painted after a click on ${layer}`)), 5000);
      let start = 0;
      maps.addEventListener(
        "cnnw-painted",
        (event) => {
          clearTimeout(timer);
          if (event.detail.layer !== layer) fail(new Error(`a click on ${layer} painted ${event.detail.layer}`));
          const painted = performance.now() - start;
          // a task after the frame's callbacks runs when the frame has been drawn
          requestAnimationFrame(() => setTimeout(() => done({ layer, painted, drawn: performance.now() - start })));
        },
        { once: true },
      );
      start = performance.now();
      node.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, composed: true }));
    });
  }

  async function clicks(layers, where) {
    const scroller = document.querySelector(".cnnw-explorer .cnnw-ag-scroll");
    const maps = document.querySelector(".cnnw-explorer .cnnw-feature-maps");
    const results = [];
    for (const layer of layers) {
      scroller.scrollTop = where[layer];
      await quiet();
      await pause(60 + 60 * Math.random());
      results.push(await click(scroller, maps, layer));
    }
    return results;
  }

  /** Puts a cell under the last one and makes it the active one. */
  async function addCell(source) {
    const { content } = jupyterapp.shell.currentWidget;
    content.activeCellIndex = content.widgets.length - 1;
    await jupyterapp.commands.execute("notebook:insert-cell-below");
    content.activeCell.model.sharedModel.setSource(source);
    await quiet();
  }

  /** Milliseconds from running the active cell to a whole first view. */
  async function firstView() {
    const old = document.querySelector(".cnnw-explorer");
    const start = performance.now();
    jupyterapp.commands.execute("notebook:run-cell");
    for (;;) {
      await frame();
      if (performance.now() - start > 60_000) throw new Error("no complete first view within a minute");
      const root = document.querySelector(".cnnw-explorer");
      if (!root || root === old || root.getAttribute("aria-busy") === "true") continue;
      const painted = (name) => root.querySelector(`.cnnw-${name}`)?.dataset.painted;
      if (!root.querySelector(".cnnw-architecture-graph [data-layer]")) continue;
      if (!root.querySelector(".cnnw-class-scores [data-class] .cnnw-track")) continue;
      if (painted("feature-maps") && painted("heatmap-overlay")) break;
    }
    return performance.now() - start;
  }

  /** Milliseconds between frames while `element` scrolls by `step` px a frame, down and up again. */
  async function frames(element, step, count) {
    const times = [];
    let [before, way] = [0, 1];
    for (let k = 0; k < count; k += 1) {
      await frame();
      const now = performance.now();
      if (before) times.push(now - before);
      before = now;
      if (element.scrollTop + element.clientHeight >= element.scrollHeight - 1) way = -1;
      else if (element.scrollTop <= 0) way = 1;
      element.scrollTop += way * step;
    }
    return times;
  }

  window.bench = { places, clicks, addCell, firstView, frames };
})();
