// Measure in the page what it shows of a training dashboard.
//
// Times are those of `performance.now()`, in milliseconds.

(() => {
  const CHARTS = {
    loss: ".mw-loss-chart .bqplot",
    prediction: ".mw-probability-chart .bqplot",
    confusion: ".mw-confusion-chart .bqplot",
    gallery: ".mw-image-gallery .mw-grid",
  };
  const EVERYTHING = { subtree: true, childList: true, characterData: true, attributes: true };
  const context = window.jupyterapp.shell.currentWidget.sessionContext;
  const SENTENCE = /True (\S+)\. The network says (\S+) with (?:over |under )?(\d+)\s%/;

  // --- From a click to the chart of the image that was clicked

  // Whether picture, sentence and bars are all those of one image: its picture tells it from the
  // others, and the highest bar must be as high as the sentence says.
  function shows({ picture, label }) {
    const panel = document.querySelector(".mw-probability-chart");
    if (panel.querySelector("img")?.src !== picture) return false;
    const words = SENTENCE.exec(panel.querySelector(".mw-caption").textContent);
    if (words?.[1] !== label) return false;
    const [frame, ...others] = panel.querySelectorAll("rect.bar");
    const bars = others.slice(0, 10); // behind them are the columns for the mouse
    const heights = bars.map((bar) => Number(bar.getAttribute("height")));
    const share = (100 * Math.max(...heights)) / Number(frame.getAttribute("height"));
    const isHighest = heights[Number(words[2])] === Math.max(...heights);
    return isHighest && Math.abs(share - Number(words[3])) <= 1;
  }

  const optionsOf = () => [...document.querySelectorAll(".mw-image-gallery [role=option]")];

  // Return the images of the first page as the chart shows them, by selecting one after the other.
  function collectImages(labels) {
    const picture = () => document.querySelector(".mw-probability-chart img").src;
    return labels.map((label, id) => {
      optionsOf()[id].click();
      return { id, label, picture: picture() };
    });
  }

  // Return a function that tells, once the click has come, how long its chart took, and how long
  // the kernel's echo of it; null for what was not there within the time. To be called before the
  // click.
  function awaitClick(image, position, timeoutMs) {
    const options = optionsOf();
    const panel = document.querySelector(".mw-probability-chart");
    let began = null;
    const times = { chart: null, kernel: null };
    const answer = new Promise((resolve, reject) => {
      const observer = new MutationObserver(checkChart);
      observer.observe(panel, EVERYTHING);
      context.iopubMessage.connect(checkMessage);
      window.addEventListener("pointerdown", note, { capture: true, once: true });
      const timeout = setTimeout(finish, timeoutMs);

      function note(event) {
        // when the button went down, not when the page handles the event
        began = event.timeStamp;
        const hit = options.indexOf(event.target.closest("[role=option]"));
        if (hit !== position) reject(new Error(`clicked ${hit} in place of ${position}`));
      }

      function checkChart() {
        if (began !== null && times.chart === null && shows(image)) stop("chart");
      }

      function checkMessage(_, { content }) {
        const { method, state } = content.data ?? {};
        const isEcho = method === "echo_update" && state.selected === image.id;
        if (began !== null && isEcho) stop("kernel");
      }

      function stop(clock) {
        times[clock] ??= performance.now() - began;
        if (times.chart !== null && times.kernel !== null) finish();
      }

      function finish() {
        observer.disconnect();
        context.iopubMessage.disconnect(checkMessage);
        clearTimeout(timeout);
        if (began === null) reject(new Error("the page has heard of no click"));
        else resolve(times);
      }
    });
    answer.catch(() => {}); // the caller gets the error when it awaits `answer`
    return () => answer;
  }

  // --- Redraws and messages

  const counts = { redraws: {}, messages: 0, bytes: 0 };
  let since = performance.now();

  // A redraw is a frame in which a chart looks other than in the frame before.
  function countRedraws(name, chart) {
    let isCounted = false;
    const observer = new MutationObserver(() => {
      if (isCounted) return;
      isCounted = true;
      counts.redraws[name].push(performance.now());
      // what is changed until the frame is painted belongs to the same redraw
      requestAnimationFrame(() => setTimeout(() => (isCounted = false)));
    });
    observer.observe(chart, EVERYTHING);
  }

  function countMessage(_, { header, content, buffers }) {
    if (header.msg_type !== "comm_msg") return;
    counts.messages += 1;
    counts.bytes += JSON.stringify(content).length;
    for (const buffer of buffers ?? []) counts.bytes += buffer.byteLength;
  }

  function takeCounts() {
    const seconds = (performance.now() - since) / 1000;
    const taken = { seconds, ...counts, redraws: { ...counts.redraws } };
    reset();
    return taken;
  }

  function reset() {
    for (const name of Object.keys(CHARTS)) counts.redraws[name] = [];
    counts.messages = counts.bytes = 0;
    since = performance.now();
  }

  function untilState(word) {
    const line = document.querySelector(".mw-training-panel .mw-state-line");
    return new Promise((resolve) => {
      const observer = new MutationObserver(check);
      observer.observe(line, EVERYTHING);
      check();

      function check() {
        if (line.textContent.trim() !== word) return;
        observer.disconnect();
        resolve();
      }
    });
  }

  // Return what was counted from the beginning of a training to its end, and in the second after.
  async function countTraining() {
    await untilState("Training");
    reset();
    await untilState("Finished");
    const during = takeCounts();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return { during, after: takeCounts() };
  }

  for (const [name, selector] of Object.entries(CHARTS)) {
    countRedraws(name, document.querySelector(selector));
  }
  context.iopubMessage.connect(countMessage);
  reset();
  window.probes = { collectImages, awaitClick, countTraining, takeCounts, reset };
})();
